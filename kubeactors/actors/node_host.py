"""What an actor on each machine runs: the node agent with its network plugin, and the certificate that both use."""

from __future__ import annotations

import json
from pathlib import Path

from kubeactors.actors import ray_cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.node_certificate import NodeCertificate
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER_ACTOR, NODE_AGENT, ComponentSettings
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.tls import TlsConfig
from kubeactors.pki.files import PUBLIC, write_atomically
from netplugin.choose import make_network
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkError
from nodeagent.agent import NodeAgent
from nodeagent.config import NodeAgentConfig
from nodeagent.runtime.interface import RuntimeFailure

SIGN_TIMEOUT = 30.0


class PurgeError(RuntimeError):
    """Not everything that the cluster runs on a machine could be removed; the message says what."""


class NodeHost:
    """Gets the machine its certificate, then runs its node agent."""

    def __init__(self, settings: ComponentSettings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._certificate = _certificate(paths)
        self._client = _client(settings, self._certificate)
        self._agent = _agent(settings, paths, self._certificate, self._client)

    async def start(self) -> None:
        """Returns once the node's containers are in hand; the agent registers the node by itself."""
        settings = self._settings
        await self._certificate.ensure(settings.node_name, settings.address, self._sign)
        identity = {"node_name": settings.node_name, "address": settings.address}
        write_atomically(self._paths.node, json.dumps(identity).encode(), PUBLIC)
        await self._agent.start()

    async def stop(self) -> None:
        """Containers and the kernel's tables go on."""
        await self._agent.stop()
        await self._client.close()

    async def health(self) -> dict[str, str]:
        """The agent's checks, with the network's among them."""
        return await self._agent.health()

    async def purge(self) -> None:
        """Remove every container, namespace, link and rule of the cluster on this machine. Needs no API server."""
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


async def purge_this_machine(config: ClusterConfig, paths: Paths) -> None:
    """Remove what the cluster runs on this machine, without Ray and without an API server.

    Raises PurgeError that says what could not be removed.
    """
    if not paths.node.exists():
        return
    identity = json.loads(paths.node.read_text())
    settings = ComponentSettings(
        component=NODE_AGENT, root_dir=str(paths.root), api_servers=("127.0.0.1:1",), config=config, **identity
    )
    host = NodeHost(settings, paths)
    try:
        await host.purge()
    except (NetworkError, RuntimeFailure, OSError) as error:
        raise PurgeError(str(error)) from error
    finally:
        await host.stop()


def _certificate(paths: Paths) -> NodeCertificate:
    directory = paths.lib / "pki"
    return NodeCertificate(directory / "ca.crt", directory / "node.crt", directory / "node.key")


def _client(settings: ComponentSettings, certificate: NodeCertificate) -> AsyncClient:
    tls = TlsConfig(ca_file=certificate.ca, cert_file=certificate.certificate, key_file=certificate.key)
    return AsyncClient(settings.api_servers, tls, user_agent="kubeactors-node-agent")


def _agent(settings: ComponentSettings, paths: Paths, certificate: NodeCertificate, client: AsyncClient) -> NodeAgent:
    config = settings.config
    network = make_network(
        client,
        NetworkConfig(
            node_name=settings.node_name,
            node_ip=settings.address,
            cluster_name=config.cluster_name,
            state_dir=paths.lib / "network",
            run_dir=paths.run / "network",
            pod_cidr=config.pod_cidr,
            service_cidr=config.service_cidr,
            node_port_range=config.node_ports(),
            proxy_mode=config.proxy_mode,
            cni_conflist=Path(config.cni_conflist) if config.cni_conflist else None,
        ),
    )
    return NodeAgent(
        client,
        network,
        NodeAgentConfig(
            node_name=settings.node_name,
            node_ip=settings.address,
            cluster_name=config.cluster_name,
            pods_dir=paths.lib / "pods",
            run_dir=paths.run,
            graphroot=paths.graph_root,
            port=config.agent_port,
            tls_cert=certificate.certificate,
            tls_key=certificate.key,
            client_ca=certificate.ca,
            cluster_domain=config.cluster_domain,
        ),
    )
