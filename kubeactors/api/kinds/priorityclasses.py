"""PriorityClass."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.priority_class import priority_class_errors, priority_class_update_errors


class PriorityClassStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False

    def default(self, obj: Object) -> None:
        obj.setdefault("preemptionPolicy", "PreemptLowerPriority")

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return priority_class_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return priority_class_update_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [
        name(obj),
        obj.get("value") or 0,
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy") or "",
    ]


KIND = Kind(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    namespaced=False,
    short_names=("pc",),
    schema="io.k8s.api.scheduling.v1.PriorityClass",
    strategy=PriorityClassStrategy(),
    columns=(
        NAME_COLUMN,
        Column("Value", "integer", doc="PriorityClass.value"),
        Column("Global-Default", "boolean", doc="PriorityClass.globalDefault"),
        AGE_COLUMN,
        Column("PreemptionPolicy", doc="PriorityClass.preemptionPolicy"),
    ),
    cells=_cells,
)
