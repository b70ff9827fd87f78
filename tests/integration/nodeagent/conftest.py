"""One real node for a module of tests, and a machine of its own for those that restart or break it."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.node_machine import Machine, node_machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration/nodeagent" in str(item.path):
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Machine]:
    async with node_machine() as machine:
        yield machine


@pytest_asyncio.fixture
async def machine() -> AsyncIterator[Machine]:
    async with node_machine(resync_interval=2.0) as made:
        yield made
