"""RuntimeClass."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.label_warnings import deprecated_label
from kubeactors.api.validation.runtime_class import runtime_class_errors, runtime_class_update_errors


class RuntimeClassStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False

    def warnings_on_create(self, obj: Object) -> list[str]:
        selected = (obj.get("scheduling") or {}).get("nodeSelector") or {}
        advised = [(label, deprecated_label(label)) for label in sorted(selected)]
        return [f"scheduling.nodeSelector: {advice}" for label, advice in advised if advice]

    def validate(self, obj: Object) -> list[FieldError]:
        return runtime_class_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return runtime_class_update_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), obj.get("handler") or "", age(obj, now)]


KIND = Kind(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    namespaced=False,
    schema="io.k8s.api.node.v1.RuntimeClass",
    strategy=RuntimeClassStrategy(),
    unconditional_update=False,
    # The column has no description in Kubernetes either.
    columns=(NAME_COLUMN, Column("Handler"), AGE_COLUMN),
    cells=_cells,
)
