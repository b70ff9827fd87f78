"""When a pod disruption budget lets a pod be evicted (KEP-85), as pure functions over pods and budgets."""

from datetime import datetime
from typing import Any, Final

from kubeactors.api.meta import Object, is_condition_true, is_deleting, now_rfc3339, set_condition
from kubeactors.api.selectors.labels import SelectorError, from_label_selector

ALLOWED: Final = "DisruptionAllowed"
SYNC_FAILED: Final = "SyncFailed"
SUFFICIENT: Final = "SufficientPods"
INSUFFICIENT: Final = "InsufficientPods"
# How many evictions may wait for the budget's controller to notice them.
MAX_DISRUPTED: Final = 2000


def needs_no_budget(pod: Object) -> bool:
    """A pod that has ended, goes already or has not begun: its eviction disrupts nothing."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed", "Pending") or is_deleting(pod)


def may_become_ready(pod: Object) -> bool:
    """Whether a pod that needs no budget now may need one in its next state."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed") and not is_deleting(pod)


def selects(budget: Object, pod: Object) -> bool:
    """Whether a budget is about a pod: one without a selector is about none, an empty selector about all."""
    try:
        return from_label_selector((budget.get("spec") or {}).get("selector")).matches(pod["metadata"].get("labels"))
    except SelectorError:
        return False


def spares_unready(budget: Object, pod: Object) -> bool:
    """Whether a pod that is not ready may go without the budget's leave (KEP-3017)."""
    if is_condition_true(pod, "Ready"):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired: int = status.get("desiredHealthy") or 0
    return (status.get("currentHealthy") or 0) >= desired > 0


def use_allowance(budget: Object, pod_name: str, now: datetime) -> None:
    """Note in the budget's status, in place, that one more pod goes. The budget must allow it."""
    status: dict[str, Any] = budget["status"]
    status["disruptionsAllowed"] -= 1
    if status["disruptionsAllowed"] == 0:
        set_condition(budget, ALLOWED, "False", now=now, reason=INSUFFICIENT)
        condition = next(c for c in status["conditions"] if c["type"] == ALLOWED)
        condition["message"] = ""  # a metav1.Condition always has one
        if status.get("observedGeneration"):
            condition["observedGeneration"] = status["observedGeneration"]
    status.setdefault("disruptedPods", {})[pod_name] = now_rfc3339(now)
