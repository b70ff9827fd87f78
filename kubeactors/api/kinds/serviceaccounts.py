"""ServiceAccount."""

from datetime import datetime
from typing import Any

from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), age(obj, now)]


KIND = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    short_names=("sa",),
    schema="io.k8s.api.core.v1.ServiceAccount",
    strategy=Strategy(),
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
    ),
    cells=_cells,
)
