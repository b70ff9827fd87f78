"""ServiceAccount."""

from datetime import datetime
from typing import Any

from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Kind, Subresource
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
    subresources=(
        Subresource(
            "token",
            ("create",),
            kind="TokenRequest",
            group="authentication.k8s.io",
            version="v1",
            schema="io.k8s.api.authentication.v1.TokenRequest",
        ),
    ),
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
    ),
    cells=_cells,
)
