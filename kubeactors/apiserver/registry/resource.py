"""One resource as the server holds it: the kind, its cache, and the bytes that stand before its objects."""

from __future__ import annotations

import orjson

from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.apiserver.storage.encoding import decode_item, to_item, to_stored, to_wire, wire_head
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.record import Record


class Resource:
    """A kind that is served. Kinds of one resource in several versions share the cache, not the Resource.

    Items are in the form of the version that is stored. Where the kind is another one (it has a `conversion`) they are
    decoded on their way out; all other kinds' bytes are only put together.
    """

    __slots__ = ("_conversion", "cache", "head", "kind", "list_head", "prefix")

    def __init__(self, kind: Kind, cache: ResourceCache) -> None:
        self.kind = kind
        self.cache = cache
        self._conversion = kind.conversion
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
        obj = decode_item(item, self.kind.api_version, self.kind.kind)
        if self._conversion is not None:
            self._conversion.from_stored(obj)
        return obj

    def form(self, obj: Object) -> bytes:
        """An object as the items of this resource show it, without its revision: equal forms are equal objects."""
        return to_stored(obj if self._conversion is None else self._conversion.to_stored(obj))

    def whole(self, item: bytes) -> bytes:
        """The whole object as it goes over the wire."""
        return to_wire(self.head, item) if self._conversion is None else orjson.dumps(self.decode(item))

    def listed(self, item: bytes) -> bytes:
        """The object as a list carries it, without kind and version."""
        if self._conversion is None:
            return item
        obj = self.decode(item)
        del obj["kind"], obj["apiVersion"]
        return orjson.dumps(obj)

    @property
    def converts(self) -> bool:
        """Whether items are in another version's form."""
        return self._conversion is not None

    @property
    def asks_webhook(self) -> bool:
        """Whether items of the cache may be of another version, from which only a webhook converts them."""
        return False

    async def stored(self, form: bytes) -> bytes:
        """What to store for a form. Raises StatusError."""
        return form

    async def item(self, stored: bytes, revision: int) -> bytes:
        """An item of what is stored. Raises StatusError."""
        return to_item(stored, revision)

    async def present(self, items: list[bytes]) -> list[bytes]:
        """Items of the cache in this resource's version. Raises StatusError."""
        return items

    def record(self, path: str, revision: int, item: bytes) -> Record:
        """A record of an object that is not in the cache (a state of the past)."""
        namespace, _, name = path.rpartition("/")
        return Record(namespace, name, revision, item, self.kind.selectable_fields)
