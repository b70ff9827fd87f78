"""ConfigMap."""

from datetime import datetime
from typing import Any

from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, now)]


KIND = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    short_names=("cm",),
    schema="io.k8s.api.core.v1.ConfigMap",
    strategy=Strategy(),
    legacy_field_errors=False,
    columns=(
        NAME_COLUMN,
        Column("Data", doc="ConfigMap.data"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
