"""A control plane for all tests of a module, on the project's own store and again on a real etcd.

Each test gets a namespace of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.control_plane import ControlPlane, control_plane


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["own", "etcd"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("plane"), request.param) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def namespace(plane: ControlPlane) -> str:
    """A fresh namespace. It is not removed: the whole control plane is."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    made = await plane.kubectl("create", "namespace", name)
    assert made.code == 0, made.stderr
    return name
