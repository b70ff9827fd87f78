"""Which of a pod's containers a request means (validateContainer of Kubernetes' pod registry). Pure."""

from __future__ import annotations

from typing import Any

from kubeactors.api import errors
from kubeactors.api.meta import Object


def choose_container(pod: Object, wanted: str) -> str:
    """The container that is named, or the only one. Raises StatusError (400)."""
    spec, name = pod.get("spec") or {}, pod["metadata"]["name"]
    containers = _names(spec.get("containers"))
    every = [*_names(spec.get("initContainers")), *containers, *_names(spec.get("ephemeralContainers"))]
    if wanted:
        if wanted not in every:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(containers) == 1:
        return containers[0]
    message = f"a container name must be specified for pod {name}"
    if containers:
        message += f", choose one of: [{' '.join(every)}]"
    raise errors.bad_request(message)


def _names(containers: list[dict[str, Any]] | None) -> list[str]:
    return [each["name"] for each in containers or ()]
