"""The other shapes in which objects are answered: PartialObjectMetadata and Table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kubeactors.api import table
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import Form, IncludeObject, Request

Clock = Callable[[], datetime]

_META = "meta.k8s.io/v1"
_PARTIAL_HEAD = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


def partial(document: bytes) -> bytes:
    """PartialObjectMetadata of an object or item."""
    return b"%b%b}" % (_PARTIAL_HEAD, orjson.dumps(orjson.loads(document)["metadata"]))


def render_one(resource: Resource, item: bytes, request: Request, clock: Clock) -> bytes:
    """One object as PartialObjectMetadata or Table."""
    if request.form is Form.PARTIAL:
        return partial(item)
    return render_object(resource.kind, resource.decode(item), request, clock)


def render_object(kind: Kind, obj: Object, request: Request, clock: Clock) -> bytes:
    """The same for an object that is decoded already."""
    if request.form is Form.PARTIAL:
        return b"%b%b}" % (_PARTIAL_HEAD, orjson.dumps(obj["metadata"]))
    return _table(kind, [obj], _version(obj), request.options.include_object, clock)


def render_list(resource: Resource, items: Sequence[bytes], metadata: bytes, request: Request, clock: Clock) -> bytes:
    """A list as PartialObjectMetadataList or Table; `metadata` is its ListMeta."""
    if request.form is Form.PARTIAL:
        # Without items Kubernetes answers null here, though [] in lists of whole objects.
        parts = b"[%b]" % b",".join(map(partial, items)) if items else b"null"
        head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":'
        return b'%b%b,"items":%b}' % (head, metadata, parts)
    objects = [resource.decode(item) for item in items]
    return _table(resource.kind, objects, orjson.loads(metadata), request.options.include_object, clock)


def table_row(resource: Resource, whole: bytes, request: Request, clock: Clock, *, columns: bool) -> bytes:
    """A Table of one object for a watch event; the column definitions only if `columns`."""
    obj = orjson.loads(whole)
    return _table(resource.kind, [obj], _version(obj), request.options.include_object, clock, columns=columns)


def bookmark(resource: Resource, metadata: dict[str, Any], form: Form) -> bytes:
    """The object of a BOOKMARK event: nothing but a version."""
    if form is Form.PARTIAL:
        return orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": metadata})
    if form is Form.TABLE:
        return orjson.dumps(
            {"kind": "Table", "apiVersion": _META, "metadata": metadata, "columnDefinitions": [], "rows": []}
        )
    kind = resource.kind
    return orjson.dumps({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})


def _version(obj: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a Table of one object; what is not stored (a dry run's) has no version."""
    version = obj["metadata"].get("resourceVersion")
    return {"resourceVersion": version} if version else {}


def _table(
    kind: Kind,
    objects: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    include: IncludeObject,
    clock: Clock,
    *,
    columns: bool = True,
) -> bytes:
    made = table.make_table(
        kind,
        objects,
        clock(),
        include_object=include.value,
        list_metadata=metadata,
        with_definitions=columns,
    )
    return orjson.dumps(made)
