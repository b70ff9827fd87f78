"""Changing CPU and memory of a pod that runs (KEP-1287): what it was given, what follows for its containers. Pure.

A resize is first allocated (does the node have that much?), then carried out, container by container; a container
whose resizePolicy says so is restarted for it.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity
from nodeagent.pods.admission import shortage_text
from nodeagent.pods.allocations import Allocations, Shortage, needs_of
from nodeagent.pods.state import ContainerState, PodState, Resize

DEFERRED, INFEASIBLE = "Deferred", "Infeasible"
_RESOURCES = ("cpu", "memory")

Given = dict[str, Object]  # container → its resources


def resizable(pod: Object) -> Iterator[Object]:
    """The containers that can be resized: all that run as long as the pod."""
    spec = pod["spec"]
    yield from (c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")
    yield from spec["containers"]


def asked_for(pod: Object) -> Given:
    """What a pod's spec asks for."""
    return {c["name"]: dict(c.get("resources") or {}) for c in resizable(pod)}


def with_given(pod: Object, given: Given) -> Object:
    """The pod as it was allocated: its spec with what its containers have been given."""
    if not given or asked_for(pod) == given:
        return pod
    lists = {}
    for field in ("initContainers", "containers"):
        if pod["spec"].get(field):
            lists[field] = [
                {**c, "resources": given[c["name"]]} if c["name"] in given else c for c in pod["spec"][field]
            ]
    return {**pod, "spec": {**pod["spec"], **lists}}


def is_same(one: Object | None, other: Object | None) -> bool:
    """Whether two containers' resources are the same amounts of CPU and memory."""
    return not _changed(one, other)


def _changed(one: Object | None, other: Object | None) -> set[str]:
    return {
        resource
        for part in ("requests", "limits")
        for resource in _RESOURCES
        if _amount(one, part, resource) != _amount(other, part, resource)
    }


def refusal(uid: str, wanted: Object, allocations: Allocations) -> tuple[str, str] | None:
    """Why a pod cannot have what it asks for: Infeasible for ever or Deferred for now, and a message."""
    needs = {r: amount for r, amount in needs_of(wanted).items() if r in _RESOURCES}
    excess = allocations.excess(needs)
    if excess is not None:
        return INFEASIBLE, _excess_text(excess)
    shortage = allocations.shortage(uid, needs)
    return None if shortage is None else (DEFERRED, shortage_text(shortage))


def outdated(pod: Object, state: PodState) -> list[tuple[ContainerState, Object]]:
    """Containers that run with other resources than they have been given, with their specs."""
    found = []
    for spec in resizable(pod):
        container = state.containers[spec["name"]]
        run = container.run
        if run is None or run.status != "running" or run.resources is None:
            continue
        if not is_same(run.resources, spec.get("resources")):
            found.append((container, spec))
    # What shrinks makes room for what grows.
    return sorted(found, key=lambda pair: _grows(pair[0], pair[1]))


def needs_restart(container: ContainerState, spec: Object) -> bool:
    """Whether what changed changes by a restart only."""
    run = container.run
    changed = _changed(run.resources if run else None, spec.get("resources"))
    policies = {p["resourceName"]: p["restartPolicy"] for p in spec.get("resizePolicy") or ()}
    return any(policies.get(resource) == "RestartContainer" for resource in changed)


def memory_limit(resources: Object | None) -> int:
    """In bytes; 0 for none."""
    return _amount(resources, "limits", "memory").value


def event_text(what: str, pod: Object, generation: int, error: str = "") -> str:
    """What the events ResizeStarted, ResizeCompleted, ResizeDeferred, ResizeInfeasible and ResizeError say."""
    containers = [{"name": c["name"], "resources": c.get("resources") or {}} for c in resizable(pod)]
    told: dict[str, Any] = {"containers": containers, "generation": generation}
    if error:
        told["error"] = error
    return f"Pod resize {what}: {orjson.dumps(told).decode()}"


def conditions(state: PodState) -> Iterator[tuple[str, Resize]]:
    """The conditions that tell of a resize, by type."""
    if state.resize_pending is not None:
        yield "PodResizePending", state.resize_pending
    if state.resize_progress is not None:
        yield "PodResizeInProgress", state.resize_progress


def _grows(container: ContainerState, spec: Object) -> bool:
    before = container.run.resources if container.run else None
    after = spec.get("resources")
    return any(_amount(after, "limits", r) > _amount(before, "limits", r) for r in _RESOURCES)


def _amount(resources: Object | None, part: str, resource: str) -> Quantity:
    return Quantity.parse(((resources or {}).get(part) or {}).get(resource) or "0")


def _excess_text(excess: Shortage) -> str:
    text = f"Node didn't have enough capacity: {excess.resource}, requested: {excess.requested}"
    return f"{text}, capacity: {excess.capacity}"
