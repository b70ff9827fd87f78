"""The API server: store client, core and fronts, put together with one life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from kubeactors.api.kinds import KindRegistry
from kubeactors.api.kinds import registry as builtin_registry
from kubeactors.apiserver.accounts.service import AccountKeys
from kubeactors.apiserver.aggregation.trust import ClusterTrust, Trust
from kubeactors.apiserver.bootstrap import Bootstrap
from kubeactors.apiserver.config import ApiServerConfig
from kubeactors.apiserver.core import ApiCore, CoreConfig, build_core
from kubeactors.apiserver.fronts import Fronts
from kubeactors.apiserver.masters import MasterLeases
from kubeactors.apiserver.node.connections import AgentTls
from kubeactors.store.client import StoreClient, TlsFiles
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

#: Seconds that `start` waits for a store that does not answer; the caller decides about another attempt.
STORE_TIMEOUT = 30.0
_RETRY_SECONDS = 0.2
#: Seconds in which the store must answer a health check.
_CHECK_TIMEOUT = 2.0


class ApiServer:
    """`start` returns once requests are served; `stop` ends everything that it began, also after a failed start."""

    def __init__(self, config: ApiServerConfig, registry: KindRegistry = builtin_registry) -> None:
        self._config = config
        # A registry of its own, since custom resources come and go with this server.
        self._registry = KindRegistry(registry.all())
        self._store: StoreClient | None = None
        self._core: ApiCore | None = None
        self._fronts: Fronts | None = None
        self._masters: MasterLeases | None = None
        self._trust: ClusterTrust | None = None
        self._bootstrapped = False
        self._stopping = False

    @property
    def https_port(self) -> int:
        """Where HTTPS is served; differs from the configuration's if that is 0."""
        return self._fronts.https_port if self._fronts is not None else 0

    @property
    def grpc_port(self) -> int:
        """Where gRPC is served; differs from the configuration's if that is 0."""
        return self._fronts.grpc_port if self._fronts is not None else 0

    async def start(self) -> None:
        """Connect to the store, make the cluster's first objects, then listen.

        Raises OSError for files and ports that cannot be used, StoreError if the store does not answer in time.
        """
        self._stopping = False
        config = self._config
        tls = config.store_tls
        store_tls = TlsFiles(str(tls.ca), str(tls.cert), str(tls.key)) if tls is not None else None
        self._store = StoreClient(config.store_endpoints, store_tls)
        self._core = build_core(self._store, self._registry, _core_config(config))
        self._fronts = Fronts(config, self._core, self._registry, self.health, self._core.settle)
        self._core.when_kinds_change(self._fronts.kinds_changed)
        self._fronts.metrics.add_source(self._core.metrics)
        await self._until_the_store_answers(self._core)
        # The port that clients reach is the configured one; 0 is for tests, which know the real one from `https_port`.
        port = config.https_port or 6443
        bootstrap = Bootstrap(self._core.handler, self._registry)
        await bootstrap.run(port=port, service_cidr=config.service_cidr)
        self._trust = self._core.cluster_trust(_trust(config))
        await self._trust.start()
        self._bootstrapped = True
        await self._fronts.start()
        self._masters = MasterLeases(
            self._store, config.advertise_address, lambda addresses: bootstrap.publish(addresses, port)
        )
        await self._masters.start()
        logger.info("serving HTTPS on port %d and gRPC on port %d", self.https_port, self.grpc_port)

    async def _until_the_store_answers(self, core: ApiCore) -> None:
        """A store that starts at the same time as this server may take a moment."""
        deadline = asyncio.get_running_loop().time() + STORE_TIMEOUT
        while True:
            try:
                await core.start()
            except StoreError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                logger.warning("waiting for the store: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    def use_store(self, endpoints: Sequence[str]) -> None:
        """The store's members are at these addresses from now on."""
        if self._store is not None:
            self._store.use_endpoints(endpoints)

    async def stop(self) -> None:
        """End requests, then the core, then the connection to the store."""
        self._stopping = True
        self._bootstrapped = False
        if self._masters is not None:
            await self._masters.stop()
        if self._trust is not None:
            await self._trust.stop()
        if self._fronts is not None:
            await self._fronts.stop()
        if self._core is not None:
            await self._core.stop()
        if self._store is not None:
            await self._store.close()
        self._masters = self._trust = self._fronts = self._core = self._store = None

    async def health(self) -> dict[str, str]:
        """The named checks of /readyz: "ok", or what is wrong. The names are Kubernetes' where it has the check."""
        store = await self._store_health()
        bootstrap = "ok" if self._bootstrapped else "not finished"
        caches = (await self._core.health())["watch-cache"] if self._core is not None else "not started"
        return {
            "ping": "ok",
            "etcd": store,
            "etcd-readiness": store,
            "informer-sync": caches,
            "poststarthook/start-system-namespaces-controller": bootstrap,
            "poststarthook/bootstrap-controller": bootstrap,
            "shutdown": "process is shutting down" if self._stopping else "ok",
        }

    async def _store_health(self) -> str:
        if self._store is None:
            return "not connected"
        try:
            await self._store.revision(timeout=_CHECK_TIMEOUT)
        except StoreError as error:
            return str(error)
        return "ok"


def _trust(config: ApiServerConfig) -> Trust:
    proxy_ca = config.requestheader_client_ca
    return Trust(
        config.client_ca.read_bytes(),
        proxy_ca.read_bytes() if proxy_ca is not None else b"",
        config.requestheader_allowed_names,
    )


def _core_config(config: ApiServerConfig) -> CoreConfig:
    agent_tls = None
    if config.kubelet_client_cert is not None and config.kubelet_client_key is not None:
        agent_tls = AgentTls(config.client_ca, config.kubelet_client_cert, config.kubelet_client_key)
    account_keys = None
    if config.service_account_key is not None:
        account_keys = AccountKeys.load(
            config.service_account_key, config.service_account_public_key, config.service_account_issuer
        )
    return CoreConfig(
        service_cidr=config.service_cidr,
        node_port_range=config.node_port_range,
        agent_tls=agent_tls,
        account_keys=account_keys,
        proxy_client_cert=config.proxy_client_cert,
        proxy_client_key=config.proxy_client_key,
        disabled_plugins=tuple(config.disable_admission_plugins),
        min_watch_timeout=config.min_watch_timeout,
    )
