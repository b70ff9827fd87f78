"""Validation of ephemeral containers (KEP-277)."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, not_found
from kubeactors.api.validation.pod.container import Volumes, container_common_errors, image_whitespace_errors

# What containers have and ephemeral ones may not, in the order in which Kubernetes tells it.
_FORBIDDEN: Final = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


def ephemeral_containers_errors(
    spec: Mapping[str, Any], volumes: Volumes, claims: set[str], path: str
) -> list[FieldError]:
    errors: list[FieldError] = []
    others = {c.get("name") for f in ("containers", "initContainers") for c in spec.get(f) or ()}
    names = set(others)
    containers = spec["ephemeralContainers"]
    for i, container in enumerate(containers):
        at = f"{path}[{i}]"
        errors += container_common_errors(container, spec, volumes, claims, at)
        errors += image_whitespace_errors([container], path, first=i)
        name = container.get("name")
        if name in names:
            errors.append(duplicate(f"{at}.name", name))
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(not_found(f"{at}.targetContainerName", target))
        errors += [
            forbidden(f"{at}.{field}", "cannot be set for an Ephemeral Container")
            for field in _FORBIDDEN
            if container.get(field)
        ]
        for j, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    message = "cannot be set for an Ephemeral Container"
                    errors.append(forbidden(f"{at}.volumeMounts[{j}].{field}", message))
    return errors
