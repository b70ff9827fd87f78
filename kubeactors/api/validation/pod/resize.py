"""What a write to pods/resize may change: CPU and memory of containers (KEP-1287)."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid
from kubeactors.api.meta import is_static
from kubeactors.api.qos import compute_pod_qos
from kubeactors.api.validation.pod.spec import pod_spec_errors

_RESIZABLE: Final = ("cpu", "memory")
_FROZEN: Final = {
    "containers": "only cpu and memory resources are mutable",
    "sidecars": "only cpu and memory resources for sidecar containers are mutable",
    "initContainers": "resources for non-sidecar init containers are immutable",
}


def pod_resize_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Besides the metadata. Of the specs only the containers' resources and resize policies differ."""
    spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    refused = _unsupported(spec, old)
    if refused:
        return [forbidden("", refused)]
    errors = pod_spec_errors(spec, "spec", (new.get("metadata") or {}).get("name") or "")
    old_class = (old.get("status") or {}).get("qosClass") or compute_pod_qos(dict(old_spec))
    if compute_pod_qos(dict(spec)) != old_class:
        shown = (new.get("status") or {}).get("qosClass") or ""
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    if not _node_resizes(old):
        errors.append(forbidden("spec", "Pod running on node without support for resize"))
    for field in ("initContainers", "containers"):
        for i, (container, before) in enumerate(
            zip(spec.get(field) or (), old_spec.get(field) or (), strict=True),
        ):
            errors += _container_errors(container, before, field, f"spec.{field}[{i}].resources")
    return errors


def _unsupported(spec: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    for pod_spec in (spec, old.get("spec") or {}):
        resources = pod_spec.get("resources") or {}
        if resources.get("requests") or resources.get("limits"):
            return "pods with pod-level resources cannot be resized"
    if is_static(old):
        return "static pods cannot be resized"
    if ((old.get("spec") or {}).get("os") or {}).get("name") == "windows":
        return "windows pods cannot be resized"
    return ""


def _node_resizes(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's node tells what a running container has: those that can resize do."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _container_errors(
    container: Mapping[str, Any], before: Mapping[str, Any], field: str, path: str
) -> list[FieldError]:
    sidecar = field == "initContainers" and container.get("restartPolicy") == "Always"
    if field == "initContainers" and not sidecar:
        return [] if container == before else [forbidden("spec", _FROZEN[field])]
    resources, old_resources = container.get("resources") or {}, before.get("resources") or {}
    errors = [
        forbidden(f"{path}.{part}", f"resource {part} cannot be removed")
        for part in ("requests", "limits")
        if any(name not in (resources.get(part) or {}) for name in old_resources.get(part) or {})
    ]
    if _without_resizable(container) != _without_resizable(before):
        errors.append(forbidden("spec", _FROZEN["sidecars" if sidecar else field]))
    return errors


def _without_resizable(container: Mapping[str, Any]) -> dict[str, Any]:
    resources = dict(container.get("resources") or {})
    for part in ("requests", "limits"):
        kept = {name: value for name, value in (resources.pop(part, None) or {}).items() if name not in _RESIZABLE}
        if kept:
            resources[part] = kept
    return {**container, "resources": resources}
