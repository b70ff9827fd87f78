"""One version of a custom resource as the server holds it: what is stored is of one version and read as any."""

from __future__ import annotations

from collections import OrderedDict

import orjson

from kubeactors.api.customresources.decoder import normalise
from kubeactors.api.customresources.defaulting import apply_defaults
from kubeactors.api.customresources.kinds import CustomKind
from kubeactors.api.meta import Object
from kubeactors.apiserver.customresources.webhook import Converter
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.storage.encoding import to_item, to_typed_stored
from kubeactors.apiserver.watchcache.cache import ResourceCache

#: Bytes of converted objects that are kept for each version.
_MAX_KEPT = 16 * 1024 * 1024


class CustomResource(Resource):
    """Objects are stored with their apiVersion and kind, and so are the items of the cache.

    With a `converter` the items of the cache may be of another version, as they are stored; `present` converts them.
    """

    __slots__ = ("_converter", "_custom", "_kept", "_kept_bytes", "_tail")

    def __init__(self, kind: CustomKind, cache: ResourceCache, converter: Converter | None = None) -> None:
        super().__init__(kind, cache)
        self._custom = kind
        self._converter = converter
        self._tail = b',"apiVersion":%b,"kind":%b}' % (orjson.dumps(kind.api_version), orjson.dumps(kind.kind))
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._kept_bytes = 0
        self.head = b"{"

    @property
    def asks_webhook(self) -> bool:
        return self._converter is not None

    def form(self, obj: Object) -> bytes:
        return to_typed_stored(obj)

    async def stored(self, form: bytes) -> bytes:
        """A form of this version as it is stored: in the storage version, whose schema prunes it."""
        kind = self._custom
        if kind.stored_as == kind.version:
            return form
        obj: Object = orjson.loads(form)
        wanted = f"{kind.group}/{kind.stored_as}"
        if self._converter is not None:
            (obj,) = await self._converter.convert([obj], wanted)
        obj["apiVersion"] = wanted
        normalise(obj, kind.schemas[kind.stored_as])
        return to_typed_stored(obj)

    async def item(self, stored: bytes, revision: int) -> bytes:
        item = load(self._custom, stored, revision)
        return item if self._converter is None else (await self.present([item]))[0]

    async def present(self, items: list[bytes]) -> list[bytes]:
        """The items in this version. All that were not converted before go to the webhook at once."""
        if self._converter is None:
            return items
        found: dict[bytes, bytes] = {}
        foreign: dict[bytes, None] = {}
        for item in items:
            if not item.endswith(self._tail):
                known = self._kept.get(item)
                if known is None:
                    foreign[item] = None
                else:
                    found[item] = known
        if foreign:
            objects = await self._converter.convert([orjson.loads(item) for item in foreign], self.kind.api_version)
            for item, obj in zip(foreign, objects, strict=True):
                revision = int(obj["metadata"].pop("resourceVersion"))
                normalise(obj, self._custom.structural)
                found[item] = to_item(to_typed_stored(obj), revision)
                self._keep(item, found[item])
        return [found.get(item, item) for item in items]

    def _keep(self, item: bytes, converted: bytes) -> None:
        """Keep a conversion for the next time; the oldest go when there are too many."""
        if item not in self._kept:
            self._kept[item] = converted
            self._kept_bytes += len(item) + len(converted)
        while self._kept_bytes > _MAX_KEPT:
            old, gone = self._kept.popitem(last=False)
            self._kept_bytes -= len(old) + len(gone)


def load(kind: CustomKind, stored: bytes, revision: int) -> bytes:
    """The item of this version: defaulted by the version that it is stored in, pruned by its own. Raises ValueError.

    What only a webhook can convert stays in the version that it is stored in.
    """
    item = to_item(stored, revision)  # refuses what is no object
    obj: Object = orjson.loads(stored)
    version = str(obj.get("apiVersion") or "").rpartition("/")[2]
    schema = kind.schemas.get(version)
    if schema is not None:
        apply_defaults(obj, schema)
    if kind.webhook is None or version == kind.version:
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
        schema = kind.structural
    if schema is not None:
        normalise(obj, schema)
    read = to_typed_stored(obj)
    return item if read == stored else to_item(read, revision)
