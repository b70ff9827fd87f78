"""Which pods go first when there are too many. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key

from kubeactors.api.meta import Object, annotations, parse_time
from kubeactors.controllers.pods import is_active, is_ready, phase, ready_condition

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_cost(pod: Object) -> int:
    """The pod's controller.kubernetes.io/pod-deletion-cost; 0 where it is absent or no 32-bit integer."""
    text = annotations(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    if not -(2**31) <= cost < 2**31 or (text.startswith(("+", "0")) and text != "0"):
        return 0
    return cost


def pods_to_delete(pods: Sequence[Object], related: Iterable[Object], count: int, now: datetime) -> list[Object]:
    """The first `count` of `pods` in the order in which they can best be spared.

    Unassigned before assigned; pending before running; not ready before ready; cheaper before dearer; from nodes
    with more of the `related` pods (those of all ReplicaSets of one deployment) first; ready for a shorter time
    first; more restarts first; younger first. Ages compare by their magnitude (powers of two, KEP-2185), and the uid
    decides between equals, so that not always the same failure zone's pods go.
    """
    if count >= len(pods):
        return list(pods)
    crowd = Counter(pod["spec"].get("nodeName", "") for pod in related if is_active(pod))

    def compare(one: Object, other: Object) -> int:
        for mine, theirs in (
            (bool(one["spec"].get("nodeName")), bool(other["spec"].get("nodeName"))),
            (_PHASE_ORDER.get(phase(one), 0), _PHASE_ORDER.get(phase(other), 0)),
            (is_ready(one), is_ready(other)),
            (deletion_cost(one), deletion_cost(other)),
            (-crowd[one["spec"].get("nodeName", "")], -crowd[other["spec"].get("nodeName", "")]),
        ):
            if mine != theirs:
                return -1 if mine < theirs else 1
        if is_ready(one) and is_ready(other):
            order = _compare_ages(_ready_since(one), _ready_since(other), one, other, now)
            if order:
                return order
        mine, theirs = _restarts(one), _restarts(other)
        if mine != theirs:
            return -1 if mine > theirs else 1
        created = one["metadata"].get("creationTimestamp"), other["metadata"].get("creationTimestamp")
        return _compare_ages(*created, one, other, now)

    return sorted(pods, key=cmp_to_key(compare))[:count]


def _compare_ages(since: str | None, other_since: str | None, one: Object, other: Object, now: datetime) -> int:
    """Younger first; 0 only if both times are equal."""
    if since == other_since:
        return 0
    if not since or not other_since:
        return -1 if not since else 1
    difference = _magnitude(since, now) - _magnitude(other_since, now)
    if difference:
        return difference
    return -1 if one["metadata"]["uid"] < other["metadata"]["uid"] else 1


def _magnitude(since: str, now: datetime) -> int:
    nanoseconds = (now - parse_time(since)).total_seconds() * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1


def _ready_since(pod: Object) -> str | None:
    condition = ready_condition(pod)
    return condition.get("lastTransitionTime") if condition is not None else None


def _restarts(pod: Object) -> int:
    """The most restarts of any container; init containers that keep running count too."""
    status = pod.get("status") or {}
    return max((int(c.get("restartCount") or 0) for c in status.get("containerStatuses") or ()), default=0)
