"""A control plane with controllers and a scheduler, and nodes that run nothing, for all tests of this directory."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.scheduler import Scheduler
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.fake_kubelet import FakeKubelet, node_object


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
    async with contextlib.AsyncExitStack() as stack:
        plane = await stack.enter_async_context(control_plane(tmp_path_factory.mktemp("plane")))

        def client(user: str) -> AsyncClient:
            made = AsyncClient([plane.grpc_endpoint], plane.tls(user))
            stack.push_async_callback(made.close)
            return made

        controllers = ("deployment", "replicaset", "garbage-collector", "namespace")
        config = ControllerManagerConfig(leader_elect=False, controllers=controllers)
        manager = ControllerManager(client("controller-manager"), config=config)
        stack.push_async_callback(manager.stop)
        await manager.start()
        scheduler = Scheduler(client("scheduler"), config=SchedulerConfig(leader_elect=False))
        stack.push_async_callback(scheduler.stop)
        await scheduler.start()
        admin = client("admin")
        await stack.enter_async_context(FakeKubelet(admin))
        await admin.create("nodes", node_object("n1"))
        await admin.patch("nodes", "n1", {"spec": {"taints": None}})  # that it is ready is a controller's word
        yield Cluster(plane, admin)


@pytest_asyncio.fixture(loop_scope="package")
async def namespace(cluster: Cluster) -> str:
    made = await cluster.client.create("namespaces", {"metadata": {"name": f"t-{uuid.uuid4().hex[:8]}"}})
    return str(made["metadata"]["name"])
