"""A control plane with controllers and a scheduler, and nodes that run nothing, for all tests of this directory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from kubeactors.client import AsyncClient
from tests.support.control_plane import ControlPlane
from tests.support.simulated_nodes import simulated_nodes


@dataclass
class Cluster:
    plane: ControlPlane
    client: AsyncClient

    async def kubectl(self, *arguments: str, stdin: str = "") -> str:
        done = await self.plane.kubectl(*arguments, stdin=stdin)
        assert done.code == 0, done.stderr
        return done.stdout


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    controllers = ("deployment", "replicaset", "garbage-collector", "namespace")
    directory = tmp_path_factory.mktemp("plane")
    async with simulated_nodes(
        directory, ("n1",), own_taints=False, service_accounts=False, controllers=controllers
    ) as made:
        yield Cluster(made.plane, made.admin)


@pytest_asyncio.fixture(loop_scope="package")
async def namespace(cluster: Cluster) -> str:
    made = await cluster.client.create("namespaces", {"metadata": {"name": f"t-{uuid.uuid4().hex[:8]}"}})
    return str(made["metadata"]["name"])
