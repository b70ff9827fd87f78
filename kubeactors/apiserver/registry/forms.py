"""The other shapes in which objects are answered: PartialObjectMetadata and Table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kubeactors.api import table
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.api.row_template import row_template
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import Form, IncludeObject, Request
from kubeactors.apiserver.watchcache.record import Record

Clock = Callable[[], datetime]

_META = "meta.k8s.io/v1"
# Where an item's metadata begins.
_METADATA = len(b'{"metadata":')
_PARTIAL_HEAD = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


def partial(kind: Kind, document: bytes) -> bytes:
    """PartialObjectMetadata of an object or item."""
    metadata = table.partial_metadata(kind, orjson.loads(document)["metadata"])
    return b"%b%b}" % (_PARTIAL_HEAD, orjson.dumps(metadata))


def render_one(resource: Resource, item: bytes, request: Request, clock: Clock) -> bytes:
    """One object as PartialObjectMetadata or Table."""
    if request.form is Form.PARTIAL:
        return partial(resource.kind, item)
    return render_object(resource.kind, resource.decode(item), request, clock)


def render_object(kind: Kind, obj: Object, request: Request, clock: Clock) -> bytes:
    """The same for an object that is decoded already."""
    if request.form is Form.PARTIAL:
        return b"%b%b}" % (_PARTIAL_HEAD, orjson.dumps(table.partial_metadata(kind, obj["metadata"])))
    return _table(kind, [obj], _version(obj), request.options.include_object, clock)


def render_list(
    resource: Resource,
    items: Sequence[bytes],
    metadata: bytes,
    request: Request,
    clock: Clock,
    records: Sequence[Record] = (),
) -> bytes:
    """A list as PartialObjectMetadataList or Table; `metadata` is its ListMeta.

    `records`: those of the cache that the items are of, which keep what was worked out for the next list.
    """
    if len(records) != len(items):
        records = [resource.record("", 0, item) for item in items]
    if request.form is Form.PARTIAL:
        # Without items Kubernetes answers null here, though [] in lists of whole objects.
        parts = b"[%b]" % b",".join(_partial(resource.kind, each) for each in records) if records else b"null"
        head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":'
        return b'%b%b,"items":%b}' % (head, metadata, parts)
    kind, include = resource.kind, request.options.include_object
    table_document = table.make_table(kind, (), clock(), include_object=include.value)
    table_document["metadata"] = orjson.loads(metadata)
    if not records:
        return orjson.dumps(table_document)
    del table_document["rows"]
    now = clock()
    rows = b",".join([_row(resource, record, include, now) for record in records])
    return b'%b,"rows":[%b]}' % (orjson.dumps(table_document)[:-1], rows)


def _row(resource: Resource, record: Record, include: IncludeObject, now: datetime) -> bytes:
    template = record.row
    if template is None or template.kind is not resource.kind:
        obj = resource.decode(record.item)
        template = row_template(resource.kind, obj)
        if template is None:
            return orjson.dumps(table.make_row(resource.kind, obj, now, include_object=include.value))
        record.row = template
    if include is IncludeObject.METADATA:
        shown = _partial(resource.kind, record)
    elif include is IncludeObject.OBJECT:
        shown = resource.whole(record.item)
    else:
        shown = b"null"
    return b"%b%b}" % (template.render(now), shown)


def _partial(kind: Kind, record: Record) -> bytes:
    """PartialObjectMetadata of a record. Items begin with their metadata, so that is only cut out."""
    if kind.field_annotations:
        return partial(kind, record.item)
    end = record.metadata_end
    if not end:
        text = orjson.dumps(orjson.loads(record.item)["metadata"])
        if not record.item.startswith(text, _METADATA):
            return b"%b%b}" % (_PARTIAL_HEAD, text)  # written by another server, in another style
        end = record.metadata_end = _METADATA + len(text)
    return b"%b%b}" % (_PARTIAL_HEAD, record.item[_METADATA:end])


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
