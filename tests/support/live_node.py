"""A real node agent on this machine that belongs to a real control plane: real Podman and pod networks, mutual TLS."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from kubeactors.pki.authority import Authority, Identity
from netplugin.config import NetworkConfig
from netplugin.plugin import BridgeNetwork
from nodeagent.agent import NodeAgent
from tests.support.control_plane import ControlPlane
from tests.support.node_machine import Machine, phase_of, pod_object


class LiveNode(Machine):
    """A Machine whose API is the control plane's."""

    def __init__(self, root: Path, plane: ControlPlane) -> None:
        super().__init__(root)
        self.plane = plane
        self.client = AsyncClient([plane.grpc_endpoint], plane.tls())
        self._agent_client = AsyncClient([plane.grpc_endpoint], plane.tls())

    def network(self) -> BridgeNetwork:
        return BridgeNetwork(
            self._agent_client,
            NetworkConfig(
                node_name=self.name,
                node_ip="127.0.0.1",
                cluster_name=self.cluster,
                state_dir=self.root / "network",
                run_dir=self.root / "run" / "network",
                pod_cidr="10.201.0.0/16",
                proxy_mode="none",
            ),
        )

    async def start(self, **changes: Any) -> None:
        """Start the agent and give the node its addresses, as the controllers would.

        `changes` are fields of the agent's configuration.
        """
        pki = self.plane.pki
        authority = Authority.load(pki.ca, pki.directory / "ca.key")
        identity = Identity(f"system:node:{self.name}", ("system:nodes",), names=("127.0.0.1",), server=True)
        pair = authority.issue(identity, datetime.now(UTC))
        certificate, key = self.root / "node.crt", self.root / "node.key"
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        tls = {"tls_cert": certificate, "tls_key": key, "client_ca": pki.ca}
        config = self.config(**tls, bind_address="127.0.0.1", **changes)
        self.agent = NodeAgent(self._agent_client, self.network(), config)
        await self.agent.start()
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(StatusError):
                    await self.client.get("nodes", self.name)
                    break
                await asyncio.sleep(0.05)
        cidrs = {"podCIDR": self.pod_cidr, "podCIDRs": [self.pod_cidr]}
        await self.client.patch("nodes", self.name, {"spec": cidrs})

    async def purge(self) -> None:
        await self.stop_agent()
        await NodeAgent(self._agent_client, self.network(), self.config()).purge()
        await self._agent_client.close()
        await self.client.close()

    async def start_pod(self, name: str, *containers: Object, namespace: str = "default", **spec: object) -> Object:
        """Create a pod; its labels are `app: NAME`."""
        spec.setdefault("automountServiceAccountToken", False)
        return await self.client.create("pods", pod_object(name, self.name, *containers, namespace=namespace, **spec))

    async def when(
        self, name: str, holds: Callable[[Object], object], namespace: str = "default", *, timeout: float = 30
    ) -> Object:
        """Wait for the pod of which that holds. Raises WaitTimeout."""

        def met(pod: Object | None) -> bool:
            return pod is not None and bool(holds(pod))

        found = await self.client.wait("pods", name, namespace, condition=met, timeout=timeout)
        assert found is not None
        return found

    async def outputs(self, name: str, namespace: str = "default") -> dict[str, str]:
        """Wait until a pod has come to its end; container → what it wrote."""
        pod = await self.when(name, lambda p: phase_of(p) in ("Succeeded", "Failed"), namespace)
        return {c["name"]: self.log_text(name, c["name"], namespace=namespace) for c in pod["spec"]["containers"]}

    async def output(self, name: str, namespace: str = "default") -> str:
        """The same of a pod with one container."""
        (text,) = (await self.outputs(name, namespace)).values()
        return text

    async def eventually(self, holds: Callable[[], Awaitable[bool]], what: str, *, timeout: float = 30) -> None:
        """Ask until that holds."""
        deadline = asyncio.get_running_loop().time() + timeout
        while not await holds():
            assert asyncio.get_running_loop().time() < deadline, f"not within {timeout:g} s: {what}"
            await asyncio.sleep(0.05)

    async def run_pod(self, name: str, *containers: Object, namespace: str = "default", **spec: object) -> Object:
        """Create a pod and wait until it is ready."""
        spec.setdefault("automountServiceAccountToken", False)
        await self.client.create("pods", pod_object(name, self.name, *containers, namespace=namespace, **spec))
        found = await self.client.wait("pods", name, namespace, condition="condition=Ready", timeout=20)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def live_node(plane: ControlPlane, **changes: Any) -> AsyncIterator[LiveNode]:
    """A node with busybox as IMAGE; everything is removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="kubeactors-live-"))
    machine = LiveNode(root, plane)
    try:
        await machine.start(**changes)
        await asyncio.to_thread(machine.import_image)
        yield machine
    finally:
        try:
            await machine.purge()
        finally:
            shutil.rmtree(root, ignore_errors=True)
