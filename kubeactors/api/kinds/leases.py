"""Lease."""

from datetime import datetime
from typing import Any

from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age(obj, now)]


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    schema="io.k8s.api.coordination.v1.Lease",
    strategy=Strategy(),
    create_on_update=True,
    columns=(
        NAME_COLUMN,
        Column("Holder", doc="LeaseSpec.holderIdentity"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
