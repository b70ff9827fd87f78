"""Validation of containers and init containers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import PROTOCOLS, PULL_POLICIES, RESTART_POLICIES, TERMINATION_MESSAGE_POLICIES
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubeactors.api.validation.common import dns1123_label, port_number
from kubeactors.api.validation.names import port_name_errors
from kubeactors.api.validation.pod.env import env_errors, env_from_errors
from kubeactors.api.validation.pod.mounts import volume_device_errors, volume_mount_errors
from kubeactors.api.validation.pod.probe import lifecycle_errors, probe_errors
from kubeactors.api.validation.pod.resources import resource_requirements_errors
from kubeactors.api.validation.pod.security import container_security_errors

_PULL_POLICIES: Final = frozenset(PULL_POLICIES)
_PROTOCOLS: Final = frozenset(PROTOCOLS)
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")

Volumes = Mapping[str, Mapping[str, Any]]


def containers_errors(spec: Mapping[str, Any], volumes: Volumes, claims: set[str], path: str) -> list[FieldError]:
    containers = spec.get("containers") or []
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, container in enumerate(containers):
        at = f"{path}[{i}]"
        errors += container_common_errors(container, spec, volumes, claims, at)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate(f"{at}.name", name))
        names.add(name)
        errors += _running_errors(container, spec, at)
    return errors + _host_port_conflicts(containers, path)


def init_containers_errors(spec: Mapping[str, Any], volumes: Volumes, claims: set[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names = {c.get("name") for c in spec.get("containers") or ()}
    for i, container in enumerate(spec["initContainers"]):
        at = f"{path}[{i}]"
        errors += container_common_errors(container, spec, volumes, claims, at)
        policy = container.get("restartPolicy")
        restartable = policy == "Always"
        if policy is not None and policy not in RESTART_POLICIES:
            errors.append(not_supported(f"{at}.restartPolicy", policy, ("Always",)))
        name = container.get("name") or ""
        if name and name in names:
            errors.append(duplicate(f"{at}.name", name))
        names.add(name)
        errors += _host_port_conflicts([container], path, first=i)
        if restartable:
            errors += _running_errors(container, spec, at)
            continue
        message = "may not be set for init containers without restartPolicy=Always"
        errors += [forbidden(f"{at}.{f}", message) for f in ("lifecycle", *_PROBES) if container.get(f) is not None]
        if container.get("resizePolicy"):
            errors.append(forbidden(f"{at}.resizePolicy", message))
    return errors


def container_common_errors(
    container: Mapping[str, Any], spec: Mapping[str, Any], volumes: Volumes, claims: set[str], path: str
) -> list[FieldError]:
    """What holds for containers of every sort."""
    errors: list[FieldError] = []
    name = container.get("name") or ""
    errors += dns1123_label(name, f"{path}.name") if name else [required(f"{path}.name")]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy") or ""
    if not policy:
        errors.append(required(f"{path}.terminationMessagePolicy"))
    elif policy not in TERMINATION_MESSAGE_POLICIES:
        errors.append(not_supported(f"{path}.terminationMessagePolicy", policy, TERMINATION_MESSAGE_POLICIES))
    if container.get("ports"):
        errors += _ports_errors(container["ports"], f"{path}.ports")
    if container.get("env"):
        errors += env_errors(container["env"], volumes, f"{path}.env")
    if container.get("envFrom"):
        errors += env_from_errors(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        errors += volume_mount_errors(container, volumes, f"{path}.volumeMounts")
    if container.get("volumeDevices"):
        errors += volume_device_errors(container, volumes, f"{path}.volumeDevices")
    pull = container.get("imagePullPolicy") or ""
    if not pull:
        errors.append(required(f"{path}.imagePullPolicy"))
    elif pull not in _PULL_POLICIES:
        errors.append(not_supported(f"{path}.imagePullPolicy", pull, _PULL_POLICIES))
    if container.get("resources"):
        errors += resource_requirements_errors(container["resources"], claims, f"{path}.resources")
    if container.get("resizePolicy"):
        errors += _resize_policy_errors(container["resizePolicy"], f"{path}.resizePolicy", spec.get("restartPolicy"))
    if container.get("securityContext"):
        shared = spec.get("hostUsers") is not False
        errors += container_security_errors(container["securityContext"], f"{path}.securityContext", host_users=shared)
    return errors


def image_whitespace_errors(containers: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    """Of pods only: templates have been allowed more."""
    message = "must not have leading or trailing whitespace"
    return [
        invalid(f"{path}[{i}].image", c["image"], message)
        for i, c in enumerate(containers)
        if c.get("image") and c["image"] != c["image"].strip()
    ]


def _running_errors(container: Mapping[str, Any], spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    grace = spec.get("terminationGracePeriodSeconds") or 0
    if container.get("lifecycle"):
        errors += lifecycle_errors(container["lifecycle"], grace, f"{path}.lifecycle")
    for name in _PROBES:
        if container.get(name) is not None:
            errors += probe_errors(name, container[name], grace, f"{path}.{name}")
    return errors


def _ports_errors(ports: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at = f"{path}[{i}]"
        name = port.get("name") or ""
        if name:
            messages = port_name_errors(name)
            if messages:
                errors += [invalid(f"{at}.name", name, m) for m in messages]
            elif name in names:
                errors.append(duplicate(f"{at}.name", name))
            names.add(name)
        number = port.get("containerPort") or 0
        if not number:
            errors.append(required(f"{at}.containerPort"))
        else:
            errors += port_number(number, f"{at}.containerPort")
        if port.get("hostPort"):
            errors += port_number(port["hostPort"], f"{at}.hostPort")
        protocol = port.get("protocol") or ""
        if not protocol:
            errors.append(required(f"{at}.protocol"))
        elif protocol not in _PROTOCOLS:
            errors.append(not_supported(f"{at}.protocol", protocol, _PROTOCOLS))
    return errors


def _host_port_conflicts(containers: Sequence[Mapping[str, Any]], path: str, first: int = 0) -> list[FieldError]:
    errors = []
    used: set[str] = set()
    for i, container in enumerate(containers, first):
        for j, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if key in used:
                errors.append(duplicate(f"{path}[{i}].ports[{j}].hostPort", key))
            used.add(key)
    return errors


def _resize_policy_errors(
    policies: Sequence[Mapping[str, Any]], path: str, pod_restart_policy: str | None
) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for policy in policies:
        resource, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if resource in seen:
            errors.append(duplicate(path, resource))
        seen.add(resource)
        if not resource:
            errors.append(required(path))
        elif resource not in ("cpu", "memory"):
            errors.append(not_supported(path, resource, ("cpu", "memory")))
        if not restart:
            errors.append(required(path))
        elif restart not in ("NotRequired", "RestartContainer"):
            errors.append(not_supported(path, restart, ("NotRequired", "RestartContainer")))
        if pod_restart_policy == "Never" and restart != "NotRequired":
            message = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            errors.append(invalid(path, restart, message))
    return errors
