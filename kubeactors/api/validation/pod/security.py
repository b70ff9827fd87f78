"""Validation of security contexts of pods and containers."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from kubeactors.api.choices import (
    POD_FS_GROUP_CHANGE_POLICIES,
    PROC_MOUNT_TYPES,
    SECCOMP_PROFILE_TYPES,
    SUPPLEMENTAL_GROUPS_POLICIES,
)
from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required, too_long
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import MAX_INT32, local_path, range_message
from kubeactors.api.validation.pod.operating_system import windows_options_errors

_SYSCTL_PATTERN: Final = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SYSCTL_MAX: Final = 253
_PROFILES: Final = frozenset(SECCOMP_PROFILE_TYPES)  # AppArmor has the same
_MAX_PROFILE: Final = 4095  # PATH_MAX - 1
_IPC_SYSCTLS: Final = ("kernel.sem",)
_IPC_PREFIXES: Final = ("kernel.shm", "kernel.msg", "fs.mqueue.")
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


def pod_security_errors(spec: Mapping[str, Any], path: str, *, of_pod: bool) -> list[FieldError]:
    """Of spec.securityContext, with the pod's namespaces that Kubernetes keeps there internally.

    `of_pod`: of a pod, and not of a template, which may have what pods may not.
    """
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
        errors += _sysctl_errors(context["sysctls"], spec, f"{at}.sysctls", of_pod=of_pod)
    errors += _choice_errors(context, "fsGroupChangePolicy", frozenset(POD_FS_GROUP_CHANGE_POLICIES), at)
    errors += _seccomp_errors(context.get("seccompProfile"), f"{at}.seccompProfile")
    errors += windows_options_errors(context.get("windowsOptions"), f"{at}.windowsOptions")
    errors += _app_armor_errors(context.get("appArmorProfile"), f"{at}.appArmorProfile")
    errors += _choice_errors(context, "supplementalGroupsPolicy", SUPPLEMENTAL_GROUPS_POLICIES, at)
    return errors + _choice_errors(context, "seLinuxChangePolicy", ("MountOption", "Recursive"), at)


def _choice_errors(context: Mapping[str, Any], field: str, allowed: Collection[str], path: str) -> list[FieldError]:
    value = context.get(field)
    return [] if value is None or value in allowed else [not_supported(f"{path}.{field}", value, allowed)]


def container_security_errors(context: Mapping[str, Any], path: str, *, host_users: bool) -> list[FieldError]:
    """`host_users`: the pod has no user namespace of its own."""
    errors: list[FieldError] = []
    for field in ("runAsUser", "runAsGroup"):
        errors += _id_errors(context.get(field), f"{path}.{field}")
    mount = context.get("procMount")
    if mount is not None and mount not in PROC_MOUNT_TYPES:
        errors.append(not_supported(f"{path}.procMount", mount, PROC_MOUNT_TYPES))
    if mount == "Unmasked" and host_users:
        errors.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += _seccomp_errors(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            errors.append(invalid(path, _quoted(context), f"{_ESCALATION}`privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            errors.append(invalid(path, _quoted(context), f"{_ESCALATION}`capabilities.Add` CAP_SYS_ADMIN"))
    errors += windows_options_errors(context.get("windowsOptions"), f"{path}.windowsOptions")
    return errors + _app_armor_errors(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def _quoted(context: Mapping[str, Any]) -> dict[str, Any]:
    return {shown: context.get(field) for shown, field in _CONTAINER_FIELDS}


def _id_errors(value: int | None, path: str) -> list[FieldError]:
    if value is None or 0 <= value <= MAX_INT32:
        return []
    return [invalid(path, value, range_message(0, MAX_INT32))]


def _seccomp_errors(profile: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    errors = _profile_type_errors(profile, path, "seccompProfile")
    local = profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if profile.get("type") == "Localhost":
        if local is None:
            errors.append(required(at, "must be set when seccomp type is Localhost"))
        else:
            errors += local_path(local, at)
    elif local is not None:
        shown = internal_form(profile, "io.k8s.api.core.v1.SeccompProfile")
        errors.append(invalid(at, shown, "can only be set when seccomp type is Localhost"))
    return errors


def _app_armor_errors(profile: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if kind not in _PROFILES:
        return _profile_type_errors(profile, path, "appArmorProfile")
    if kind != "Localhost":
        return [] if local is None else [invalid(at, local, "can only be set when AppArmor type is Localhost")]
    if not local:
        return [required(at, "must be set when AppArmor type is Localhost")]
    errors = [] if local == local.strip() else [invalid(at, local, "must not be padded with whitespace")]
    if len(local.encode()) > _MAX_PROFILE:
        errors.append(too_long(at, _MAX_PROFILE))
    return errors


def _profile_type_errors(profile: Mapping[str, Any], path: str, field: str) -> list[FieldError]:
    kind = profile.get("type") or ""
    if not kind:
        return [required(f"{path}.type", f"type is required when {field} is set")]
    return [] if kind in _PROFILES else [not_supported(f"{path}.type", kind, _PROFILES)]


def _host_sysctl_errors(name: str, spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """A sysctl of a namespace that the pod shares with its host would change the host's."""
    plain = name.replace("/", ".")
    if spec.get("hostNetwork") and plain.startswith("net."):
        return [invalid(path, name, "may not be specified when 'hostNetwork' is true")]
    if spec.get("hostIPC") and (plain in _IPC_SYSCTLS or plain.startswith(_IPC_PREFIXES)):
        return [invalid(path, name, "may not be specified when 'hostIPC' is true")]
    return []


def _sysctl_errors(
    sysctls: list[Mapping[str, Any]], spec: Mapping[str, Any], path: str, *, of_pod: bool
) -> list[FieldError]:
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
        if of_pod:
            errors += _host_sysctl_errors(name, spec, at)
    return errors
