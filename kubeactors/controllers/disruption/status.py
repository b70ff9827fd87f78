"""What a budget's status says of its pods. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubeactors.api.codec import copy
from kubeactors.api.disruption import ALLOWED, INSUFFICIENT, SUFFICIENT, SYNC_FAILED
from kubeactors.api.intstr import scaled
from kubeactors.api.meta import Object, is_deleting, name, parse_time, set_condition
from kubeactors.controllers.pods import is_ready

# How long an evicted pod may stay before the budget no longer counts it as gone.
DELETION_TIMEOUT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Aim:
    """How many pods there should be, and how many of them healthy."""

    expected: int
    desired: int


def needs_scale(budget: Object) -> bool:
    """Whether the aim depends on how many pods their controllers want."""
    spec = budget.get("spec") or {}
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def aim(budget: Object, pods: int, scale: int) -> Aim:
    """`pods` is how many there are, `scale` how many their controllers want."""
    spec = budget.get("spec") or {}
    unavailable, available = spec.get("maxUnavailable"), spec.get("minAvailable")
    if unavailable is not None:
        return Aim(scale, max(0, scale - scaled(unavailable, scale, round_up=True)))
    if isinstance(available, str):
        return Aim(scale, scaled(available, scale, round_up=True))
    return Aim(pods, available or 0)


def still_disrupted(budget: Object, pods: Sequence[Object], now: datetime) -> dict[str, str]:
    """The evicted pods that are not seen to go yet, with the times of their evictions."""
    noted: Mapping[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    present = {name(pod) for pod in pods if not is_deleting(pod)}
    return {pod: at for pod, at in noted.items() if pod in present and parse_time(at) + DELETION_TIMEOUT > now}


def recheck(disrupted: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until an eviction no longer counts; None when there is none."""
    if not disrupted:
        return None
    return max(0.0, (min(map(parse_time, disrupted.values())) + DELETION_TIMEOUT - now).total_seconds())


def budget_status(budget: Object, pods: Sequence[Object], target: Aim, now: datetime) -> Object:
    """The status as it is to be."""
    disrupted = still_disrupted(budget, pods, now)
    healthy = sum(is_ready(pod) and not is_deleting(pod) and name(pod) not in disrupted for pod in pods)
    allowed = max(0, healthy - target.desired) if target.expected > 0 else 0
    made = _with_status(budget)
    status = made["status"]
    status |= {
        "currentHealthy": healthy,
        "desiredHealthy": target.desired,
        "expectedPods": target.expected,
        "disruptionsAllowed": allowed,
        "observedGeneration": budget["metadata"].get("generation") or 0,
    }
    status.pop("disruptedPods", None)
    if disrupted:
        status["disruptedPods"] = disrupted
    _tell(made, allowed > 0, SUFFICIENT if allowed > 0 else INSUFFICIENT, "", now)
    return dict(status)


def failed_status(budget: Object, message: str, now: datetime) -> Object:
    """The status while it cannot be told how many pods are wanted: none may be evicted."""
    made = _with_status(budget)
    made["status"] |= {"disruptionsAllowed": 0, "observedGeneration": budget["metadata"].get("generation") or 0}
    _tell(made, False, SYNC_FAILED, message, now)
    return dict(made["status"])


def _with_status(budget: Object) -> Object:
    return {"metadata": budget["metadata"], "status": copy(budget.get("status") or {})}


def _tell(budget: Object, allowed: bool, reason: str, message: str, now: datetime) -> None:
    status = budget["status"]
    set_condition(budget, ALLOWED, "True" if allowed else "False", now=now, reason=reason, message=message)
    condition = next(c for c in status["conditions"] if c["type"] == ALLOWED)
    condition |= {"message": message, "observedGeneration": status["observedGeneration"]}
