"""Objects that other parts of the server look up by name: in the watch cache, and in the store when it has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.api.meta import Object
from kubeactors.apiserver.registry.objects import Objects
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.watchcache.feed import Feed
from kubeactors.apiserver.watchcache.matcher import Matcher
from kubeactors.apiserver.watchcache.record import Record

#: Seconds that a pod waits for the default account of its namespace.
_ACCOUNT_PATIENCE = 1.5
# Namespaces and accounts that are kept decoded.
_MOST_DECODED = 1024


class Finders:
    """`monotonic` returns seconds."""

    def __init__(
        self,
        registry: KindRegistry,
        resources: Mapping[Kind, Resource],
        objects: Objects,
        feed: Feed,
        monotonic: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._resources = resources
        self._objects = objects
        self._feed = feed
        self._monotonic = monotonic
        self._decoded: dict[tuple[str, str, str], tuple[Record, Object]] = {}
        self._namespaces = self.resource("namespaces")
        self._nodes = self.resource("nodes")
        self._accounts = self.resource("serviceaccounts")
        self._services = self.resource("services")
        self._priority_classes = self.resource("priorityclasses", "scheduling.k8s.io")
        self._runtime_classes = self.resource("runtimeclasses", "node.k8s.io")
        self._storage_classes = self.resource("storageclasses", "storage.k8s.io")

    def resource(self, plural: str, group: str = "", version: str = "v1") -> Resource:
        """A resource that every server has."""
        kind = self._registry.by_resource(group, version, plural)
        assert kind is not None, f"{plural} are a kind of every server"
        return self._resources[kind]

    async def namespace(self, name: str, live: bool) -> Object | None:
        """`live`: as the store has it. Not to be changed."""
        return await (self._present(self._namespaces, name) if live else self._seen(self._namespaces, "", name))

    async def node_exists(self, name: str) -> bool:
        return self._nodes.cache.get("", name) is not None or await self._present(self._nodes, name) is not None

    async def priority_class(self, name: str) -> Object | None:
        """As the store has it."""
        return await self._present(self._priority_classes, name)

    async def runtime_class(self, name: str) -> Object | None:
        return await self._find(self._runtime_classes, "", name)

    def storage_classes(self) -> list[Object]:
        """All that the cache has."""
        return [record.decode() for record in self._storage_classes.cache.select(Matcher())]

    async def account(self, namespace: str, name: str, patient: bool) -> Object | None:
        """A service account, not to be changed; `patient`: wait a moment for that of a new namespace, which a
        controller is making."""
        found = await self._seen(self._accounts, namespace, name)
        deadline = self._monotonic() + _ACCOUNT_PATIENCE
        while found is None and patient and (left := deadline - self._monotonic()) > 0:
            await self._feed.wait_for(self._feed.revision + 1, left)
            found = _cached(self._accounts, namespace, name)
        return found

    def service_address(self, namespace: str, name: str) -> str:
        """A service's cluster IP; empty if it has none or the cache does not know it."""
        service = _cached(self._services, namespace, name) or {}
        found: str = (service.get("spec") or {}).get("clusterIP") or ""
        return "" if found == "None" else found

    async def _seen(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """As `_find`, for what is asked for with every other write: decoded once, and shared."""
        record = resource.cache.get(namespace, name)
        if record is None:
            return (await self._objects.present(resource, namespace, name)).obj
        key = (resource.prefix, namespace, name)
        known = self._decoded.get(key)
        if known is None or known[0] is not record:
            if len(self._decoded) >= _MOST_DECODED:
                self._decoded.clear()
            known = self._decoded[key] = (record, record.decode())
        return known[1]

    async def _find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return _cached(resource, namespace, name) or (await self._objects.present(resource, namespace, name)).obj

    async def _present(self, resource: Resource, name: str) -> Object | None:
        return (await self._objects.present(resource, "", name)).obj


def _cached(resource: Resource, namespace: str, name: str) -> Object | None:
    record = resource.cache.get(namespace, name)
    return None if record is None else record.decode()
