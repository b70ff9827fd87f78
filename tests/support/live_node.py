"""A real node agent on this machine that belongs to a real control plane: real Podman and pod networks, mutual TLS."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from kubeactors.pki.authority import Authority, Identity
from netplugin.config import NetworkConfig
from netplugin.plugin import BridgeNetwork
from nodeagent.agent import NodeAgent
from tests.support.control_plane import ControlPlane
from tests.support.node_machine import Machine, pod_object


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

    async def start(self) -> None:
        """Start the agent and give the node its addresses, as the controllers would."""
        pki = self.plane.pki
        authority = Authority.load(pki.ca, pki.directory / "ca.key")
        identity = Identity(f"system:node:{self.name}", ("system:nodes",), names=("127.0.0.1",), server=True)
        pair = authority.issue(identity, datetime.now(UTC))
        certificate, key = self.root / "node.crt", self.root / "node.key"
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        config = self.config(tls_cert=certificate, tls_key=key, client_ca=pki.ca, bind_address="127.0.0.1")
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

    async def run_pod(self, name: str, *containers: Object, namespace: str = "default", **spec: object) -> Object:
        """Create a pod and wait until it is ready."""
        spec.setdefault("automountServiceAccountToken", False)
        await self.client.create("pods", pod_object(name, self.name, *containers, namespace=namespace, **spec))
        found = await self.client.wait("pods", name, namespace, condition="condition=Ready", timeout=20)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def live_node(plane: ControlPlane) -> AsyncIterator[LiveNode]:
    """A node with busybox as IMAGE; everything is removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="kubeactors-live-"))
    machine = LiveNode(root, plane)
    try:
        await machine.start()
        await asyncio.to_thread(machine.import_image)
        yield machine
    finally:
        try:
            await machine.purge()
        finally:
            shutil.rmtree(root, ignore_errors=True)
