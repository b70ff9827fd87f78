"""How large each ReplicaSet of a deployment shall be next. Pure: sizes in, sizes out.

A rolling update never asks for more pods than replicas + maxSurge and never takes an available pod away
when that would leave fewer than replicas - maxUnavailable. One step is decided at a time, from the sets'
reported status; the next step follows when a status changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kubeactors.api.intstr import scaled
from kubeactors.api.meta import Object
from kubeactors.controllers.deployment.replica_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    active,
    by_age,
    desired_annotation,
    replicas_of,
    status_count,
    total_replicas,
)


@dataclass(frozen=True)
class Scale:
    """Set one ReplicaSet's size; `replicas` may equal the present size when only annotations must follow."""

    replica_set: Object
    replicas: int


def desired_replicas(deployment: Object) -> int:
    wanted = deployment["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def is_rolling(deployment: Object) -> bool:
    strategy = deployment["spec"].get("strategy") or {}
    return str(strategy.get("type", "RollingUpdate")) == "RollingUpdate"


def surge_and_unavailable(deployment: Object) -> tuple[int, int]:
    """maxSurge (rounded up) and maxUnavailable (rounded down) in pods; never both 0, or nothing could move."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    total = desired_replicas(deployment)
    surge = scaled(rolling.get("maxSurge", "25%"), total, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), total, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def max_surge(deployment: Object) -> int:
    return surge_and_unavailable(deployment)[0]


def max_unavailable(deployment: Object) -> int:
    """Never more than there are replicas; 0 for a deployment that does not roll."""
    total = desired_replicas(deployment)
    return min(surge_and_unavailable(deployment)[1], total) if total else 0


def new_set_size(deployment: Object, sets: Sequence[Object], present: int) -> int:
    """The new set's size, as far up as surge allows beside all the deployment's `sets`, itself included."""
    desired = desired_replicas(deployment)
    if not is_rolling(deployment):
        return desired
    room = desired + max_surge(deployment) - total_replicas(sets)
    if room <= 0:
        return present
    return present + min(room, desired - present)


def scale_new(deployment: Object, sets: Sequence[Object], new: Object) -> list[Scale]:
    """Move the new set towards the deployment's size."""
    desired, present = desired_replicas(deployment), replicas_of(new)
    if present == desired:
        return []
    size = desired if present > desired else new_set_size(deployment, sets, present)
    return [Scale(new, size)] if size != present else []


def scale_old(deployment: Object, old: Sequence[Object], new: Object) -> list[Scale]:
    """Take pods from the old sets: first those that are not available, then as many as availability allows."""
    old = sorted(active(old), key=by_age)
    if not old:
        return []
    minimum = desired_replicas(deployment) - max_unavailable(deployment)
    # Pods of the new set that are not available yet may not be counted on.
    unavailable_new = replicas_of(new) - status_count(new, "availableReplicas")
    spare = total_replicas(old) + replicas_of(new) - minimum - unavailable_new
    if spare <= 0:
        return []
    sizes = {rs["metadata"]["name"]: replicas_of(rs) for rs in old}
    steps: list[Scale] = []
    for rs in old:
        unhealthy = replicas_of(rs) - status_count(rs, "availableReplicas")
        cut = min(spare, max(0, unhealthy))
        if cut:
            spare -= cut
            sizes[rs["metadata"]["name"]] -= cut
            steps.append(Scale(rs, sizes[rs["metadata"]["name"]]))
    available = sum(status_count(rs, "availableReplicas") for rs in (*old, new))
    left = available - minimum
    for rs in old:
        name = rs["metadata"]["name"]
        cut = min(sizes[name], left)
        if cut > 0:
            left -= cut
            sizes[name] -= cut
            steps.append(Scale(rs, sizes[name]))
    return steps


def is_scaling_event(deployment: Object, sets: Sequence[Object]) -> bool:
    """Whether the deployment's size has changed since the sets were last sized: then scale before rolling on."""
    desired = desired_replicas(deployment)
    recorded = (desired_annotation(rs, DESIRED_REPLICAS) for rs in active(sets))
    return any(value is not None and value != desired for value in recorded)


def scale_all(deployment: Object, new: Object | None, old: Sequence[Object]) -> list[Scale]:
    """Follow a change of the deployment's size (or a pause): in proportion when several sets have pods."""
    desired = desired_replicas(deployment)
    only = _only_active_or_latest(new, old)
    if only is not None:
        return [Scale(only, desired)] if replicas_of(only) != desired else []
    if new is not None and _is_saturated(deployment, new):
        return [Scale(rs, 0) for rs in active(old)]
    if not is_rolling(deployment):
        return []
    sets = active([*old, new] if new is not None else old)
    allowed = desired + max_surge(deployment) if desired > 0 else 0
    to_add = allowed - total_replicas(sets)
    if to_add > 0:
        # Largest first; among equals the newest, which is where growth belongs.
        sets.sort(key=by_age, reverse=True)
    else:
        sets.sort(key=by_age)
    sets.sort(key=replicas_of, reverse=True)
    added = 0
    sizes: list[int] = []
    for rs in sets:
        share = _proportion(deployment, rs, to_add, added)
        sizes.append(replicas_of(rs) + share)
        added += share
    rest = to_add - added  # what rounding left over: the largest takes it, as far as it has pods to give
    for index, size in enumerate(sizes):
        sizes[index] = max(0, size + rest)
        rest -= sizes[index] - size
    return [Scale(rs, size) for rs, size in zip(sets, sizes, strict=True)]


def _only_active_or_latest(new: Object | None, old: Sequence[Object]) -> Object | None:
    """The one set with pods, or the newest if none has any; None if several have."""
    everything = [*old, new] if new is not None else list(old)
    with_pods = active(everything)
    if len(with_pods) > 1:
        return None
    if with_pods:
        return with_pods[0]
    if new is not None:
        return new
    return max(old, key=by_age, default=None)


def _is_saturated(deployment: Object, new: Object) -> bool:
    desired = desired_replicas(deployment)
    recorded = desired_annotation(new, DESIRED_REPLICAS)
    return replicas_of(new) == recorded == desired == status_count(new, "availableReplicas")


def _proportion(deployment: Object, rs: Object, to_add: int, added: int) -> int:
    if not to_add or to_add == added:
        return 0
    desired, present = desired_replicas(deployment), replicas_of(rs)
    if desired == 0:
        share = -present
    else:
        before = desired_annotation(rs, MAX_REPLICAS) or status_count(deployment, "replicas")
        if not before:
            return 0
        share = math.floor(present * (desired + max_surge(deployment)) / before + 0.5) - present
    allowed = to_add - added
    return min(share, allowed) if to_add > 0 else max(share, allowed)
