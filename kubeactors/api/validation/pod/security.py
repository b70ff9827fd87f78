"""Validation of security contexts of pods and containers."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required
from kubeactors.api.validation.common import MAX_INT32, local_path, range_message

_SYSCTL_PATTERN: Final = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SYSCTL_MAX: Final = 253
_PROFILES: Final = ("Localhost", "RuntimeDefault", "Unconfined")
_ESCALATION: Final = "cannot set `allowPrivilegeEscalation` to false and "
# The order of fields in Kubernetes' internal type, which the message quotes.
_CONTAINER_FIELDS: Final = (
    ("Capabilities", "capabilities"),
    ("Privileged", "privileged"),
    ("SELinuxOptions", "seLinuxOptions"),
    ("WindowsOptions", "windowsOptions"),
    ("RunAsUser", "runAsUser"),
    ("RunAsGroup", "runAsGroup"),
    ("RunAsNonRoot", "runAsNonRoot"),
    ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem"),
    ("AllowPrivilegeEscalation", "allowPrivilegeEscalation"),
    ("ProcMount", "procMount"),
    ("SeccompProfile", "seccompProfile"),
    ("AppArmorProfile", "appArmorProfile"),
)


def pod_security_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of spec.securityContext, with the pod's namespaces that Kubernetes keeps there internally."""
    context = spec.get("securityContext") or {}
    at = f"{path}.securityContext"
    errors: list[FieldError] = []
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        errors += _id_errors(context.get(field), f"{at}.{field}")
    for i, group in enumerate(context.get("supplementalGroups") or ()):
        errors += _id_errors(group, f"{at}.supplementalGroups[{i}]")
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        message = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{at}.shareProcessNamespace", True, message))
    if context.get("sysctls"):
        errors += _sysctl_errors(context["sysctls"], f"{at}.sysctls")
    for field, allowed in (
        ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", ("Merge", "Strict")),
        ("seLinuxChangePolicy", ("MountOption", "Recursive")),
    ):
        value = context.get(field)
        if value is not None and value not in allowed:
            errors.append(not_supported(f"{at}.{field}", value, allowed))
    return errors + _profile_errors(context, at)


def container_security_errors(context: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("runAsUser", "runAsGroup"):
        errors += _id_errors(context.get(field), f"{path}.{field}")
    mount = context.get("procMount")
    if mount is not None and mount not in ("Default", "Unmasked"):
        errors.append(not_supported(f"{path}.procMount", mount, ("Default", "Unmasked")))
    errors += _profile_errors(context, path)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            errors.append(invalid(path, _quoted(context), f"{_ESCALATION}`privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            errors.append(invalid(path, _quoted(context), f"{_ESCALATION}`capabilities.Add` CAP_SYS_ADMIN"))
    return errors


def _quoted(context: Mapping[str, Any]) -> dict[str, Any]:
    return {shown: context.get(field) for shown, field in _CONTAINER_FIELDS}


def _id_errors(value: int | None, path: str) -> list[FieldError]:
    if value is None or 0 <= value <= MAX_INT32:
        return []
    return [invalid(path, value, range_message(0, MAX_INT32))]


def _profile_errors(context: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, word in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        profile = context.get(field)
        if profile is None:
            continue
        kind, local = profile.get("type") or "", profile.get("localhostProfile")
        at = f"{path}.{field}"
        if kind == "Localhost":
            if not local:
                message = f"must be set when {word} type is Localhost"
                errors.append(required(f"{at}.localhostProfile", message))
            elif field == "seccompProfile":
                errors += local_path(local, f"{at}.localhostProfile")
        elif local is not None:
            message = f"can only be set when {word} type is Localhost"
            errors.append(invalid(f"{at}.localhostProfile", local, message))
        if not kind:
            errors.append(required(f"{at}.type", f"type is required when {field} is set"))
        elif kind not in _PROFILES:
            errors.append(not_supported(f"{at}.type", kind, _PROFILES))
    return errors


def _sysctl_errors(sysctls: list[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, sysctl in enumerate(sysctls):
        name = sysctl.get("name") or ""
        at = f"{path}[{i}].name"
        if not name:
            errors.append(required(at))
        elif len(name) > _SYSCTL_MAX or not re.fullmatch(_SYSCTL_PATTERN, name):
            message = f"must have at most {_SYSCTL_MAX} characters and match regex {_SYSCTL_PATTERN}"
            errors.append(invalid(at, name, message))
        elif name in names:
            errors.append(duplicate(at, name))
        names.add(name)
    return errors
