"""A deployment's status: its counts and the conditions Available, Progressing and ReplicaFailure. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubeactors.api.meta import Object, now_rfc3339, parse_time
from kubeactors.controllers.deployment.replica_sets import status_count, total_replicas
from kubeactors.controllers.deployment.scaling import desired_replicas, max_unavailable

_NO_DEADLINE = 2**31 - 1  # progressDeadlineSeconds that means "never"


def condition_of(status: Object, kind: str) -> Object | None:
    return next((c for c in status.get("conditions") or () if c["type"] == kind), None)


def with_condition(status: Object, kind: str, value: str, reason: str, message: str, now: datetime) -> Object:
    """The status with this condition; unchanged if it says so already. The transition time moves with the value."""
    present = condition_of(status, kind)
    if present is not None and present["status"] == value and present.get("reason") == reason:
        return status
    stamp = now_rfc3339(now)
    changed = present["lastTransitionTime"] if present is not None and present["status"] == value else stamp
    others = [c for c in status.get("conditions") or () if c["type"] != kind]
    condition = {
        "type": kind,
        "status": value,
        "lastUpdateTime": stamp,
        "lastTransitionTime": changed,
        "reason": reason,
        "message": message,
    }
    return {**status, "conditions": [*others, condition]}


def without_condition(status: Object, kind: str) -> Object:
    kept = [c for c in status.get("conditions") or () if c["type"] != kind]
    result = {key: value for key, value in status.items() if key != "conditions"}
    return {**result, "conditions": kept} if kept else result


def has_deadline(deployment: Object) -> bool:
    return deployment["spec"].get("progressDeadlineSeconds") not in (None, _NO_DEADLINE)


def counted(deployment: Object, sets: Sequence[Object], new: Object | None, now: datetime) -> Object:
    """The counts that the sets report, and Available; other conditions as they were."""
    before = deployment.get("status") or {}
    available = sum(status_count(rs, "availableReplicas") for rs in sets)
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": sum(status_count(rs, "replicas") for rs in sets),
        "updatedReplicas": status_count(new, "replicas") if new is not None else 0,
        "readyReplicas": sum(status_count(rs, "readyReplicas") for rs in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total_replicas(sets) - available),
    }
    status: Object = {key: value for key, value in counts.items() if value}
    status["terminatingReplicas"] = sum(status_count(rs, "terminatingReplicas") for rs in sets)
    for kept in ("collisionCount", "conditions"):
        if before.get(kept) is not None:
            status[kept] = before[kept]
    if available >= desired_replicas(deployment) - max_unavailable(deployment):
        return with_condition(
            status, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now
        )
    return with_condition(
        status,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        now,
    )


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all replicas are of the new template and available, and no old pod is left."""
    desired = desired_replicas(deployment)
    return bool(
        status.get("updatedReplicas", 0) == desired
        and status.get("replicas", 0) == desired
        and status.get("availableReplicas", 0) == desired
        and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )


def _has_progressed(before: Object, after: Object) -> bool:
    def old_pods(status: Object) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    return (
        after.get("updatedReplicas", 0) > before.get("updatedReplicas", 0)
        or old_pods(after) < old_pods(before)
        or after.get("readyReplicas", 0) > before.get("readyReplicas", 0)
        or after.get("availableReplicas", 0) > before.get("availableReplicas", 0)
    )


def _has_timed_out(deployment: Object, status: Object, now: datetime) -> bool:
    condition = condition_of(status, "Progressing")
    if condition is None or condition.get("reason") == "NewReplicaSetAvailable":
        return False
    if condition.get("reason") == "ProgressDeadlineExceeded":
        return True
    waited = (now - parse_time(condition["lastUpdateTime"])).total_seconds()
    return bool(waited > deployment["spec"]["progressDeadlineSeconds"])


def rollout_status(deployment: Object, sets: Sequence[Object], new: Object | None, now: datetime) -> Object:
    """The status during a rollout: counts, Available, and what Progressing and ReplicaFailure say of it."""
    before = deployment.get("status") or {}
    status = counted(deployment, sets, new, now)
    if not has_deadline(deployment):
        status = without_condition(status, "Progressing")
    current = condition_of(before, "Progressing")
    rests = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == "NewReplicaSetAvailable"
    )
    if has_deadline(deployment) and not rests:
        about = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
        if is_complete(deployment, status):
            status = with_condition(
                status, "Progressing", "True", "NewReplicaSetAvailable", f"{about} has successfully progressed.", now
            )
        elif _has_progressed(before, status):
            status = _refreshed_progress(status, f"{about} is progressing.", now)
        elif _has_timed_out(deployment, status, now):
            status = with_condition(
                status, "Progressing", "False", "ProgressDeadlineExceeded", f"{about} has timed out progressing.", now
            )
    failure = _replica_failure(sets, new)
    if failure is None:
        return without_condition(status, "ReplicaFailure")
    return with_condition(status, "ReplicaFailure", failure["status"], failure["reason"], failure["message"], now)


def _refreshed_progress(status: Object, message: str, now: datetime) -> Object:
    """Progressing with a new update time even if it said the same before: each sign of progress counts."""
    current = condition_of(status, "Progressing")
    bare = without_condition(status, "Progressing")
    fresh = with_condition(bare, "Progressing", "True", "ReplicaSetUpdated", message, now)
    if current is not None and current["status"] == "True":
        fresh["conditions"][-1]["lastTransitionTime"] = current["lastTransitionTime"]
    return fresh


def _replica_failure(sets: Sequence[Object], new: Object | None) -> Object | None:
    """The first ReplicaFailure condition, the new set's before the others'."""
    for rs in ([new] if new is not None else []) + list(sets):
        found = condition_of(rs.get("status") or {}, "ReplicaFailure")
        if found is not None:
            return found
    return None


def seconds_until_deadline(deployment: Object, status: Object, now: datetime) -> float | None:
    """When to look again whether the rollout has timed out; None if there is nothing to wait for."""
    condition = condition_of(status, "Progressing")
    if not has_deadline(deployment) or condition is None or is_complete(deployment, status):
        return None
    if condition.get("reason") in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable"):
        return None
    waited = (now - parse_time(condition["lastUpdateTime"])).total_seconds()
    # Times have whole seconds: look one second late rather than once too early.
    return max(1.0, float(deployment["spec"]["progressDeadlineSeconds"]) - waited + 1.0)


def paused_status(deployment: Object, now: datetime) -> Object | None:
    """The status that notes a pause or its end, so that the time does not count as lack of progress; else None."""
    if not has_deadline(deployment):
        return None
    status = deployment.get("status") or {}
    condition = condition_of(status, "Progressing")
    reason = condition.get("reason") if condition is not None else None
    if reason == "ProgressDeadlineExceeded":
        return None
    paused = bool(deployment["spec"].get("paused"))
    if paused and reason != "DeploymentPaused":
        return with_condition(status, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if not paused and reason == "DeploymentPaused":
        return with_condition(status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return None
