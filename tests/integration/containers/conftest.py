"""A control plane and a real node: what users see of containers, by the behaviours of Kubernetes' conformance suite."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.control_plane import ControlPlane, control_plane
from tests.support.live_node import LiveNode, live_node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration/containers" in str(item.path):
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def node(plane: ControlPlane) -> AsyncIterator[LiveNode]:
    """Containers that end again and again are started again soon."""
    async with live_node(plane, max_restart_delay=0.2) as machine:
        yield machine


@pytest_asyncio.fixture(autouse=True, loop_scope="package")
async def _no_pods_left(node: LiveNode) -> AsyncIterator[None]:
    """The pods of one test do not take the next one's time."""
    yield
    await node.client.delete_collection("pods", "default", grace_period_seconds=0)
