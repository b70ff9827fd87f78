"""What pods of one operating system may not have, processes of a Windows host, and user namespaces."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid
from kubeactors.api.validation.names import dns1123_subdomain_errors

Struct = Mapping[str, Any]

_NOT_ON_WINDOWS: Final = "cannot be set for a windows pod"
_NOT_ON_LINUX: Final = "windows options cannot be set for a linux pod"
_NOT_IN_USER_NAMESPACE: Final = "when `hostUsers` is false"
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
# Fields of pods and of their containers that Linux alone has, in the order in which Kubernetes looks at them; those of
# pods with their place.
_OF_LINUX_PODS: Final = (
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
)
_OF_LINUX_CONTAINERS: Final = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_MAX_CREDENTIALS: Final = 64 * 1024  # bytes
_MAX_DOMAIN, _MAX_USER = 256, 104
_NET_BIOS: Final = re.compile(r"""[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}""")
_DOMAIN_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DOMAIN: Final = re.compile(rf"{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*")


def operating_system_errors(spec: Struct, path: str) -> list[FieldError]:
    """Of a pod that names a known operating system."""
    name = (spec.get("os") or {}).get("name")
    if name == "linux":
        return _linux_errors(spec, path)
    return _windows_errors(spec, path) if name == "windows" else []


def _linux_errors(spec: Struct, path: str) -> list[FieldError]:
    contexts = [(spec.get("securityContext") or {}, f"{path}.securityContext"), *_contexts(spec, path)]
    return [
        forbidden(f"{at}.windowsOptions", _NOT_ON_LINUX) for found, at in contexts if _given(found, "windowsOptions")
    ]


def _windows_errors(spec: Struct, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for place in _OF_LINUX_PODS:
        holder, _, field = place.rpartition(".")
        owner = (spec.get(holder) or {}) if holder else spec
        # The pod's namespaces of the host are plain booleans.
        given = bool(owner.get(field)) if field in ("hostPID", "hostIPC", "sysctls") else _given(owner, field)
        if given:
            errors.append(forbidden(f"{path}.{place}", _NOT_ON_WINDOWS))
    for context, at in _contexts(spec, path):
        errors += [forbidden(f"{at}.{f}", _NOT_ON_WINDOWS) for f in _OF_LINUX_CONTAINERS if _given(context, f)]
    return errors


def host_process_errors(spec: Struct, path: str) -> list[FieldError]:
    """Of processes of a Windows host (KEP-1981): all containers of a pod are, or none."""
    of_pod = _host_process(spec.get("securityContext") or {})
    errors: list[FieldError] = []
    containers = sum(len(spec.get(name) or ()) for name in _LISTS)
    count = 0 if not of_pod else containers
    for context, at in _contexts(spec, path):
        own = _host_process(context)
        if own is None:
            continue
        if of_pod is not None and own != of_pod:
            message = f"pod hostProcess value must be identical if both are specified, was {str(of_pod).lower()}"
            errors.append(invalid(f"{at}.windowsOptions.hostProcess", own, message))
        count += own - bool(of_pod)
    if count:
        if count != containers:
            message = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
            errors.append(invalid(path, "", message))
        if not spec.get("hostNetwork"):
            message = "hostNetwork must be true if pod contains any hostProcess containers"
            errors.append(invalid(f"{path}.hostNetwork", False, message))
    return errors


def windows_options_errors(options: Struct | None, path: str) -> list[FieldError]:
    """Of securityContext.windowsOptions of a pod or a container."""
    errors: list[FieldError] = []
    name, credentials, user = (
        (options or {}).get(f) for f in ("gmsaCredentialSpecName", "gmsaCredentialSpec", "runAsUserName")
    )
    if name is not None:
        errors += [invalid(f"{path}.gmsaCredentialSpecName", name, m) for m in dns1123_subdomain_errors(name)]
    if credentials is not None:
        at = f"{path}.gmsaCredentialSpec"
        if not credentials:
            errors.append(invalid(at, credentials, "gmsaCredentialSpec cannot be an empty string"))
        elif len(credentials.encode()) > _MAX_CREDENTIALS:
            errors.append(
                invalid(at, credentials, f"gmsaCredentialSpec size must be under {_MAX_CREDENTIALS // 1024} KiB")
            )
    if user is not None:
        at = f"{path}.runAsUserName"
        errors += [invalid(at, user, f"runAsUserName{problem}") for problem in _user_problems(user)]
    return errors


def _user_problems(name: str) -> list[str]:
    """What is wrong with `DOMAIN\\user`."""
    if not name:
        return [" cannot be an empty string"]
    if any(ord(character) < 0x20 or character == "\x7f" for character in name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, separator, user = name.rpartition("\\")
    problems = []
    if len(domain) >= _MAX_DOMAIN:
        problems.append(f"'s Domain length must be under {_MAX_DOMAIN} characters")
    if separator and not (_NET_BIOS.fullmatch(domain) or _DOMAIN.fullmatch(domain)):
        problems.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        problems.append("'s User cannot be empty")
    elif len(user) > _MAX_USER:
        problems.append(f"'s User length must not be longer than {_MAX_USER} characters")
    if user and not user.strip(". "):
        problems.append("'s User cannot contain only periods or spaces")
    if re.search(r"""["/\\:;|=,+*?<>@\[\]]""", user):
        problems.append("""'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]""")
    return problems


def host_users_errors(spec: Struct, path: str) -> list[FieldError]:
    """A pod with a user namespace of its own (KEP-127) shares no other namespace with its host."""
    if spec.get("hostUsers") is not False:
        return []
    shown = {"hostNetwork": "hostNetwork", "hostPID": "HostPID", "hostIPC": "HostIPC"}
    errors = [forbidden(f"{path}.{name}", _NOT_IN_USER_NAMESPACE) for field, name in shown.items() if spec.get(field)]
    for name in _LISTS:
        for i, container in enumerate(spec.get(name) or ()):
            if container.get("volumeDevices"):
                errors.append(forbidden(f"{path}.{name}[{i}].volumeDevices", _NOT_IN_USER_NAMESPACE))
    return errors


def _contexts(spec: Struct, path: str) -> Iterator[tuple[Struct, str]]:
    """The security context of each container with its path."""
    for name in _LISTS:
        for i, container in enumerate(spec.get(name) or ()):
            if container.get("securityContext") is not None:
                yield container["securityContext"], f"{path}.{name}[{i}].securityContext"


def _host_process(context: Struct) -> bool | None:
    found: bool | None = (context.get("windowsOptions") or {}).get("hostProcess")
    return found


def _given(holder: Struct, field: str) -> bool:
    return holder.get(field) is not None
