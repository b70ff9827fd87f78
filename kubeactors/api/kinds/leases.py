"""Lease."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.lease import lease_errors


class LeaseStrategy(Strategy):
    metadata_rechecks = 1

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        _drop_gated(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        _drop_gated(new)

    def validate(self, obj: Object) -> list[FieldError]:
        return lease_errors(obj)


def _drop_gated(obj: Object) -> None:
    """Fields of coordinated leader election (KEP-4355), which is no stable feature."""
    for field in ("strategy", "preferredHolder"):
        obj["spec"].pop(field, None)


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age(obj, now)]


KIND = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    schema="io.k8s.api.coordination.v1.Lease",
    strategy=LeaseStrategy(),
    create_on_update=True,
    unconditional_update=False,
    columns=(
        NAME_COLUMN,
        Column("Holder", doc="LeaseSpec.holderIdentity"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
