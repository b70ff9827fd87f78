"""The other shapes in which objects are answered: PartialObjectMetadata and Table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kubeactors.api import table
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.api.row_template import Ages, row_template
from kubeactors.apiserver.long_document import LongDocument
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import Form, IncludeObject, Request
from kubeactors.apiserver.watchcache.record import Record

Clock = Callable[[], datetime]

_META = "meta.k8s.io/v1"
# Where an item's metadata begins.
_METADATA = len(b'{"metadata":')
# Rows that are rendered before others have a turn: a millisecond or, when they are new, some ten.
_TURN = 200
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


async def render_list(
    resource: Resource,
    items: Sequence[bytes],
    metadata: bytes,
    request: Request,
    clock: Clock,
    records: Sequence[Record] = (),
) -> LongDocument:
    """A list as PartialObjectMetadataList or Table; `metadata` is its ListMeta.

    `records`: those of the cache that the items are of, which keep what was worked out for the next list. Gives way to
    others now and then.
    """
    if len(records) != len(items):
        records = [resource.record("", 0, item) for item in items]
    if request.form is Form.PARTIAL:
        head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":%b,"items":' % metadata
        # Without items Kubernetes answers null here, though [] in lists of whole objects.
        if not records:
            return LongDocument(head + b"null}\n", (), b"")
        partials = await _in_turns(records, lambda some: [_partial(resource.kind, each) for each in some])
        return LongDocument(head + b"[", partials, b"]}\n")
    kind, include = resource.kind, request.options.include_object
    now = clock()
    table_document = table.make_table(kind, (), now, include_object=include.value)
    table_document["metadata"] = orjson.loads(metadata)
    if not records:
        return LongDocument(orjson.dumps(table_document) + b"\n", (), b"")
    del table_document["rows"]
    ages = Ages(now)
    rows = await _in_turns(records, lambda some: [_row(resource, record, include, ages) for record in some])
    return LongDocument(b'%b,"rows":[' % orjson.dumps(table_document)[:-1], rows, b"]}\n")


async def _in_turns(records: Sequence[Record], render: Callable[[Sequence[Record]], list[bytes]]) -> list[bytes]:
    """All of them rendered, some at a time. Records do not change meanwhile."""
    rendered = render(records[:_TURN])
    for start in range(_TURN, len(records), _TURN):
        await asyncio.sleep(0)
        rendered += render(records[start : start + _TURN])
    return rendered


def _row(resource: Resource, record: Record, include: IncludeObject, ages: Ages) -> bytes:
    template = record.row
    kind = resource.kind
    if template is None or template.kind is not kind:
        obj = resource.decode(record.item)
        if not resource.converts:
            _find_metadata(record, obj["metadata"])
        template = row_template(kind, obj)
        if template is None:
            return orjson.dumps(table.make_row(kind, obj, ages.now, include_object=include.value))
        record.row = template
    if include is IncludeObject.METADATA:
        if record.metadata_end and not kind.field_annotations:
            shown = record.item[_METADATA : record.metadata_end]
            return b"".join((*template.render(ages), _PARTIAL_HEAD, shown, b"}}"))
        return b"".join((*template.render(ages), _partial(kind, record), b"}"))
    shown = resource.whole(record.item) if include is IncludeObject.OBJECT else b"null"
    return b"".join((*template.render(ages), shown, b"}"))


def _partial(kind: Kind, record: Record) -> bytes:
    """PartialObjectMetadata of a record. Items begin with their metadata, so that is only cut out."""
    if kind.field_annotations:
        return partial(kind, record.item)
    if not record.metadata_end:
        metadata = orjson.loads(record.item)["metadata"]
        if not _find_metadata(record, metadata):
            return b"%b%b}" % (_PARTIAL_HEAD, orjson.dumps(metadata))
    return b"%b%b}" % (_PARTIAL_HEAD, record.item[_METADATA : record.metadata_end])


def _find_metadata(record: Record, metadata: Object) -> bool:
    """Note where the metadata, which was decoded from it, ends in a record's item. False for an item that another
    server wrote, in another style."""
    text = orjson.dumps(metadata)
    if not record.item.startswith(text, _METADATA):
        return False
    record.metadata_end = _METADATA + len(text)
    return True


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
