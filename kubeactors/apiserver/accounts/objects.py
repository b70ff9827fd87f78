"""The objects that tokens name: from the watch cache, and from the store where the cache may lag."""

from __future__ import annotations

from collections.abc import Mapping

from kubeactors.api.meta import Object
from kubeactors.apiserver.registry.objects import Objects
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.watchcache.record import Record

#: The resources of the core group that a token can name.
NAMED = ("serviceaccounts", "pods", "secrets", "nodes")


class NamedObjects:
    """`resources`: each of `NAMED` by its plural."""

    def __init__(self, resources: Mapping[str, Resource], objects: Objects) -> None:
        self._resources = resources
        self._objects = objects

    def record(self, plural: str, namespace: str, name: str) -> Record | None:
        """What the cache has: the same record as long as the object does not change."""
        return self._resources[plural].cache.get(namespace, name)

    async def present(self, plural: str, namespace: str, name: str) -> Object | None:
        """What the store has."""
        return (await self._objects.present(self._resources[plural], namespace, name)).obj
