"""The API server without its fronts: handler, watch cache and storage put together."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.api.kinds.kind import PROXY_VERBS
from kubeactors.api.meta import Object
from kubeactors.apiserver.accounts.objects import NAMED, NamedObjects
from kubeactors.apiserver.accounts.service import AccountKeys, Accounts
from kubeactors.apiserver.accounts.token_requests import TokenRequests
from kubeactors.apiserver.admission import AdmissionChain, Plugin
from kubeactors.apiserver.admission.certificate_requester import CertificateRequester
from kubeactors.apiserver.admission.default_storage_class import DefaultStorageClass
from kubeactors.apiserver.admission.default_tolerations import DefaultTolerations
from kubeactors.apiserver.admission.device_admin_access import DeviceAdminAccess
from kubeactors.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from kubeactors.apiserver.admission.node_taint import NodeTaint
from kubeactors.apiserver.admission.priority import Priority
from kubeactors.apiserver.admission.resize_node import ResizeNode
from kubeactors.apiserver.admission.runtime_class import RuntimeClasses
from kubeactors.apiserver.admission.service_account import ServiceAccounts
from kubeactors.apiserver.admission.storage_protection import StorageProtection
from kubeactors.apiserver.admission.terminating_definition import TerminatingDefinition
from kubeactors.apiserver.aggregation.aggregator import Aggregator
from kubeactors.apiserver.aggregation.backing import Backing
from kubeactors.apiserver.aggregation.front_proxy import FrontProxy
from kubeactors.apiserver.aggregation.registration import Registration
from kubeactors.apiserver.aggregation.trust import ClusterTrust, Trust
from kubeactors.apiserver.authn.tokens import Tokens
from kubeactors.apiserver.authz import AllowAuthenticated, Authorizer
from kubeactors.apiserver.component_statuses import ComponentStatuses
from kubeactors.apiserver.customresources.controller import DefinitionController
from kubeactors.apiserver.customresources.finalizing import Finalizing
from kubeactors.apiserver.customresources.names import PREFIX as GRANTED_NAMES
from kubeactors.apiserver.customresources.names import NameClaims
from kubeactors.apiserver.customresources.serving import Serving
from kubeactors.apiserver.customresources.webhook import Webhooks
from kubeactors.apiserver.finders import Finders
from kubeactors.apiserver.handler import Answering, Handler, Verb
from kubeactors.apiserver.metrics.caches import cache_families
from kubeactors.apiserver.metrics.families import Family
from kubeactors.apiserver.metrics.store import StoreMetrics
from kubeactors.apiserver.node.connections import AgentTls, NodeConnections
from kubeactors.apiserver.node.logs import PodLogs
from kubeactors.apiserver.own_thread import OwnThread
from kubeactors.apiserver.priority_classes import CachedPriorityClasses
from kubeactors.apiserver.registry.binding import Bindings
from kubeactors.apiserver.registry.deletes import Deleter
from kubeactors.apiserver.registry.eviction import Evictions
from kubeactors.apiserver.registry.objects import Objects
from kubeactors.apiserver.registry.own_status import update_status
from kubeactors.apiserver.registry.reads import Reader
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.scale import Scales
from kubeactors.apiserver.registry.versions import Freshness
from kubeactors.apiserver.registry.watches import Watches
from kubeactors.apiserver.registry.writes import Writer
from kubeactors.apiserver.request import ANONYMOUS, ApiHandler, Options, Request, Response
from kubeactors.apiserver.reviews.authentication import SelfSubjectReviews, TokenReviews
from kubeactors.apiserver.reviews.authorization import AccessReviews
from kubeactors.apiserver.services.claims import ADDRESS_PREFIX, PORT_PREFIX, ServiceClaims
from kubeactors.apiserver.services.ranges import AddressRange, PortRange
from kubeactors.apiserver.services.repair import Repair
from kubeactors.apiserver.storage.compaction import Compactor
from kubeactors.apiserver.storage.leases import EventLeases
from kubeactors.apiserver.storage.transactions import StoreApi, Transactions
from kubeactors.apiserver.streams.pods import PodStreams
from kubeactors.apiserver.streams.proxy.http import Backends
from kubeactors.apiserver.streams.proxy.targets import ProxyTargets
from kubeactors.apiserver.watchcache.barrier import ReadBarrier
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.feed import Feed
from kubeactors.apiserver.watchcache.record import FieldsOf

logger = logging.getLogger(__name__)

# Fields by which many watchers select one value each.
_INDEXED_FIELDS = {("", "pods"): "spec.nodeName"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreConfig:
    """`agent_tls` None: node agents are reached in plaintext (tests). `account_keys` None: service accounts have no
    tokens. `proxy_client_cert` and `proxy_client_key` (PEM) are shown to the API servers that APIServices name.
    `disabled_plugins` are admission plugins by Kubernetes' names. Times are seconds."""

    service_cidr: str = "10.96.0.0/12"
    node_port_range: tuple[int, int] = (30000, 32767)
    agent_tls: AgentTls | None = None
    account_keys: AccountKeys | None = None
    proxy_client_cert: Path | None = None
    proxy_client_key: Path | None = None
    disabled_plugins: tuple[str, ...] = ()
    min_watch_timeout: float = 1800.0
    bookmark_interval: float = 60.0
    event_ttl: int = 3600
    compaction_interval: float = 300.0
    repair_interval: float = 600.0


class ApiCore:
    """`handler` answers requests between `start` and `stop`; `authorizer` says what it lets pass, `tokens` whom a
    bearer token stands for. `accounts` is None where service accounts have no tokens."""

    def __init__(
        self,
        store: StoreApi,
        registry: KindRegistry,
        config: CoreConfig,
        *,
        authorizer: Authorizer | None = None,
        plugins: Sequence[Plugin] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._store = store
        self._registry = registry
        self._now = now
        self._store_metrics = StoreMetrics()
        self._transactions = Transactions(store, self._store_metrics)
        self._feed = Feed(store)
        self._barrier = ReadBarrier(store.revision)
        freshness = Freshness(self._feed, self._barrier)
        self._caches: dict[str, ResourceCache] = {}
        self._monotonic = monotonic
        self._resources = {kind: self._resource(kind) for kind in registry.all() if kind.stored}
        self._connections = NodeConnections(config.agent_tls)
        self._backends = Backends()
        self._compactor = Compactor(store, interval=config.compaction_interval)
        self._leases = EventLeases(store, ttl=config.event_ttl, monotonic=monotonic)
        self._tasks: list[asyncio.Task[None]] = []

        reader = Reader(self._feed, freshness, self._transactions, now)
        objects = Objects(self._feed, self._transactions, self._leases.lease_for)
        finders = self._finders = Finders(registry, self._resources, objects, self._feed, monotonic)
        self._webhooks = Webhooks(finders.service_address)
        self._own_thread = OwnThread()
        self._serving = Serving(self._feed, registry, self._resources, monotonic, self._webhooks, self._own_thread)
        terminating = TerminatingDefinition(self._serving.terminating)
        own: list[Plugin] = [terminating, CertificateRequester(), DeviceAdminAccess(finders.namespace)]
        chain = AdmissionChain([*own, *self._plugins(), *plugins])
        writer = Writer(objects, chain, now, registry, self._own_thread)
        deleter = Deleter(objects, reader, chain, now)
        watches = Watches(self._feed, freshness, now, config.min_watch_timeout)
        self._listeners: list[Callable[[], None]] = [chain.forget_kinds]
        self._serving.changed = self._kinds_changed
        self._definitions = self._define(registry, objects, writer, deleter, freshness, now)
        self.repair = self._serve_services(objects, freshness, now)
        self.authorizer = authorizer or AllowAuthenticated()
        self.accounts = self._accounts(objects, now)
        self.tokens = Tokens([self.accounts.authenticator] if self.accounts is not None else ())
        self.aggregator = self._aggregate(writer, now)
        api_services = finders.resource("apiservices", "apiregistration.k8s.io")
        self._registration = Registration(api_services, registry, lambda: self.handler)
        self._listeners.append(self._registration.kinds_changed)
        bindings = Bindings(objects, chain, now)
        subresources = self._subresources(reader, writer, bindings, now)
        budgets = registry.by_resource("policy", "v1", "poddisruptionbudgets")
        if budgets is not None:
            evictions = Evictions(self._resources[budgets], reader, objects, deleter, chain, now)
            subresources["pods", "eviction"] = {"create": evictions.create}
        if self.accounts is not None:
            requests = TokenRequests(self.accounts.keys, self.accounts.audiences, self._getter(reader), chain, now)
            subresources["serviceaccounts", "token"] = {"create": requests.create}

        self.handler: ApiHandler = Handler(
            self._resources,
            self.authorizer,
            {
                "get": reader.get,
                "list": reader.list,
                "watch": watches.watch,
                "create": writer.create,
                "update": writer.update,
                "patch": writer.patch,
                "delete": deleter.delete,
                "deletecollection": deleter.delete_collection,
            },
            subresources,
            self._reviews(now) | self._computed(bindings, now),
        )

    # --- life

    async def start(self) -> None:
        """Read the store's state; raises StoreError when that fails."""
        await self._compactor.begin()
        await self._feed.start()
        # The schema takes a while to load: better now than within the first write of each kind.
        await asyncio.to_thread(lambda: [kind.decoder for kind in self._resources])
        if self._definitions is not None:
            try:
                await self._definitions.start()
            except BaseException:
                await self._feed.stop()  # whoever called may try again
                raise
        await self.aggregator.start()
        self._registration.start()
        self._tasks = [
            asyncio.create_task(self._bookmarks(), name="watch-bookmarks"),
            asyncio.create_task(self._compactor.run(), name="store-compaction"),
            asyncio.create_task(self.repair.run(), name="service-claims-repair"),
        ]

    async def stop(self) -> None:
        """End every watch, then everything else."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._registration.stop()
        await self.aggregator.stop()
        if self._definitions is not None:
            await self._definitions.stop()
        await self._webhooks.close()
        await self._feed.stop()
        await self._barrier.stop()
        await self._connections.stop()
        await self._backends.stop()
        self._own_thread.close()

    async def health(self) -> dict[str, str]:
        return {"watch-cache": self._feed.health()}

    def metrics(self) -> list[Family]:
        """What the caches and the store's client have counted."""
        return [
            *self._store_metrics.families(),
            *cache_families(self._resources.values(), self._feed.revision),
            *self.aggregator.metrics(),
        ]

    # --- custom resources

    def when_kinds_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when custom resources come or go, or what other servers serve changes."""
        self._listeners.append(listener)

    def _kinds_changed(self) -> None:
        for listener in self._listeners:
            listener()

    async def settle(self) -> None:
        """Wait until kinds that were defined before this call are served."""
        if self._definitions is not None:
            await self._definitions.settle()

    def _define(
        self,
        registry: KindRegistry,
        objects: Objects,
        writer: Writer,
        deleter: Deleter,
        freshness: Freshness,
        now: Callable[[], datetime],
    ) -> DefinitionController | None:
        kind = registry.by_resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        if kind is None:
            return None
        definitions = self._resources[kind]
        claims = NameClaims(self._cache(GRANTED_NAMES, False))
        objects.add_hook(kind.storage_prefix, claims)
        update = partial(update_status, writer, definitions)
        finalizing = Finalizing(definitions, self._serving, deleter, freshness, update, now)
        return DefinitionController(definitions, self._serving, claims, finalizing, writer, freshness, now)

    # --- parts

    def cluster_trust(self, trust: Trust) -> ClusterTrust:
        """What tells extension API servers whom to believe; to be started when the namespaces are there."""
        config_maps = self._finders.resource("configmaps").cache
        return ClusterTrust(trust, self.handler, self._registry, config_maps, self._now)

    def _aggregate(self, writer: Writer, now: Callable[[], datetime]) -> Aggregator:
        find = self._finders.resource
        backing = Backing(find("services"), find("endpointslices", "discovery.k8s.io"))
        proxy = FrontProxy(self._backends, self._config.proxy_client_cert, self._config.proxy_client_key)
        api_services = find("apiservices", "apiregistration.k8s.io")
        aggregator = Aggregator(api_services, backing, proxy, writer, now, self._monotonic)
        aggregator.changed = self._kinds_changed
        return aggregator

    def _resource(self, kind: Kind) -> Resource:
        indexed = _INDEXED_FIELDS.get((kind.group, kind.plural), "")
        cache = self._cache(kind.storage_prefix, kind.namespaced, kind.selectable_fields, indexed)
        self._store_metrics.add_resource(kind.storage_prefix, kind.group, kind.plural)
        return Resource(kind, cache)

    def _cache(
        self, prefix: str, namespaced: bool, fields_of: FieldsOf = lambda obj: {}, indexed: str = ""
    ) -> ResourceCache:
        """The cache of what lies under a prefix; several kinds may share one."""
        cache = self._caches.get(prefix)
        if cache is None:
            cache = ResourceCache(prefix, namespaced, fields_of, indexed_field=indexed, now=self._monotonic)
            self._caches[prefix] = cache
            self._feed.add(cache)
        return cache

    def _plugins(self) -> list[Plugin]:
        """The built-in admission plugins that are not disabled, in Kubernetes' order. Raises ValueError."""
        finders = self._finders
        priority_classes = finders.resource("priorityclasses", "scheduling.k8s.io").cache
        built: dict[str, Plugin] = {
            "NamespaceLifecycle": NamespaceLifecycle(finders.namespace, self._monotonic),
            "ServiceAccount": ServiceAccounts(finders.account),
            "TaintNodesByCondition": NodeTaint(),
            "Priority": Priority(CachedPriorityClasses(priority_classes, finders.priority_class)),
            "DefaultTolerationSeconds": DefaultTolerations(),
            "DefaultStorageClass": DefaultStorageClass(finders.storage_classes),
            "StorageObjectInUseProtection": StorageProtection(),
            "RuntimeClass": RuntimeClasses(finders.runtime_class),
            "NodeDeclaredFeatureValidator": ResizeNode(finders.node_exists),
        }
        disabled = set(self._config.disabled_plugins)
        if disabled - set(built):
            raise ValueError(f"no admission plugins: {', '.join(sorted(disabled - set(built)))}")
        return [plugin for name, plugin in built.items() if name not in disabled]

    def _serve_services(self, objects: Objects, freshness: Freshness, now: Callable[[], datetime]) -> Repair:
        services = self._finders.resource("services")
        claims = ServiceClaims(
            self._cache(ADDRESS_PREFIX, False),
            self._cache(PORT_PREFIX, False),
            AddressRange(ipaddress.ip_network(self._config.service_cidr)),
            PortRange(*self._config.node_port_range),
            freshness,
            now,
        )
        objects.add_hook(services.prefix, claims)
        interval = self._config.repair_interval
        return Repair(services.cache, claims, self._transactions, now, interval)

    def _subresources(
        self, reader: Reader, writer: Writer, bindings: Bindings, now: Callable[[], datetime]
    ) -> dict[str | tuple[str, str], dict[str, Verb]]:
        scales = Scales(reader, writer, now)
        get = self._getter(reader)
        find_pod, find_node = partial(get, "pods"), partial(get, "nodes")
        logs = PodLogs(self._connections, find_pod, find_node)
        streams = PodStreams(self._connections, find_pod, find_node, self.authorizer)
        slices = self._slices(reader)
        proxies = ProxyTargets(self._backends, self._connections, find_pod, partial(get, "services"), find_node, slices)

        async def log(resource: Resource, request: Request) -> Response:
            return await logs.log(request)

        parts: dict[str, Verb] = {"get": reader.get, "update": writer.update, "patch": writer.patch}
        return {
            "status": parts,
            ("pods", "ephemeralcontainers"): parts,
            ("pods", "resize"): parts,
            "scale": {"get": scales.handle, "update": scales.handle, "patch": scales.handle},
            ("namespaces", "finalize"): {"update": writer.update},
            ("certificatesigningrequests", "approval"): {
                "get": reader.get,
                "update": writer.update,
                "patch": writer.patch,
            },
            ("pods", "binding"): {"create": bindings.create},
            ("pods", "log"): {"get": log},
            ("pods", "exec"): {"get": streams.exec, "create": streams.exec},
            ("pods", "attach"): {"get": streams.attach, "create": streams.attach},
            ("pods", "portforward"): {"get": streams.port_forward, "create": streams.port_forward},
            ("pods", "proxy"): dict.fromkeys(PROXY_VERBS, proxies.pod),
            ("services", "proxy"): dict.fromkeys(PROXY_VERBS, proxies.service),
            ("nodes", "proxy"): dict.fromkeys(PROXY_VERBS, proxies.node),
        }

    def _getter(self, reader: Reader) -> Callable[[str, str, str], Awaitable[Object]]:
        async def get(plural: str, namespace: str, name: str) -> Object:
            resource = self._finders.resource(plural)
            return resource.decode(await reader.item(resource, namespace, name))

        return get

    def _slices(self, reader: Reader) -> Callable[[str, str], Awaitable[list[Object]]]:
        """The EndpointSlices of a service by namespace and name."""
        resource = self._finders.resource("endpointslices", "discovery.k8s.io")

        async def slices_of(namespace: str, service: str) -> list[Object]:
            options = Options(label_selector=f"kubernetes.io/service-name={service}")
            request = Request(verb="list", kind=resource.kind, user=ANONYMOUS, namespace=namespace, options=options)
            page = await reader.page(resource, request)
            return [resource.decode(item) for item in page.items]

        return slices_of

    def _accounts(self, objects: Objects, now: Callable[[], datetime]) -> Accounts | None:
        if self._config.account_keys is None:
            return None
        resources = {plural: self._finders.resource(plural) for plural in NAMED}
        return Accounts(self._config.account_keys, NamedObjects(resources, objects), lambda: now().timestamp())

    def _reviews(self, now: Callable[[], datetime]) -> dict[str, dict[str, Answering]]:
        access = AccessReviews(self.authorizer)
        creates: dict[str, Answering] = {
            "tokenreviews.authentication.k8s.io": TokenReviews(self.tokens).create,
            "selfsubjectreviews.authentication.k8s.io": SelfSubjectReviews(now).create,
            "subjectaccessreviews.authorization.k8s.io": access.subject,
            "localsubjectaccessreviews.authorization.k8s.io": access.local,
            "selfsubjectaccessreviews.authorization.k8s.io": access.own,
            "selfsubjectrulesreviews.authorization.k8s.io": access.rules,
        }
        return {resource: {"create": create} for resource, create in creates.items()}

    def _computed(self, bindings: Bindings, now: Callable[[], datetime]) -> dict[str, dict[str, Answering]]:
        """The core group's kinds that are not stored."""
        pods, leases = self._finders.resource("pods"), self._finders.resource("leases", "coordination.k8s.io").cache

        def lease(name: str) -> Object | None:
            record = leases.get("kube-system", name)
            return None if record is None else record.decode()

        async def bind(request: Request) -> Response:
            return await bindings.create_by_old_path(pods, request)

        statuses = ComponentStatuses(self._store.revision, lease, now)
        return {
            "bindings": {"create": bind},
            "componentstatuses": {"get": statuses.get, "list": statuses.list},
        }

    async def _bookmarks(self) -> None:
        """Tell the watchers that want to know how far they have seen, each at its own moment of the interval."""
        while True:
            await asyncio.sleep(self._config.bookmark_interval * random.uniform(0.9, 1.0))
            for cache in self._feed.caches():
                for channel in cache.each_channel():
                    for receiver in list(channel.receivers):
                        receiver.send_bookmark()


def build_core(store: StoreApi, registry: KindRegistry, config: CoreConfig) -> ApiCore:
    """The transport-neutral API server on a store client (`kubeactors.store.client.StoreClient`)."""
    return ApiCore(store, registry, config)
