"""Which custom resources this server serves: kinds, caches and resources come and go with their definitions."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

import orjson

from kubeactors.api.customresources.kinds import CustomKind, kinds_of
from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.api.meta import Object
from kubeactors.api.versions import version_order
from kubeactors.apiserver.customresources.caches import VersionCaches
from kubeactors.apiserver.customresources.resource import CustomResource, load
from kubeactors.apiserver.customresources.webhook import Converter, Webhooks
from kubeactors.apiserver.own_thread import OwnThread
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.feed import Feed

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Served:
    """One definition's kinds. `text` is what they were made of."""

    text: bytes
    kinds: list[CustomKind]
    caches: VersionCaches
    terminating: bool = False


class Serving:
    """`changed` is called when kinds came or went."""

    def __init__(
        self,
        feed: Feed,
        registry: KindRegistry,
        resources: MutableMapping[Kind, Resource],
        monotonic: Callable[[], float],
        webhooks: Webhooks,
        own_thread: OwnThread,
    ) -> None:
        self._feed = feed
        self._registry = registry
        self._resources = resources
        self._monotonic = monotonic
        self._webhooks = webhooks
        self._own_thread = own_thread
        self._served: dict[str, _Served] = {}
        # What the server has by itself is never served by a definition, nor are its keys touched.
        self._builtin = {(kind.group, kind.plural) for kind in registry.all()}
        self._builtin_prefixes = {kind.storage_prefix for kind in registry.all()}
        self.changed: Callable[[], None] = lambda: None

    def serves(self, crd: Object) -> bool:
        """Whether the kinds of just this state of the definition are served."""
        served = self._served.get(crd["metadata"]["name"])
        return served is not None and served.text == _text(crd)

    def terminating(self, kind: Kind) -> bool:
        """Whether the definition of a kind is being deleted."""
        served = self._served.get(kind.definition) if isinstance(kind, CustomKind) else None
        return served is not None and served.terminating

    def storage_resource(self, name: str) -> Resource | None:
        """A resource by which all objects of a definition are reached."""
        served = self._served.get(name)
        if served is None:
            return None
        return self._resources.get(next(kind for kind in served.kinds if kind.version == kind.stored_as))

    async def serve(self, crd: Object) -> None:
        """Serve the definition's kinds as they are now. Raises StoreError, and then serves what it did before."""
        name = crd["metadata"]["name"]
        deleting = bool(crd["metadata"].get("deletionTimestamp"))
        if self.serves(crd):
            self._served[name].terminating = deleting
            return
        kinds = [] if self._overlaps(crd) else await self._own_thread.when_long(kinds_of, crd)
        if not kinds:
            logger.warning("not serving %s: the server has such a resource by itself", name)
            return
        members = [self._cache(kind) for kind in kinds]
        prefix = f"/registry/{crd['spec']['group']}/{crd['spec']['names']['plural']}/"
        caches = VersionCaches(prefix, members)
        await self._feed.join(caches)
        before = self._served.get(name)
        self._served[name] = _Served(_text(crd), kinds, caches, deleting)
        webhook = kinds[0].webhook
        converter = None if webhook is None else Converter(self._webhooks, webhook)
        for kind, cache in zip(kinds, members, strict=True):
            self._resources[kind] = CustomResource(kind, cache, converter)
        self._forget(before.kinds if before is not None else [])
        self._publish()
        logger.info("serving %s: %s", name, ", ".join(kind.version for kind in kinds if kind.served) or "no version")

    def withdraw(self, name: str) -> None:
        """Serve a definition's kinds no more; their watches end."""
        served = self._served.pop(name, None)
        if served is None:
            return
        self._feed.leave(served.caches)
        self._forget(served.kinds)
        self._publish()
        logger.info("no longer serving %s", name)

    def names(self) -> list[str]:
        return list(self._served)

    def _overlaps(self, crd: Object) -> bool:
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        return (group, plural) in self._builtin or f"/registry/{group}/{plural}/" in self._builtin_prefixes

    def _cache(self, kind: CustomKind) -> ResourceCache:
        return ResourceCache(
            kind.storage_prefix,
            kind.namespaced,
            kind.selectable_fields,
            now=self._monotonic,
            load=lambda stored, revision: load(kind, stored, revision),
        )

    def _forget(self, kinds: list[CustomKind]) -> None:
        for kind in kinds:
            self._resources.pop(kind, None)

    def _publish(self) -> None:
        """The order is the same on every server, since entity tags are made of it."""
        kinds = [kind for served in self._served.values() for kind in served.kinds if kind.served]
        kinds.sort(key=lambda kind: (kind.group, version_order(kind.version), kind.plural))
        self._registry.replace_custom(kinds)
        self.changed()


def _text(crd: Object) -> bytes:
    """What the kinds of a definition depend on."""
    names = (crd.get("status") or {}).get("acceptedNames")
    return orjson.dumps([crd["spec"], names], option=orjson.OPT_SORT_KEYS)
