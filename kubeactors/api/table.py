"""Table and PartialObjectMetadata: what kubectl asks for instead of whole objects (meta.k8s.io/v1)."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from kubeactors.api import errors
from kubeactors.api.kinds.kind import NAME_COLUMN, Column, Kind
from kubeactors.api.meta import Object
from kubeactors.api.schema.types import Struct, struct

META_V1: Final = "meta.k8s.io/v1"
INCLUDE_OBJECT: Final = ("None", "Metadata", "Object")

_CREATED_AT: Final = Column("Created At", "date", doc="ObjectMeta.creationTimestamp")


def make_table(
    kind: Kind,
    objects: Iterable[Object],
    now: datetime,
    *,
    include_object: str = "",
    list_metadata: dict[str, Any] | None = None,
    api_version: str = META_V1,
    with_definitions: bool = True,
) -> Object:
    """The objects as a Table. `list_metadata` becomes its metadata: resourceVersion, continue, remainingItemCount.

    Watch events after the first leave the column definitions out. Raises StatusError for a bad `include_object`.
    """
    check_include_object(include_object)
    rows = [make_row(kind, obj, now, include_object=include_object, api_version=api_version) for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": list_metadata or {},
        "columnDefinitions": column_definitions(kind) if with_definitions else None,
        # Kubernetes' general printer, which kinds without one of their own get, leaves the rows of no objects unset.
        "rows": None if kind.cells is None and not rows else rows,
    }


def make_row(
    kind: Kind, obj: Object, now: datetime, *, include_object: str = "", api_version: str = META_V1
) -> dict[str, Any]:
    """One row: cells, row conditions if any, and as much of the object as was asked for."""
    row: dict[str, Any] = {"cells": cells(kind, obj, now)}
    conditions = kind.row_conditions(obj)
    if conditions:
        row["conditions"] = conditions
    if include_object == "Object":
        row["object"] = obj
    elif include_object == "None":
        row["object"] = None
    else:
        row["object"] = partial_object_metadata(kind, obj, api_version=api_version)
    return row


def check_include_object(value: str) -> None:
    """Raises StatusError (400) for what is no value of the includeObject parameter."""
    if value and value not in INCLUDE_OBJECT:
        raise errors.bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{value}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )


def cells(kind: Kind, obj: Object, now: datetime) -> list[Any]:
    """The cells of one object in the order of the kind's columns."""
    if kind.cells is not None:
        return kind.cells(obj, now)
    meta = obj.get("metadata") or {}
    return [meta.get("name") or "", meta.get("creationTimestamp")]


def partial_object_metadata(kind: Kind, obj: Object, *, api_version: str = META_V1) -> Object:
    """The object's metadata alone; shares it with the object."""
    metadata = partial_metadata(kind, obj.get("metadata") or {})
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": metadata}


def partial_metadata(kind: Kind, metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata as PartialObjectMetadata has it."""
    annotations = metadata.get("annotations") if kind.field_annotations else None
    if not annotations or kind.field_annotations.isdisjoint(annotations):
        return metadata
    left = {k: v for k, v in annotations.items() if k not in kind.field_annotations}
    kept = {k: v for k, v in metadata.items() if k != "annotations"}
    return {**kept, "annotations": left} if left else kept


@lru_cache(maxsize=1024)
def _definitions(kind: Kind) -> tuple[dict[str, Any], ...]:
    columns = kind.columns or (NAME_COLUMN, _CREATED_AT)
    return tuple(
        {
            "name": c.name,
            "type": c.type,
            "format": c.format,
            "description": c.description or _description(kind, c.doc),
            "priority": c.priority,
        }
        for c in columns
    )


def column_definitions(kind: Kind) -> list[dict[str, Any]]:
    """The Table's columnDefinitions."""
    return list(_definitions(kind))


def _description(kind: Kind, doc: str) -> str:
    """The schema's description of `Type.field`; types without a dot are of the kind's own package. None: empty."""
    if not doc:
        return ""
    owner, _, field = doc.rpartition(".")
    name = owner
    if owner == "ObjectMeta":
        name = f"io.k8s.apimachinery.pkg.apis.meta.v1.{owner}"
    elif "." not in owner:
        name = f"{kind.schema.rpartition('.')[0]}.{owner}"
    found: Struct = struct(name)
    return found.fields[field].description
