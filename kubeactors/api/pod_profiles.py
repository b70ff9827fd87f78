"""AppArmor profiles that a new pod names in annotations, as in the years before there was a field (KEP-24)."""

from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]

_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_LISTS = ("initContainers", "containers", "ephemeralContainers")
_MAX_NAME = 4095  # PATH_MAX - 1


def profiles_from_annotations(pod: JsonObject) -> None:
    """Give containers without a profile of their own the one of their annotation."""
    of_pod = ((pod.get("spec") or {}).get("securityContext") or {}).get("appArmorProfile")
    for container, annotation in _annotated(pod):
        context = container.get("securityContext") or {}
        profile = _profile(annotation)
        if context.get("appArmorProfile") is None and profile is not None and profile != of_pod:
            container["securityContext"] = {**context, "appArmorProfile": profile}


def profile_warnings(pod: Mapping[str, Any]) -> list[str]:
    """About annotations of a new pod that containers took their profiles from."""
    return [
        f"metadata.annotations[{_ANNOTATION}{container.get('name') or ''}]: deprecated since v1.30; "
        'use the "appArmorProfile" field instead'
        for container, annotation in _annotated(pod)
        if (container.get("securityContext") or {}).get("appArmorProfile") == _profile(annotation)
    ]


def _annotated(pod: Mapping[str, Any]) -> list[tuple[JsonObject, str]]:
    """The containers that an annotation names, with what it says."""
    spec, annotations = pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations") or {}
    if not annotations or (spec.get("os") or {}).get("name") == "windows":
        return []
    return [
        (container, annotations[key])
        for field in _LISTS
        for container in spec.get(field) or ()
        if (key := f"{_ANNOTATION}{container.get('name') or ''}") in annotations
    ]


def _profile(annotation: str) -> JsonObject | None:
    if annotation == "unconfined":
        return {"type": "Unconfined"}
    if annotation == "runtime/default":
        return {"type": "RuntimeDefault"}
    name = annotation.removeprefix("localhost/")
    if name == annotation or not name or name != name.strip() or len(name.encode()) > _MAX_NAME:
        return None
    return {"type": "Localhost", "localhostProfile": name}
