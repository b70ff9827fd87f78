"""One version of a custom resource as the server holds it: what is stored is of one version and read as any."""

from __future__ import annotations

import orjson

from kubeactors.api.customresources.decoder import normalise
from kubeactors.api.customresources.defaulting import apply_defaults
from kubeactors.api.customresources.kinds import CustomKind
from kubeactors.api.meta import Object
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.storage.encoding import to_item, to_typed_stored
from kubeactors.apiserver.watchcache.cache import ResourceCache


class CustomResource(Resource):
    """Objects are stored with their apiVersion and kind, and so are the items of the cache."""

    __slots__ = ("_custom",)

    def __init__(self, kind: CustomKind, cache: ResourceCache) -> None:
        super().__init__(kind, cache)
        self._custom = kind
        self.head = b"{"

    def form(self, obj: Object) -> bytes:
        return to_typed_stored(obj)

    async def stored(self, form: bytes) -> bytes:
        return to_storage(self._custom, form)

    async def item(self, stored: bytes, revision: int) -> bytes:
        return load(self._custom, stored, revision)


def to_storage(kind: CustomKind, form: bytes) -> bytes:
    """A form of this version as it is stored: in the storage version, whose schema prunes it."""
    if kind.stored_as == kind.version:
        return form
    obj: Object = orjson.loads(form)
    obj["apiVersion"] = f"{kind.group}/{kind.stored_as}"
    normalise(obj, kind.schemas[kind.stored_as])
    return to_typed_stored(obj)


def load(kind: CustomKind, stored: bytes, revision: int) -> bytes:
    """The item of this version: defaulted by the version that it is stored in, pruned by its own. Raises ValueError."""
    item = to_item(stored, revision)  # refuses what is no object
    obj: Object = orjson.loads(stored)
    version = str(obj.get("apiVersion") or "").rpartition("/")[2]
    schema = kind.schemas.get(version)
    if schema is not None:
        apply_defaults(obj, schema)
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    normalise(obj, kind.structural)
    read = to_typed_stored(obj)
    return item if read == stored else to_item(read, revision)
