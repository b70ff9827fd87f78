"""Validation of annotations that mean something on pods."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, go_quote, invalid
from kubeactors.api.validation.common import local_path

_MIRROR: Final = "kubernetes.io/config.mirror"
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP_PROFILES: Final = ("runtime/default", "docker/default", "unconfined")
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP: Final = ("seccompProfile", "seccomp", ("runtime/default", "docker/default"))
_APP_ARMOR_WORDS: Final = ("appArmorProfile", "apparmor", ("runtime/default",))
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


def profile_mismatch_errors(annotations: Mapping[str, str], spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of profiles that annotations and fields name both, on create: they are the same."""
    context = spec.get("securityContext") or {}
    containers = [
        (c, f"{path}.{name}[{i}].securityContext") for name in _LISTS for i, c in enumerate(spec.get(name) or ())
    ]
    errors = _mismatch(
        annotations.get(_SECCOMP_POD), context.get("seccompProfile"), _SECCOMP, f"{path}.securityContext"
    )
    for container, at in containers:
        profile = (container.get("securityContext") or {}).get("seccompProfile")
        errors += _mismatch(annotations.get(f"{_SECCOMP_CONTAINER}{container.get('name')}"), profile, _SECCOMP, at)
    if (spec.get("os") or {}).get("name") == "windows":
        return errors
    for container, at in containers:
        own = (container.get("securityContext") or {}).get("appArmorProfile")
        profile = context.get("appArmorProfile") if own is None else own
        errors += _mismatch(annotations.get(f"{_APP_ARMOR}{container.get('name')}"), profile, _APP_ARMOR_WORDS, at)
    return errors


def _mismatch(
    annotation: str | None, profile: Mapping[str, Any] | None, words: tuple[str, str, tuple[str, ...]], path: str
) -> list[FieldError]:
    """`words`: the field, how messages call it, and what annotations say for RuntimeDefault."""
    field, shown, defaults = words
    if annotation is None or profile is None:
        return []
    kind, at = profile.get("type"), f"{path}.{field}"
    fits = {"Unconfined": ("unconfined",), "RuntimeDefault": defaults}.get(kind or "")
    if fits is not None and annotation in fits:
        return []
    if kind == "Localhost" and annotation.startswith("localhost/"):
        if annotation.removeprefix("localhost/") == profile.get("localhostProfile"):
            return []
        return [forbidden(f"{at}.localhostProfile", f"{shown} profile in annotation and field must match")]
    if fits is None and kind != "Localhost":
        return []
    return [forbidden(f"{at}.type", f"{shown} type in annotation and field must match")]


def _is_int32(text: str) -> bool:
    """Without a plus sign and leading zeros, which are refused for lack of one way to write a number."""
    return bool(re.fullmatch(r"-[0-9]{1,11}|0|[1-9][0-9]{0,10}", text)) and -(2**31) <= int(text) < 2**31


def _seccomp_errors(profile: str, path: str) -> list[FieldError]:
    if profile in _SECCOMP_PROFILES:
        return []
    if profile.startswith("localhost/"):
        return local_path(profile.removeprefix("localhost/"), path)
    return [invalid(path, profile, "must be a valid seccomp profile")]


def _app_armor_errors(container: str, names: set[str | None], profile: str, path: str) -> list[FieldError]:
    errors = [] if container in names else [invalid(path, container, "container not found")]
    if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
        errors.append(invalid(path, profile, f"invalid AppArmor profile name: {go_quote(profile)}"))
    return errors


def pod_annotation_update_errors(
    annotations: Mapping[str, str], before: Mapping[str, str], path: str
) -> list[FieldError]:
    """Of annotations that a pod keeps for its life."""
    errors: list[FieldError] = []
    for key in sorted(before):
        if annotations.get(key) == before[key]:
            continue
        if key.startswith(_APP_ARMOR):
            errors.append(forbidden(f"{path}[{key}]", "may not remove or update AppArmor annotations"))
        elif key == _MIRROR:
            errors.append(forbidden(f"{path}[{key}]", "may not remove or update mirror pod annotation"))
    for key in sorted(annotations.keys() - before.keys()):
        if key.startswith(_APP_ARMOR):
            errors.append(forbidden(f"{path}[{key}]", "may not add AppArmor annotations"))
        elif key == _MIRROR:
            errors.append(forbidden(f"{path}[{key}]", "may not add mirror pod annotation"))
    return errors
