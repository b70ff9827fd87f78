"""The priority classes as admission asks for them: from the watch cache, each decoded once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kubeactors.api.meta import Object
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.matcher import Matcher

_ALL = Matcher()


class CachedPriorityClasses:
    """`present(name)` reads the store: a class may be younger than what the cache has seen."""

    def __init__(self, cache: ResourceCache, present: Callable[[str], Awaitable[Object | None]]) -> None:
        self._cache = cache
        self._present = present
        self._decoded: dict[str, tuple[int, Object]] = {}

    async def find(self, name: str) -> Object | None:
        record = self._cache.get("", name)
        return record.decode() if record is not None else await self._present(name)

    def default(self) -> Object | None:
        if len(self._decoded) > len(self._cache):
            self._decoded.clear()
        marked = []
        for record in self._cache.select(_ALL):
            known = self._decoded.get(record.name)
            if known is None or known[0] != record.revision:
                known = self._decoded[record.name] = (record.revision, record.decode())
            if known[1].get("globalDefault"):
                marked.append(known[1])
        return min(marked, key=lambda each: each.get("value") or 0, default=None)
