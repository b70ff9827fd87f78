"""Event of the core group."""

from kubeactors.api.kinds.kind import Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.event import event_cells

_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _fields(obj: Object) -> dict[str, str]:
    involved = obj.get("involvedObject") or {}
    fields = {f"involvedObject.{f}": involved.get(f) or "" for f in _INVOLVED}
    reporting = obj.get("reportingComponent") or ""
    fields["reason"] = obj.get("reason") or ""
    fields["reportingComponent"] = reporting
    fields["source"] = (obj.get("source") or {}).get("component") or reporting
    fields["type"] = obj.get("type") or ""
    return fields


KIND = Kind(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    short_names=("ev",),
    schema="io.k8s.api.core.v1.Event",
    strategy=Strategy(),
    field_labels=(*(f"involvedObject.{f}" for f in _INVOLVED), "reason", "reportingComponent", "source", "type"),
    field_values=_fields,
    legacy_field_errors=True,
    create_on_update=True,
    columns=(
        Column("Last Seen", doc="Event.lastTimestamp"),
        Column("Type", doc="Event.type"),
        Column("Reason", doc="Event.reason"),
        Column("Object", doc="Event.involvedObject"),
        Column("Subobject", priority=1, doc="ObjectReference.fieldPath"),
        Column("Source", priority=1, doc="Event.source"),
        Column("Message", doc="Event.message"),
        Column("First Seen", priority=1, doc="Event.firstTimestamp"),
        Column("Count", priority=1, doc="Event.count"),
        Column("Name", priority=1, format="name", doc="ObjectMeta.name"),
    ),
    cells=event_cells,
)
