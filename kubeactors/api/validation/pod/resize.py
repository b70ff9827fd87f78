"""What a write to pods/resize may change: CPU and memory of containers (KEP-1287)."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid
from kubeactors.api.meta import is_static
from kubeactors.api.qos import compute_pod_qos
from kubeactors.api.validation.pod.pod import pod_kept_errors

_RESIZABLE: Final = ("cpu", "memory")
_ONLY: Final = "only cpu and memory resources are mutable"
_ONLY_OF_INIT: Final = "only cpu and memory resources for init or sidecar containers are mutable"
_RESTARTS: Final = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
_LISTS: Final = ("containers", "initContainers")


def pod_resize_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Besides the metadata."""
    spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    if is_static(old):
        return [forbidden("", "static pods cannot be resized")]
    if (old_spec.get("os") or {}).get("name") == "windows":
        return [forbidden("", "windows pods cannot be resized")]
    errors = pod_kept_errors(new)
    old_class = (old.get("status") or {}).get("qosClass") or compute_pod_qos(dict(old_spec))
    if compute_pod_qos(dict(spec)) != old_class:
        shown = (new.get("status") or {}).get("qosClass") or ""
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    if not _node_resizes(old):
        errors.append(forbidden("spec", "Pod running on node without support for resize"))
    errors += _pod_level_errors(spec.get("resources"), old_spec.get("resources"))
    moved = _order_errors(spec, old_spec)
    return errors + (moved or _containers_errors(spec, old_spec))


def _pod_level_errors(resources: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> list[FieldError]:
    """Of the resources of the pod as a whole (KEP-5419)."""
    if before is not None and resources is None:
        return [forbidden("spec.resources", "pod-level resources cannot be removed")]
    errors: list[FieldError] = []
    for part in ("requests", "limits"):
        if any(name not in ((resources or {}).get(part) or {}) for name in (before or {}).get(part) or {}):
            errors.append(forbidden(f"spec.resources.{part}", f"pod-level resource {part} cannot be removed"))
    if _not_resizable(resources or {}) != _not_resizable(before or {}):
        errors.append(forbidden("spec", f"{_ONLY} at pod-level"))
    return errors


def _order_errors(spec: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in _LISTS:
        now, before = spec.get(field) or [], old.get(field) or []
        if len(now) != len(before):
            errors.append(forbidden(f"spec.{field}", f"{field} may not be added or removed on resize"))
            continue
        message = f"{field} may not be renamed or reordered on resize"
        errors += [
            forbidden(f"spec.{field}[{i}].name", message)
            for i, (one, other) in enumerate(zip(now, before, strict=True))
            if one.get("name") != other.get("name")
        ]
    return errors


def _containers_errors(spec: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of containers that are the same ones as before."""
    errors: list[FieldError] = []
    for field in reversed(_LISTS):
        for i, (container, before) in enumerate(zip(spec.get(field) or (), old.get(field) or (), strict=True)):
            errors += _removal_errors(container, before, f"spec.{field}[{i}].resources")
    for container, before in zip(spec.get("containers") or (), old.get("containers") or (), strict=True):
        if _without_resizable(container) != _without_resizable(before):
            errors.append(forbidden("spec", _ONLY))
    pairs = zip(spec.get("initContainers") or (), old.get("initContainers") or (), strict=True)
    for i, (container, before) in enumerate(pairs):
        at = f"spec.initContainers[{i}]"
        if _without_resizable(container) != _without_resizable(before):
            errors.append(forbidden(at, _ONLY_OF_INIT))
        if container != before and container.get("restartPolicy") != "Always":
            policies = container.get("resizePolicy") or ()
            errors += [forbidden(at, _RESTARTS) for p in policies if p.get("restartPolicy") == "RestartContainer"]
    return errors


def _removal_errors(container: Mapping[str, Any], before: Mapping[str, Any], path: str) -> list[FieldError]:
    resources, old_resources = container.get("resources") or {}, before.get("resources") or {}
    return [
        forbidden(f"{path}.{part}", f"resource {part} cannot be removed")
        for part in ("requests", "limits")
        if any(name not in (resources.get(part) or {}) for name in old_resources.get(part) or {})
    ]


def _node_resizes(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's node tells what a running container has: those that can resize do."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _without_resizable(container: Mapping[str, Any]) -> dict[str, Any]:
    return {**container, "resources": _not_resizable(container.get("resources") or {})}


def _not_resizable(requirements: Mapping[str, Any]) -> dict[str, Any]:
    resources = dict(requirements)
    for part in ("requests", "limits"):
        kept = {name: value for name, value in (resources.pop(part, None) or {}).items() if name not in _RESIZABLE}
        if kept:
            resources[part] = kept
    return resources
