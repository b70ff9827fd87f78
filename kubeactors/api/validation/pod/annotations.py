"""Validation of annotations that mean something on pods."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, go_quote, invalid
from kubeactors.api.validation.common import local_path_below

_MIRROR: Final = "kubernetes.io/config.mirror"
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP_PROFILES: Final = ("runtime/default", "docker/default", "unconfined")
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")


def pod_annotation_errors(annotations: Mapping[str, str], spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if _MIRROR in annotations and not spec.get("nodeName"):
        message = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid(f"{path}[{_MIRROR}]", annotations[_MIRROR], message))
    cost = annotations.get(_DELETION_COST)
    if cost is not None and not _is_int32(cost):
        errors.append(invalid(f"{path}[{_DELETION_COST}]", cost, "must be a 32bit integer"))
    for key, profile in sorted(annotations.items()):
        if key == _SECCOMP_POD or key.startswith(_SECCOMP_CONTAINER):
            errors += _seccomp_errors(profile, f"{path}.{key}")
    names = {c.get("name") for name in _LISTS for c in spec.get(name) or ()}
    for key, profile in sorted(annotations.items()):
        if key.startswith(_APP_ARMOR):
            errors += _app_armor_errors(key.removeprefix(_APP_ARMOR), names, profile, f"{path}[{key}]")
    return errors


def _is_int32(text: str) -> bool:
    """Without a plus sign and leading zeros, which are refused for lack of one way to write a number."""
    return bool(re.fullmatch(r"-[0-9]{1,11}|0|[1-9][0-9]{0,10}", text)) and -(2**31) <= int(text) < 2**31


def _seccomp_errors(profile: str, path: str) -> list[FieldError]:
    if profile in _SECCOMP_PROFILES:
        return []
    if profile.startswith("localhost/"):
        return local_path_below(profile.removeprefix("localhost/"), path)
    return [invalid(path, profile, "must be a valid seccomp profile")]


def _app_armor_errors(container: str, names: set[str | None], profile: str, path: str) -> list[FieldError]:
    errors = [] if container in names else [invalid(path, container, "container not found")]
    if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
        errors.append(invalid(path, profile, f"invalid AppArmor profile name: {go_quote(profile)}"))
    return errors
