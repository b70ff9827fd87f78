"""Event of events.k8s.io: another face of the core group's."""

from datetime import datetime
from typing import Any

from kubeactors.api.events import from_core, to_core
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.events import EVENT_COLUMNS, INVOLVED, event_fields
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.event import event_cells
from kubeactors.api.validation.event import event_errors, event_update_errors


class EventStrategy(Strategy):
    metadata_rechecks = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return event_errors(to_core(obj))

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return event_update_errors(to_core(new), to_core(old))


class _CoreForm:
    """Events are stored as the core group's."""

    def to_stored(self, obj: Object) -> Object:
        return to_core(obj)

    def from_stored(self, obj: Object) -> None:
        from_core(obj)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return event_cells(to_core(obj), now)


KIND = Kind(
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    short_names=("ev",),
    schema="io.k8s.api.events.v1.Event",
    strategy=EventStrategy(),
    field_labels=("reason", "type"),
    field_aliases={f"regarding.{f}": f"involvedObject.{f}" for f in INVOLVED}
    | {"reportingController": "reportingComponent"},
    field_values=event_fields,
    legacy_field_errors=True,
    create_on_update=True,
    conversion=_CoreForm(),
    columns=EVENT_COLUMNS,
    cells=_cells,
)
