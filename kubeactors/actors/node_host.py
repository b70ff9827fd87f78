"""What an actor on each machine runs: the node agent with its network plugin, and the certificate that both use."""

from __future__ import annotations

from kubeactors.actors import ray_cluster
from kubeactors.actors.node_certificate import NodeCertificate
from kubeactors.actors.node_parts import build_agent
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER_ACTOR, ComponentSettings
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.tls import TlsConfig
from nodeagent.agent import NodeAgent

SIGN_TIMEOUT = 30.0


class NodeHost:
    """Gets the machine its certificate, then runs its node agent."""

    def __init__(self, settings: ComponentSettings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        directory = paths.lib / "pki"
        self._certificate = NodeCertificate(directory / "ca.crt", directory / "node.crt", directory / "node.key")
        self._client: AsyncClient | None = None
        self._agent: NodeAgent | None = None

    async def start(self) -> None:
        """Returns once the node is registered or the agent tries to by itself."""
        settings = self._settings
        await self._certificate.ensure(settings.node_name, settings.address, self._sign)
        tls = TlsConfig(
            ca_file=self._certificate.ca, cert_file=self._certificate.certificate, key_file=self._certificate.key
        )
        self._client = AsyncClient(settings.api_servers, tls, user_agent="kubeactors-node-agent")
        self._agent = build_agent(settings, self._paths, self._certificate, self._client)
        await self._agent.start()

    async def stop(self) -> None:
        """Containers and the kernel's tables go on."""
        if self._agent is not None:
            await self._agent.stop()
        if self._client is not None:
            await self._client.close()

    async def health(self) -> dict[str, str]:
        """The agent's checks, with the network's among them."""
        return {"node-agent": "starting"} if self._agent is None else await self._agent.health()

    async def purge(self) -> None:
        """Remove every container, namespace, link and rule of the cluster on this machine."""
        if self._agent is not None:
            await self._agent.purge()

    @staticmethod
    async def _sign(request: bytes, node_name: str, address: str) -> tuple[bytes, bytes]:
        cluster = ray_cluster.find_actor(CLUSTER_ACTOR)
        if cluster is None:
            raise ray_cluster.RayUnavailableError("the cluster's actor is away: no certificate for this node yet")
        certificate, ca = await ray_cluster.call(
            cluster.sign_node_certificate, request, node_name, address, timeout=SIGN_TIMEOUT
        )
        return certificate, ca
