"""ResourceClaim."""

from datetime import datetime
from typing import Any

from kubeactors.api.defaults.resource import default_claim
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, STATUS_VERBS, Column, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object, is_deleting
from kubeactors.api.printers.text import age, name
from kubeactors.api.validation.resource.claim import claim_errors, claim_update_errors
from kubeactors.api.validation.resource.status import claim_status_errors


class ResourceClaimStrategy(Strategy):
    may_take_long = True
    has_status = True

    def default(self, obj: Object) -> None:
        default_claim(obj["spec"])

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {}
        drop_derived_attributes(obj["spec"])

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        drop_derived_attributes(new["spec"])

    def validate(self, obj: Object) -> list[FieldError]:
        return claim_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return claim_update_errors(new, old)


class ResourceClaimStatusStrategy(StatusStrategy):
    """What drivers reported goes with the allocation that it was about."""

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        status, before = new.get("status") or {}, old.get("status") or {}
        if before.get("allocation") is not None and status.get("allocation") is None:
            reported = {_device(d) for d in before["allocation"].get("devices", {}).get("results") or ()}
            left = [d for d in status.get("devices") or () if _device(d) not in reported]
            if left:
                status["devices"] = left
            else:
                status.pop("devices", None)


def drop_derived_attributes(spec: dict[str, Any]) -> None:
    """They are no stable feature."""
    for request in (spec.get("devices") or {}).get("requests") or ():
        for wanted in (request.get("exactly") or {}, *(request.get("firstAvailable") or ())):
            wanted.pop("derivedAttributes", None)


def _device(device: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(device.get(field) for field in ("driver", "pool", "device", "shareID"))


def _state(obj: Object) -> str:
    status = obj.get("status") or {}
    words = ["deleted"] if is_deleting(obj) else []
    if status.get("allocation") is None:
        return ",".join(words or ["pending"])
    return ",".join([*words, "allocated", *(["reserved"] if status.get("reservedFor") else [])])


def _cells(obj: Object, now: datetime) -> list[Any]:
    return [name(obj), _state(obj), age(obj, now)]


_STRATEGY = ResourceClaimStrategy()

KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaim",
    plural="resourceclaims",
    schema="io.k8s.api.resource.v1.ResourceClaim",
    strategy=_STRATEGY,
    subresources=(
        Subresource(
            "status",
            STATUS_VERBS,
            strategy=ResourceClaimStatusStrategy(_STRATEGY, validate=claim_status_errors, keep_metadata=True),
        ),
    ),
    columns=(
        NAME_COLUMN,
        Column("State", description="A summary of the current state (allocated, pending, reserved, etc.)."),
        AGE_COLUMN,
    ),
    cells=_cells,
)
