"""What an actor on each master runs: the API server, told of the store's members as they change."""

from __future__ import annotations

import asyncio
import logging

from kubeactors.actors.masters import Masters
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import ComponentSettings
from kubeactors.apiserver import collector
from kubeactors.apiserver.config import ApiServerConfig, TlsFiles
from kubeactors.apiserver.server import ApiServer
from kubeactors.pki.cluster import ClusterPki

logger = logging.getLogger(__name__)

PERIOD = 5.0
"""Seconds between looks at the file that says who is a master."""


class ApiServerHost:
    """The API server of one master."""

    def __init__(self, settings: ComponentSettings, paths: Paths) -> None:
        self._settings = settings
        self._masters = Masters(settings, paths)
        self._endpoints = self._store_endpoints()
        self._server = ApiServer(_config(settings, ClusterPki(paths.pki), self._endpoints))
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """As `ApiServer.start`."""
        await self._server.start()
        collector.settle()
        if not self._settings.config.external_store:
            self._following = asyncio.create_task(self._follow(), name="store-endpoints")

    async def stop(self) -> None:
        """As `ApiServer.stop`."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._server.stop()

    async def health(self) -> dict[str, str]:
        """As `ApiServer.health`."""
        return await self._server.health()

    def _store_endpoints(self) -> list[str]:
        """This machine's member first: while it serves, nothing goes over the wire that need not."""
        config = self._settings.config
        if config.external_store:
            return [*config.external_store]
        others = [address for address in self._masters.addresses() if address != self._settings.address]
        return [f"https://{address}:{config.store_port}" for address in ("127.0.0.1", *others)]

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            try:
                endpoints = self._store_endpoints()
            except (OSError, ValueError):
                logger.exception("cannot tell where the store's members are")
                continue
            if endpoints != self._endpoints:
                logger.info("the store's members are at %s", ", ".join(endpoints))
                self._endpoints = endpoints
                self._server.use_store(endpoints)


def _config(settings: ComponentSettings, pki: ClusterPki, store_endpoints: list[str]) -> ApiServerConfig:
    config = settings.config
    store_tls: TlsFiles | None
    if not config.external_store:
        store_tls = TlsFiles(pki.store_ca, pki.certificate("apiserver-etcd-client"), pki.key("apiserver-etcd-client"))
    elif config.store_ca_file:
        directory = pki.external_store
        store_tls = TlsFiles(directory / "ca.crt", directory / "client.crt", directory / "client.key")
    else:
        store_tls = None
    # A master of an earlier version has none before its next `kubeactors up`.
    front_proxy = pki.certificate("front-proxy-client")
    return ApiServerConfig(
        advertise_address=settings.address,
        store_endpoints=store_endpoints,
        store_tls=store_tls,
        tls_cert=pki.certificate("apiserver"),
        tls_key=pki.key("apiserver"),
        client_ca=pki.ca,
        kubelet_client_cert=pki.certificate("apiserver-kubelet-client"),
        kubelet_client_key=pki.key("apiserver-kubelet-client"),
        requestheader_client_ca=pki.front_proxy_ca if front_proxy.exists() else None,
        proxy_client_cert=front_proxy if front_proxy.exists() else None,
        proxy_client_key=pki.key("front-proxy-client") if front_proxy.exists() else None,
        service_account_key=pki.service_account_key,
        service_account_public_key=pki.service_account_public_key,
        service_account_issuer=f"https://kubernetes.default.svc.{config.cluster_domain}",
        https_port=config.https_port,
        grpc_port=config.grpc_port,
        service_cidr=config.service_cidr,
        node_port_range=config.node_ports(),
    )
