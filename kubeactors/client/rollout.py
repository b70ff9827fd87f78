"""Whether a workload's newest template has reached all of its replicas: the rules of `kubectl rollout status`."""

from __future__ import annotations

from kubeactors.api import meta
from kubeactors.client.errors import WaitFailed
from kubeactors.client.results import Object


def rolled_out(obj: Object | None) -> bool:
    """For Deployments, StatefulSets and DaemonSets. Raises WaitFailed when a Deployment's deadline for progress has
    passed, ValueError for other kinds and for sets that are updated by hand."""
    if obj is None:
        return False
    decide = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}.get(obj["kind"])
    if decide is None:
        raise ValueError(f"a {obj['kind']} has no rollout")
    status = obj.get("status") or {}
    return int(status.get("observedGeneration") or 0) >= meta.generation(obj) and decide(obj, status)


def _deployment(obj: Object, status: Object) -> bool:
    progress = meta.get_condition(obj, "Progressing")
    if progress is not None and progress.get("reason") == "ProgressDeadlineExceeded":
        raise WaitFailed(f"deployment {meta.key(obj)} exceeded its progress deadline", obj)
    updated = _count(status, "updatedReplicas")
    return (
        updated >= int(obj["spec"].get("replicas", 1))
        and _count(status, "replicas") <= updated
        and _count(status, "availableReplicas") >= updated
    )


def _stateful_set(obj: Object, status: Object) -> bool:
    spec = obj["spec"]
    replicas, strategy = int(spec.get("replicas", 1)), spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        raise ValueError(f"statefulset {meta.key(obj)} is updated by deleting its pods: it has no rollout")
    if _count(status, "readyReplicas") < replicas:
        return False
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if partition:
        return _count(status, "updatedReplicas") >= replicas - partition
    return bool(status.get("updateRevision") == status.get("currentRevision"))


def _daemon_set(obj: Object, status: Object) -> bool:
    if (obj["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        raise ValueError(f"daemonset {meta.key(obj)} is updated by deleting its pods: it has no rollout")
    wanted = _count(status, "desiredNumberScheduled")
    return _count(status, "updatedNumberScheduled") >= wanted and _count(status, "numberAvailable") >= wanted


def _count(status: Object, field: str) -> int:
    return int(status.get(field) or 0)
