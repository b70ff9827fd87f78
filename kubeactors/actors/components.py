"""Builds each component from what its actor was told. Imports are made late: a process loads what it runs, no more."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.actors.masters import Masters, api_endpoints
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import (
    API_SERVER,
    CONTROLLER_MANAGER,
    NODE_AGENT,
    SCHEDULER,
    STORE,
    ComponentSettings,
)
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
    from kubeactors.actors.api_server_host import ApiServerHost

    return ApiServerHost(settings, paths)


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
            service_account_key=pki.service_account_key.read_text(),
        ),
    )


def _node_agent(settings: ComponentSettings, paths: Paths) -> Component:
    from kubeactors.actors.node_host import NodeHost

    return NodeHost(settings, paths)


def _client(settings: ComponentSettings, pki: ClusterPki, identity: str) -> AsyncClient:
    """In metadata.managedFields it has the name of Kubernetes' component, which tools look for."""
    tls = TlsConfig(ca_file=pki.ca, cert_file=pki.certificate(identity), key_file=pki.key(identity))
    endpoints = api_endpoints(settings.config)
    return AsyncClient(endpoints, tls, user_agent=f"kubeactors-{identity}", field_manager=f"kube-{identity}")


_BUILDERS: dict[str, Callable[[ComponentSettings, Paths], Component]] = {
    STORE: _store,
    API_SERVER: _api_server,
    SCHEDULER: _scheduler,
    CONTROLLER_MANAGER: _controller_manager,
    NODE_AGENT: _node_agent,
}
