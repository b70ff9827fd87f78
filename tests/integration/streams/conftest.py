"""A control plane and a real node with pods, for all tests of streams."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.control_plane import ControlPlane, control_plane
from tests.support.live_node import LiveNode, live_node
from tests.support.node_machine import container


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration/streams" in str(item.path):
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("plane")) as running:
        made = await running.kubectl("create", "serviceaccount", "default")
        assert made.code == 0 or "already exists" in made.stderr, made.stderr
        yield running


WEB = """
echo serving
mkdir -p /www
echo hello > /www/index.html
echo '<a href="/next">next</a>' > /www/page.html
dd if=/dev/urandom of=/www/big bs=1M count=4 2>/dev/null
httpd -p 8080 -h /www
trap 'exit 0' TERM
while true; do sleep 0.1; done
"""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def node(plane: ControlPlane) -> AsyncIterator[LiveNode]:
    """Pods: `web` serves HTTP on 8080 and has a shell; `two` has two containers; `ended` has ended."""
    async with live_node(plane) as machine:
        await asyncio.gather(
            machine.run_pod("web", {**container("c", WEB), "ports": [{"containerPort": 8080}]}),
            machine.run_pod("two", container("x"), container("y")),
        )
        yield machine
