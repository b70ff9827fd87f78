"""A ReplicaSet's status from its pods. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubeactors.api.meta import Object, labels, now_rfc3339
from kubeactors.controllers.pods import is_ready, seconds_until_available


def status_of(
    replica_set: Object,
    active: Sequence[Object],
    terminating: int | None,
    failure: tuple[str, str] | None,
    now: datetime,
) -> Object:
    """The counts of its active pods, and ReplicaFailure while `failure` (reason, message) keeps it from its size.

    `terminating` is None for a kind whose status does not count those.
    """
    wanted = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
    counts = {
        "fullyLabeledReplicas": sum(wanted.items() <= labels(pod).items() for pod in active),
        "readyReplicas": sum(map(is_ready, active)),
        "availableReplicas": sum(seconds_until_available(pod, minimum, now) == 0 for pod in active),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    status: Object = {"replicas": len(active), **{key: value for key, value in counts.items() if value}}
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    before = (replica_set.get("status") or {}).get("conditions") or []
    others = [c for c in before if c["type"] != "ReplicaFailure"]
    present = [c for c in before if c["type"] == "ReplicaFailure"]
    if failure is not None:
        reason, message = failure
        fresh = {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": now_rfc3339(now),
            "reason": reason,
            "message": message,
        }
        others += present or [fresh]
    if others:
        status["conditions"] = others
    return status


def next_availability_check(replica_set: Object, active: Sequence[Object], now: datetime) -> float | None:
    """Seconds until the next ready pod becomes available by the passing of time alone; None if none will."""
    minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
    waits = (seconds_until_available(pod, minimum, now) for pod in active)
    return min((wait for wait in waits if wait), default=None)
