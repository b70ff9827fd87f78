"""Validation of containers and init containers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import PROTOCOLS, RESTART_POLICIES, TERMINATION_MESSAGE_POLICIES
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_many
from kubeactors.api.validation.common import dns1123_label, port_number
from kubeactors.api.validation.names import port_name_errors
from kubeactors.api.validation.pod.env import env_errors, env_from_errors
from kubeactors.api.validation.pod.images import pull_policy_errors
from kubeactors.api.validation.pod.mounts import volume_device_errors, volume_mount_errors
from kubeactors.api.validation.pod.probe import lifecycle_errors, probe_errors
from kubeactors.api.validation.pod.resources import resource_requirements_errors
from kubeactors.api.validation.pod.security import container_security_errors

_PROTOCOLS: Final = frozenset(PROTOCOLS)
_RESTART_ACTIONS: Final = ("Restart", "RestartAllContainers")
_MAX_RULES, _MAX_EXIT_CODES = 20, 255
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
        errors += _running_errors(container, spec, at) + _restart_errors(container, at, init=False)
    return errors + _host_port_conflicts(containers, path)


def init_containers_errors(spec: Mapping[str, Any], volumes: Volumes, claims: set[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names = {c.get("name") or "" for c in spec.get("containers") or ()}
    for i, container in enumerate(spec["initContainers"]):
        at = f"{path}[{i}]"
        errors += container_common_errors(container, spec, volumes, claims, at)
        restartable = container.get("restartPolicy") == "Always"
        errors += _restart_errors(container, at, init=True)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate(f"{at}.name", name))
        elif name:
            names.add(name)
        # One container by itself, the first of its list to Kubernetes.
        errors += _host_port_conflicts([container], path)
        if restartable:
            errors += _running_errors(container, spec, at)
            continue
        message = "may not be set for init containers without restartPolicy=Always"
        errors += [forbidden(f"{at}.{f}", message) for f in ("lifecycle", *_PROBES) if container.get(f) is not None]
        for j, policy in enumerate(container.get("resizePolicy") or ()):
            if policy.get("restartPolicy") == "RestartContainer":
                message = "must not be set to 'RestartContainer' for non-sidecar initContainers"
                errors.append(invalid(f"{at}.resizePolicy[{j}].restartPolicy", "RestartContainer", message))
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
        errors += env_errors(container["env"], f"{path}.env")
    if container.get("envFrom"):
        errors += env_from_errors(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        errors += volume_mount_errors(container, volumes, f"{path}.volumeMounts")
    if container.get("volumeDevices"):
        errors += volume_device_errors(container, volumes, f"{path}.volumeDevices")
    errors += pull_policy_errors(container.get("imagePullPolicy") or "", f"{path}.imagePullPolicy")
    if container.get("resources"):
        errors += resource_requirements_errors(container["resources"], claims, f"{path}.resources")
    if container.get("resizePolicy"):
        errors += _resize_policy_errors(container["resizePolicy"], f"{path}.resizePolicy", spec.get("restartPolicy"))
    if container.get("securityContext"):
        shared = spec.get("hostUsers") is not False
        errors += container_security_errors(container["securityContext"], f"{path}.securityContext", host_users=shared)
    return errors


def image_whitespace_errors(containers: Sequence[Mapping[str, Any]], path: str, first: int = 0) -> list[FieldError]:
    """Of pods only: templates have been allowed more. `first`: the first container's index."""
    message = "must not have leading or trailing whitespace"
    return [
        invalid(f"{path}[{i}].image", c["image"], message)
        for i, c in enumerate(containers, first)
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


def _restart_errors(container: Mapping[str, Any], path: str, *, init: bool) -> list[FieldError]:
    """Of a container's own restart policy and the rules for its exit codes (KEP-5307, KEP-5532)."""
    errors: list[FieldError] = []
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or []
    if policy is None:
        if rules:
            message = "must specify restartPolicy when restart rules are used"
            errors.append(required(f"{path}.restartPolicy", message))
    elif policy not in RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", policy, frozenset(RESTART_POLICIES)))
    if policy is None and init:
        return errors
    if len(rules) > _MAX_RULES:
        errors.append(too_many(f"{path}.restartPolicyRules", len(rules), _MAX_RULES))
    for i, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{i}]"
        action, codes = rule.get("action") or "", rule.get("exitCodes")
        if action not in _RESTART_ACTIONS:
            errors.append(not_supported(f"{at}.action", action, _RESTART_ACTIONS))
        if codes is None:
            errors.append(required(f"{at}.exitCodes", "must be specified"))
            continue
        operator, values = codes.get("operator") or "", codes.get("values") or []
        if operator not in ("In", "NotIn"):
            errors.append(not_supported(f"{at}.exitCodes.operator", operator, ("In", "NotIn")))
        if len(values) > _MAX_EXIT_CODES:
            errors.append(too_many(f"{at}.exitCodes.values", len(values), _MAX_EXIT_CODES))
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


def _host_port_conflicts(containers: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors = []
    used: set[str] = set()
    for i, container in enumerate(containers):
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
    for i, policy in enumerate(policies):
        resource, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if resource in seen:
            errors.append(duplicate(f"{path}[{i}]", resource))
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
            message = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            errors.append(invalid(path, restart, message))
    return errors
