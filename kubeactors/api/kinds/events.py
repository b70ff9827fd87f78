"""Event of the core group."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.event import event_cells
from kubeactors.api.validation.event import core_event_errors
from kubeactors.api.validation.names import path_segment_errors

INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT = "io.k8s.api.core.v1.Event"
EVENT_COLUMNS = (
    Column("Last Seen", doc=f"{_EVENT}.lastTimestamp"),
    Column("Type", doc=f"{_EVENT}.type"),
    Column("Reason", doc=f"{_EVENT}.reason"),
    Column("Object", doc=f"{_EVENT}.involvedObject"),
    Column("Subobject", priority=1, doc="io.k8s.api.core.v1.ObjectReference.fieldPath"),
    Column("Source", priority=1, doc=f"{_EVENT}.source"),
    Column("Message", doc=f"{_EVENT}.message"),
    Column("First Seen", priority=1, doc=f"{_EVENT}.firstTimestamp"),
    Column("Count", priority=1, doc=f"{_EVENT}.count"),
    Column("Name", priority=1, format="name", doc="ObjectMeta.name"),
)


class CoreEventStrategy(Strategy):
    metadata_rechecks = 0
    metadata_compared_twice = False
    finalizers_have_domains = False
    # Names of old clients were anything that fits into a URL.
    check_name = staticmethod(path_segment_errors)

    def validate_create(self, obj: Object) -> list[FieldError]:
        # The metadata is looked at when the rest is right.
        return self.validate(obj) or super().validate_create(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return core_event_errors(obj)


def event_fields(obj: Object) -> dict[str, str]:
    """What events of either group can be selected by, from the core form."""
    involved = obj.get("involvedObject") or {}
    fields = {f"involvedObject.{f}": involved.get(f) or "" for f in INVOLVED}
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
    schema=_EVENT,
    strategy=CoreEventStrategy(),
    field_labels=(*(f"involvedObject.{f}" for f in INVOLVED), "reason", "reportingComponent", "source", "type"),
    field_values=event_fields,
    legacy_field_errors=True,
    create_on_update=True,
    columns=EVENT_COLUMNS,
    cells=event_cells,
)
