"""DeviceClass."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.resource.claim import device_class_errors


class DeviceClassStrategy(Strategy):
    may_take_long = True
    namespaced = False
    generation_fields = ("spec",)

    def validate(self, obj: Object) -> list[FieldError]:
        return device_class_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return device_class_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), age(obj, now)]


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    namespaced=False,
    schema="io.k8s.api.resource.v1.DeviceClass",
    strategy=DeviceClassStrategy(),
    columns=(NAME_COLUMN, AGE_COLUMN),
    cells=_cells,
)
