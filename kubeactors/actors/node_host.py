"""What an actor on each machine runs: the node agent with its network plugin, the forwarder to the API servers, the
certificate that they use, and the machine's copy of the cluster's state."""

from __future__ import annotations

import json
from pathlib import Path

from kubeactors.actors import ray_cluster, record
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.masters import Masters, api_endpoints
from kubeactors.actors.node_certificate import NodeCertificate
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER, NODE_AGENT, ComponentSettings
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.api.meta import Object
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.informer import Informer
from kubeactors.client.tls import TlsConfig
from kubeactors.pki.files import PUBLIC, write_atomically
from netplugin.choose import make_network
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkError
from nodeagent.agent import NodeAgent
from nodeagent.config import NodeAgentConfig
from nodeagent.forwarder.choice import Backend
from nodeagent.forwarder.forwarder import Forwarder, ForwarderConfig, Route
from nodeagent.runtime.interface import RuntimeFailure

SIGN_TIMEOUT = 10.0


class PurgeError(RuntimeError):
    """Not everything that the cluster runs on a machine could be removed; the message says what."""


class NodeHost:
    """Gets the machine its certificate, then runs its forwarder and its node agent."""

    def __init__(self, settings: ComponentSettings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._certificate = _certificate(paths)
        self._client = _client(settings, self._certificate)
        self._masters = Masters(settings, paths)
        self._forwarder = _forwarder(settings, self._certificate)
        self._record = Informer(
            self._client, "configmaps", namespace=record.NAMESPACE, field_selector=f"metadata.name={record.NAME}"
        )
        self._agent = _agent(settings, paths, self._certificate, self._client)

    async def start(self) -> None:
        """Returns once the node's containers are in hand; the agent registers the node by itself."""
        settings, paths = self._settings, self._paths
        if settings.state:
            StateFile(paths.state).take(ClusterState.from_json(settings.state))
        await self._certificate.ensure(settings.node_name, settings.address, self._sign, settings.ca)
        identity = {"node_name": settings.node_name, "address": settings.address}
        write_atomically(paths.node, json.dumps(identity).encode(), PUBLIC)
        settings.config.at(settings.address).save_changed(paths.config)
        await self._forwarder.start(self._backends())
        self._record.add_handler(on_add=self._learn, on_update=lambda _, new: self._learn(new))
        await self._record.start()
        await self._agent.start()

    async def stop(self) -> None:
        """Containers and the kernel's tables go on."""
        await self._agent.stop()
        await self._record.stop()
        await self._client.close()
        await self._forwarder.stop()

    async def health(self) -> dict[str, str]:
        """The agent's checks, with the network's among them, and whether an API server is ready."""
        return {**await self._agent.health(), "api-forwarder": self._forwarder.health()}

    def take(self, state: str) -> None:
        """Learn the cluster's state from a master that reaches this machine by Ray, for when its own copy is so old
        that no API server is at an address it knows. Raises ValueError."""
        if StateFile(self._paths.state).take(ClusterState.from_json(state)):
            self._forwarder.set_backends(self._backends())

    def _learn(self, config_map: Object) -> None:
        self.take(record.state_of(config_map).to_json())

    def _backends(self) -> list[Backend]:
        own = self._settings.address
        return [Backend(address, local=address == own) for address in self._masters.addresses()]

    async def purge(self) -> None:
        """Remove every container, namespace, link and rule of the cluster on this machine. Needs no API server."""
        await self._agent.purge()

    @staticmethod
    async def _sign(request: bytes, node_name: str, address: str) -> tuple[bytes, bytes]:
        """Any master that has the cluster's keys signs."""
        problems = []
        for name, cluster in (await ray_cluster.within(SIGN_TIMEOUT, ray_cluster.find_actors, f"{CLUSTER}:")).items():
            try:
                certificate, ca = await ray_cluster.call(
                    cluster.sign_node_certificate, request, node_name, address, timeout=SIGN_TIMEOUT
                )
            except (ray_cluster.RayCallError, TimeoutError) as error:
                problems.append(f"{name}: {error or 'no answer'}")
            else:
                return certificate, ca
        raise ray_cluster.RayUnavailableError(
            f"no certificate for this node yet: {'; '.join(problems) or 'no master of the cluster is there'}"
        )


async def purge_this_machine(config: ClusterConfig, paths: Paths) -> None:
    """Remove what the cluster runs on this machine, without Ray and without an API server.

    Raises PurgeError that says what could not be removed.
    """
    if not paths.node.exists():
        return
    identity = json.loads(paths.node.read_text())
    settings = ComponentSettings(component=NODE_AGENT, root_dir=str(paths.root), config=config, **identity)
    host = NodeHost(settings, paths)
    try:
        await host.purge()
    except (NetworkError, RuntimeFailure, OSError) as error:
        raise PurgeError(str(error)) from error
    finally:
        await host.stop()


def _certificate(paths: Paths) -> NodeCertificate:
    directory = paths.node_pki
    return NodeCertificate(directory / "ca.crt", directory / "node.crt", directory / "node.key")


def _client(settings: ComponentSettings, certificate: NodeCertificate) -> AsyncClient:
    tls = TlsConfig(ca_file=certificate.ca, cert_file=certificate.certificate, key_file=certificate.key)
    endpoints = api_endpoints(settings.config)
    return AsyncClient(endpoints, tls, user_agent="kubeactors-node-agent", field_manager="kubelet")


def _forwarder(settings: ComponentSettings, certificate: NodeCertificate) -> Forwarder:
    config = settings.config
    return Forwarder(
        ForwarderConfig(
            name=settings.node_name,
            routes=(
                Route(config.local_https_port, config.https_port),
                Route(config.local_grpc_port, config.grpc_port),
            ),
            check_port=config.https_port,
            ca=certificate.ca,
            certificate=certificate.certificate,
            key=certificate.key,
        )
    )


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
