"""ResourceSlice."""

from datetime import datetime
from typing import Any

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.resource.slice import slice_errors

_LISTS = ("bools", "ints", "strings", "versions")


class ResourceSliceStrategy(Strategy):
    metadata_rechecks = 1
    namespaced = False
    generation_fields = ("spec",)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        _complete(obj, now)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        _complete(new, now)
        super().prepare_for_update(new, old, now)

    def validate(self, obj: Object) -> list[FieldError]:
        return slice_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return slice_errors(new, old)


def _complete(obj: Object, now: datetime) -> None:
    """Date taints, and drop attributes that are lists, which are no stable feature."""
    for device in obj["spec"].get("devices") or ():
        for taint in device.get("taints") or ():
            taint.setdefault("timeAdded", now_rfc3339(now))
        for attribute in (device.get("attributes") or {}).values():
            for field in _LISTS:
                attribute.pop(field, None)


def _fields(obj: Object) -> dict[str, str]:
    spec = obj.get("spec") or {}
    return {
        "spec.driver": spec.get("driver") or "",
        "spec.nodeName": spec.get("nodeName") or "",
        "spec.pool.name": (spec.get("pool") or {}).get("name") or "",
    }


def _cells(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    pool = (spec.get("pool") or {}).get("name") or ""
    return [name(obj), spec.get("nodeName") or "", spec.get("driver") or "", pool, age(obj, now)]


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    namespaced=False,
    schema="io.k8s.api.resource.v1.ResourceSlice",
    strategy=ResourceSliceStrategy(),
    field_labels=("spec.driver", "spec.nodeName", "spec.pool.name"),
    field_values=_fields,
    legacy_field_errors=True,
    columns=(
        NAME_COLUMN,
        Column("Node", doc="ResourceSliceSpec.nodeName"),
        Column("Driver", doc="ResourceSliceSpec.driver"),
        Column("Pool", doc="ResourcePool.name"),
        AGE_COLUMN,
    ),
    cells=_cells,
)
