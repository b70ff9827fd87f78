"""ConfigMap."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.data import config_map_errors, config_map_update_errors


class ConfigMapStrategy(Strategy):
    def validate(self, obj: Object) -> list[FieldError]:
        return config_map_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return config_map_update_errors(new, old)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, now)]


KIND = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    short_names=("cm",),
    schema="io.k8s.api.core.v1.ConfigMap",
    strategy=ConfigMapStrategy(),
    legacy_field_errors=False,
    columns=(
        NAME_COLUMN,
        Column("Data", doc="ConfigMap.data"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
