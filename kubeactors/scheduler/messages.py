"""What the scheduler tells users, in kube-scheduler's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from kubeactors.scheduler.columns import Columns
from kubeactors.scheduler.placement import Failure
from kubeactors.scheduler.shape import Shape

NO_NODES = "no nodes available to schedule pods"


def _histogram(nodes: int, reasons: Mapping[str, int]) -> str:
    parts = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"0/{nodes} nodes are available: {', '.join(parts)}."


def unschedulable_message(failure: Failure, shape: Shape, columns: Columns) -> str:
    """Why a pod fits nowhere, and whether taking other pods away would help it."""
    if failure.nodes == 0:
        return NO_NODES
    return (
        f"{_histogram(failure.nodes, failure.reasons)} "
        f"no new claims to deallocate, preemption: {_preemption(failure, shape, columns)}"
    )


def _preemption(failure: Failure, shape: Shape, columns: Columns) -> str:
    if not shape.preempts:
        return "not eligible due to preemptionPolicy=Never."
    reasons: dict[str, int] = {}
    helpless = failure.nodes - len(failure.resolvable)
    if helpless:
        reasons["Preemption is not helpful for scheduling"] = helpless
    for node in failure.resolvable:
        lower = any(placed.shape.priority < shape.priority for placed in columns.placed_on(node).values())
        reason = (
            "Preemption is not supported by this scheduler yet"
            if lower
            else "No preemption victims found for incoming pod"
        )
        reasons[reason] = reasons.get(reason, 0) + 1
    return _histogram(failure.nodes, reasons)
