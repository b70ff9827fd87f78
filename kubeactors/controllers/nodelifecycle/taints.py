"""Which taints a node's conditions ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from kubeactors.api.meta import Object, get_condition, now_rfc3339

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

# condition type → status → taint key
_BY_CONDITION = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
}
_NO_SCHEDULE_KEYS = frozenset(key for keys in _BY_CONDITION.values() for key in keys.values()) | {UNSCHEDULABLE}


def no_schedule_keys(node: Object) -> set[str]:
    """The keys that the node should have with the effect NoSchedule."""
    wanted = set()
    for kind, keys in _BY_CONDITION.items():
        condition = get_condition(node, kind)
        if condition is not None and condition.get("status") in keys:
            wanted.add(keys[condition["status"]])
    spec = node.get("spec") or {}
    if spec.get("unschedulable"):
        wanted.add(UNSCHEDULABLE)
    if get_condition(node, "Ready") is None:
        # It has not said anything yet: what it got when it was created stays.
        taints = [(taint["key"], taint["effect"]) for taint in spec.get("taints") or ()]
        wanted |= {NOT_READY} if (NOT_READY, "NoSchedule") in taints else set()
    return wanted


def no_execute_key(node: Object) -> str | None:
    """The key that the node should have with the effect NoExecute; None for a node that is ready."""
    status = (get_condition(node, "Ready") or {}).get("status")
    return _BY_CONDITION["Ready"].get(str(status)) if status is not None else None


def with_taints(node: Object, no_schedule: Iterable[str], no_execute: str | None, now: datetime) -> list[Object] | None:
    """The node's taints with ours as given and others untouched; None if that changes nothing.

    Taints that are there already keep the time when they came.
    """
    present = list((node.get("spec") or {}).get("taints") or [])
    wanted = {(key, "NoSchedule") for key in no_schedule}
    if no_execute is not None:
        wanted.add((no_execute, "NoExecute"))
    ours = {(key, "NoSchedule") for key in _NO_SCHEDULE_KEYS} | {(NOT_READY, "NoExecute"), (UNREACHABLE, "NoExecute")}
    kept = [t for t in present if (t["key"], t["effect"]) not in ours or (t["key"], t["effect"]) in wanted]
    missing = wanted - {(t["key"], t["effect"]) for t in kept}
    stamp = now_rfc3339(now)
    kept += [{"key": key, "effect": effect, "timeAdded": stamp} for key, effect in sorted(missing)]
    return None if kept == present else kept
