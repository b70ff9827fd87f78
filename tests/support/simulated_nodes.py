"""A whole cluster but for its containers: real store and API server in processes of their own, controllers and
scheduler on the caller's loop, nodes whose kubelet runs nothing. Everything talks TLS."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.scheduler import Scheduler
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.fake_kubelet import FakeKubelet, node_object


@dataclass(frozen=True)
class SimulatedNodes:
    """What runs: the control plane, its administrator's client, and the kubelet of all nodes."""

    plane: ControlPlane
    admin: AsyncClient
    kubelet: FakeKubelet


@contextlib.asynccontextmanager
async def simulated_nodes(
    directory: Path, nodes: Sequence[str], *, own_taints: bool = True, service_accounts: bool = True, **config: Any
) -> AsyncIterator[SimulatedNodes]:
    """Start it below `directory` with these nodes. `config` are fields of ControllerManagerConfig. Without
    `own_taints` the nodes lose the taint of what is not ready at once: where no node lifecycle controller does it.
    Without `service_accounts` pods need none: where no controller makes them."""
    async with contextlib.AsyncExitStack() as stack:
        admission: dict[str, Any] = {"disable_admission_plugins": []} if service_accounts else {}
        plane = await stack.enter_async_context(control_plane(directory, **admission))

        def client(user: str) -> AsyncClient:
            made = AsyncClient([plane.grpc_endpoint], plane.tls(user))
            stack.push_async_callback(made.close)
            return made

        settings = ControllerManagerConfig(
            leader_elect=False,
            root_ca=plane.pki.ca.read_text(),
            service_account_key=plane.pki.service_account_key.read_text(),
            **config,
        )
        manager = ControllerManager(client("controller-manager"), config=settings)
        stack.push_async_callback(manager.stop)
        await manager.start()
        scheduler = Scheduler(client("scheduler"), config=SchedulerConfig(leader_elect=False))
        stack.push_async_callback(scheduler.stop)
        await scheduler.start()
        admin = client("admin")
        kubelet = await stack.enter_async_context(FakeKubelet(admin))
        for name in nodes:
            await admin.create("nodes", node_object(name))
            if not own_taints:
                await admin.patch("nodes", name, {"spec": {"taints": None}})
        yield SimulatedNodes(plane, admin, kubelet)
