"""Is a node alive? Judged by when its Lease or its status last changed, by our own clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kubeactors.api.meta import Object, get_condition, now_rfc3339

# Conditions that only the node's agent can know.
_REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True)
class Heartbeat:
    """The last sign of life: what it was, and when it was seen (monotonic seconds)."""

    sign: tuple[str, str]  # renewTime of the Lease, lastHeartbeatTime of the Ready condition
    seen: float


def heartbeat(before: Heartbeat | None, node: Object, lease: Object | None, clock: float) -> Heartbeat:
    """Take note of a new sign of life. Clocks of nodes are not compared with ours: a change is what counts."""
    ready = get_condition(node, "Ready") or {}
    renewed = str(((lease or {}).get("spec") or {}).get("renewTime") or "")
    sign = (renewed, str(ready.get("lastHeartbeatTime") or ""))
    if before is None or before.sign != sign:
        return Heartbeat(sign, clock)
    return before


def is_silent(node: Object, last: Heartbeat, clock: float, grace: float, startup_grace: float) -> bool:
    """Whether the node has been silent for longer than it may. A node that never reported gets `startup_grace`."""
    allowed = grace if get_condition(node, "Ready") is not None else startup_grace
    return clock - last.seen > allowed


def ready_status(node: Object) -> str:
    """True, False or Unknown; Unknown without a condition."""
    return str((get_condition(node, "Ready") or {}).get("status") or "Unknown")


def unknown_conditions(node: Object, now: datetime) -> list[Object]:
    """The conditions of a silent node that must change: those not Unknown yet."""
    stamp = now_rfc3339(now)
    changed: list[Object] = []
    for kind in _REPORTED:
        present = get_condition(node, kind)
        if present is None:
            changed.append(
                {
                    "type": kind,
                    "status": "Unknown",
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                    "lastHeartbeatTime": node["metadata"].get("creationTimestamp") or stamp,
                    "lastTransitionTime": stamp,
                }
            )
        elif present.get("status") != "Unknown":
            changed.append(
                {
                    **present,
                    "status": "Unknown",
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                    "lastTransitionTime": stamp,
                }
            )
    return changed


def all_nodes_down(nodes: Iterable[Object]) -> bool:
    """Whether no node is ready: then it is more likely that we cannot see them than that all have died."""
    statuses = [ready_status(node) for node in nodes]
    return bool(statuses) and "True" not in statuses
