"""Builds each component from what its actor was told. Imports are made late: a process loads what it runs, no more."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import (
    API_SERVER,
    CONTROLLER_MANAGER,
    NODE_AGENT,
    SCHEDULER,
    STORE,
    ComponentSettings,
)
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.actors.supervisor import Component
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.tls import TlsConfig
from kubeactors.pki.cluster import ClusterPki


def build(settings: ComponentSettings, paths: Paths) -> Component:
    """The component, not started. Raises KeyError for an unknown one, and what its configuration raises."""
    return _BUILDERS[settings.component](settings, paths)


def _store(settings: ComponentSettings, paths: Paths) -> Component:
    from kubeactors.actors.store_member import StoreMember

    masters = Masters(settings, paths)
    return StoreMember(
        settings.node_name, settings.address, settings.config, paths, ClusterPki(paths.pki), masters.addresses
    )


def _api_server(settings: ComponentSettings, paths: Paths) -> Component:
    from kubeactors.apiserver.config import ApiServerConfig, TlsFiles
    from kubeactors.apiserver.server import ApiServer

    config, pki = settings.config, ClusterPki(paths.pki)
    store_tls: TlsFiles | None
    if config.external_store:
        endpoints = [*config.external_store]
        directory = pki.external_store
        store_tls = TlsFiles(directory / "ca.crt", directory / "client.crt", directory / "client.key")
        if not config.store_ca_file:
            store_tls = None
    else:
        others = [address for address in Masters(settings, paths).addresses() if address != settings.address]
        endpoints = [f"https://{address}:{config.store_port}" for address in ("127.0.0.1", *others)]
        store_tls = TlsFiles(pki.store_ca, pki.certificate("apiserver-etcd-client"), pki.key("apiserver-etcd-client"))
    return ApiServer(
        ApiServerConfig(
            advertise_address=settings.address,
            store_endpoints=endpoints,
            store_tls=store_tls,
            tls_cert=pki.certificate("apiserver"),
            tls_key=pki.key("apiserver"),
            client_ca=pki.ca,
            kubelet_client_cert=pki.certificate("apiserver-kubelet-client"),
            kubelet_client_key=pki.key("apiserver-kubelet-client"),
            https_port=config.https_port,
            grpc_port=config.grpc_port,
            service_cidr=config.service_cidr,
            node_port_range=config.node_ports(),
        )
    )


def _scheduler(settings: ComponentSettings, paths: Paths) -> Component:
    from kubeactors.scheduler.config import SchedulerConfig
    from kubeactors.scheduler.scheduler import Scheduler

    client = _client(settings, ClusterPki(paths.pki), "scheduler")
    return Scheduler(client, config=SchedulerConfig(identity=settings.node_name))


def _controller_manager(settings: ComponentSettings, paths: Paths) -> Component:
    from kubeactors.controllers.config import ControllerManagerConfig
    from kubeactors.controllers.manager import ControllerManager

    pki = ClusterPki(paths.pki)
    client = _client(settings, pki, "controller-manager")
    return ControllerManager(
        client,
        config=ControllerManagerConfig(
            identity=settings.node_name,
            pod_cidr=settings.config.pod_cidr,
            node_cidr_mask=settings.config.node_cidr_mask,
            node_monitor_grace_period=settings.config.node_monitor_grace_period,
            root_ca=pki.ca.read_text(),
        ),
    )


def _node_agent(settings: ComponentSettings, paths: Paths) -> Component:
    from kubeactors.actors.node_host import NodeHost

    return NodeHost(settings, paths)


def _client(settings: ComponentSettings, pki: ClusterPki, identity: str) -> AsyncClient:
    tls = TlsConfig(ca_file=pki.ca, cert_file=pki.certificate(identity), key_file=pki.key(identity))
    return AsyncClient(api_endpoints(settings.config), tls, user_agent=f"kubeactors-{identity}")


def api_endpoints(config: ClusterConfig) -> tuple[str, ...]:
    """Where a machine's components reach the API: through the machine's forwarder, whichever master is healthy."""
    return (f"127.0.0.1:{config.local_grpc_port}",)


class Masters:
    """The masters as this machine's file has them, else as its actor was told."""

    def __init__(self, settings: ComponentSettings, paths: Paths) -> None:
        self._settings = settings
        self._file = StateFile(paths.state)

    def state(self) -> ClusterState:
        """Raises ValueError when neither says anything."""
        return self._file.load() or ClusterState.from_json(self._settings.state)

    def addresses(self) -> tuple[str, ...]:
        """In their order."""
        return self.state().masters


_BUILDERS: dict[str, Callable[[ComponentSettings, Paths], Component]] = {
    STORE: _store,
    API_SERVER: _api_server,
    SCHEDULER: _scheduler,
    CONTROLLER_MANAGER: _controller_manager,
    NODE_AGENT: _node_agent,
}
