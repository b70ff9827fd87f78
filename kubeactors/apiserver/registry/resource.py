"""One resource as the server holds it: the kind, its cache, and the bytes that stand before its objects."""

from __future__ import annotations

import orjson

from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.apiserver.storage.encoding import decode_item, wire_head
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.record import Record


class Resource:
    """A kind that is served. Kinds of one resource in several versions share the cache, not the Resource."""

    __slots__ = ("cache", "head", "kind", "list_head", "prefix")

    def __init__(self, kind: Kind, cache: ResourceCache) -> None:
        self.kind = kind
        self.cache = cache
        self.prefix = kind.storage_prefix
        self.head = wire_head(kind.api_version, kind.kind)
        self.list_head = b'{"kind":%b,"apiVersion":%b,' % (
            orjson.dumps(kind.list_kind),
            orjson.dumps(kind.api_version),
        )

    def key(self, namespace: str, name: str) -> bytes:
        """Where the object lies in the store."""
        return self.kind.storage_key(namespace, name).encode()

    def decode(self, item: bytes) -> Object:
        """A fresh dictionary of a whole object."""
        return decode_item(item, self.kind.api_version, self.kind.kind)

    def record(self, path: str, revision: int, item: bytes) -> Record:
        """A record of an object that is not in the cache (a state of the past)."""
        namespace, _, name = path.rpartition("/")
        return Record(namespace, name, revision, item, self.kind.selectable_fields)
