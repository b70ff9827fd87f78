"""Validation of a pod spec, in the order of Kubernetes' ValidatePodSpec."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import DNS_POLICIES, PREEMPTION_POLICIES, RESTART_POLICIES
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from kubeactors.api.validation.addresses import legacy_ip_errors
from kubeactors.api.validation.common import (
    MAX_INT32,
    dns1123_label,
    dns1123_subdomain,
    qualified_name,
    range_message,
)
from kubeactors.api.validation.metadata import annotation_errors, label_errors
from kubeactors.api.validation.names import regex_message
from kubeactors.api.validation.pod.annotations import pod_annotation_errors, profile_mismatch_errors
from kubeactors.api.validation.pod.claims import pod_claims_errors
from kubeactors.api.validation.pod.container import containers_errors, init_containers_errors
from kubeactors.api.validation.pod.env import file_volume_errors
from kubeactors.api.validation.pod.ephemeral import ephemeral_containers_errors
from kubeactors.api.validation.pod.operating_system import (
    host_process_errors,
    host_users_errors,
    operating_system_errors,
)
from kubeactors.api.validation.pod.resources import pod_resources_errors, resource_requirements_errors
from kubeactors.api.validation.pod.scheduling import affinity_errors, tolerations_errors, topology_spread_errors
from kubeactors.api.validation.pod.security import pod_security_errors
from kubeactors.api.validation.pod.volume import volumes_errors

_HOST_NAME_MAX: Final = 64
_SEARCH_PATTERN: Final = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
_SEARCH_MESSAGE: Final = regex_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SEARCH_PATTERN,
    "example.com",
)


def pod_template_errors(template: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of a workload's pod template."""
    meta = template.get("metadata") or {}
    errors = label_errors(meta.get("labels"), f"{path}.labels") if meta.get("labels") else []
    if meta.get("annotations"):
        errors += annotation_errors(meta["annotations"], f"{path}.annotations")
    spec, annotations = template.get("spec") or {}, meta.get("annotations") or {}
    errors += pod_annotation_errors(annotations, spec, f"{path}.annotations")
    errors += pod_spec_errors(spec, f"{path}.spec")
    errors += profile_mismatch_errors(annotations, spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        message = "ephemeral containers not allowed in pod template"
        errors.append(forbidden(f"{path}.spec.ephemeralContainers", message))
    return errors


def pod_spec_errors(spec: Mapping[str, Any], path: str, pod: str | None = None) -> list[FieldError]:
    """Of a pod spec, in a pod or a template. `pod`: the name of the pod; None in templates."""
    errors: list[FieldError] = []
    volumes: dict[str, Mapping[str, Any]] = {}
    if spec.get("volumes"):
        volumes, found = volumes_errors(spec["volumes"], f"{path}.volumes", pod)
        errors += found
    if spec.get("resourceClaims"):
        errors += pod_claims_errors(spec["resourceClaims"], f"{path}.resourceClaims")
    claims = {c["name"] for c in spec.get("resourceClaims") or () if c.get("name")}
    errors += containers_errors(spec, volumes, claims, f"{path}.containers")
    if spec.get("initContainers"):
        errors += init_containers_errors(spec, volumes, claims, f"{path}.initContainers")
    if spec.get("ephemeralContainers"):
        errors += ephemeral_containers_errors(spec, volumes, claims, f"{path}.ephemeralContainers")
    if spec.get("resources"):
        errors += pod_resources_errors(spec, f"{path}.resources")
    if spec.get("hostNetwork"):
        errors += _host_network_errors(spec, path, defaulted=pod is not None)
    errors += _policy_errors(spec, path)
    if spec.get("nodeSelector"):
        errors += label_errors(spec["nodeSelector"], f"{path}.nodeSelector")
    errors += pod_security_errors(spec, path, of_pod=pod is not None)
    if spec.get("affinity"):
        errors += affinity_errors(spec["affinity"], f"{path}.affinity")
    errors += _dns_config_errors(spec, f"{path}.dnsConfig")
    errors += _gate_errors(spec, path)
    if spec.get("topologySpreadConstraints"):
        errors += topology_spread_errors(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    errors += host_process_errors(spec, path)
    errors += host_users_errors(spec, path)
    errors += _host_name_errors(spec, f"{path}.hostnameOverride")
    errors += _name_errors(spec, path)
    if spec.get("tolerations"):
        errors += tolerations_errors(spec["tolerations"], f"{path}.tolerations")
    errors += _host_alias_errors(spec, path)
    errors += _class_errors(spec, path)
    return errors + file_volume_errors(spec, path)


def _host_network_errors(spec: Mapping[str, Any], path: str, *, defaulted: bool) -> list[FieldError]:
    """`defaulted`: ports of the host have been filled in, as those of templates have not."""
    errors = []
    for i, container in enumerate(spec.get("containers") or ()):
        for j, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort") or 0
            if (defaulted or host) and host != port.get("containerPort"):
                message = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid(f"{path}.containers[{i}].ports[{j}].hostPort", host, message))
    return errors


def _policy_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    restart = spec.get("restartPolicy") or ""
    if not restart:
        errors.append(required(f"{path}.restartPolicy"))
    elif restart not in RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", restart, RESTART_POLICIES))
    dns = spec.get("dnsPolicy") or ""
    if not dns:
        errors.append(required(f"{path}.dnsPolicy"))
    elif dns not in DNS_POLICIES:
        errors.append(not_supported(f"{path}.dnsPolicy", dns, DNS_POLICIES))
    return errors


def _dns_config_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if not config:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            message = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", message)]
    if not config:
        return []
    errors = []
    servers = config.get("nameservers") or []
    if len(servers) > 3:
        errors.append(invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for i, server in enumerate(servers):
        errors += legacy_ip_errors(server, f"{path}.nameservers[{i}]")
    searches = config.get("searches") or []
    if len(searches) > 32:
        errors.append(invalid(f"{path}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        message = "must not have more than 2048 characters (including spaces) in the search list"
        errors.append(invalid(f"{path}.searches", searches, message))
    for i, search in enumerate(searches):
        errors += _search_errors(search, f"{path}.searches[{i}]")
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{i}]", "must not be empty"))
    return errors


def _search_errors(search: str, path: str) -> list[FieldError]:

    plain = search.removesuffix(".") if search != "." else ""
    if not plain or re.fullmatch(_SEARCH_PATTERN, plain):
        return []
    return [invalid(path, plain, _SEARCH_MESSAGE)]


def _gate_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        errors += qualified_name(gate.get("conditionType") or "", f"{path}.readinessGates[{i}].conditionType")
    seen: set[str] = set()
    for i, gate in enumerate(spec.get("schedulingGates") or ()):
        name = gate.get("name") or ""
        errors += qualified_name(name, f"{path}.schedulingGates[{i}]")
        if name in seen:
            errors.append(duplicate(f"{path}.schedulingGates[{i}]", name))
        seen.add(name)
    return errors


def _host_name_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of a host name that is not made from the pod's own (KEP-4762)."""
    name = spec.get("hostnameOverride")
    if name is None:
        return []
    errors = [
        forbidden(path, f"may not be specified when {field} is true")
        for field in ("setHostnameAsFQDN", "hostNetwork")
        if spec.get(field)
    ]
    if len(name.encode()) > _HOST_NAME_MAX:
        errors.append(too_long(path, _HOST_NAME_MAX))
    return errors + dns1123_subdomain(name, path)


def _name_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    for field in ("serviceAccountName", "nodeName"):
        if spec.get(field):
            errors += dns1123_subdomain(spec[field], f"{path}.{field}")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_INT32:
        errors.append(invalid(f"{path}.activeDeadlineSeconds", deadline, range_message(1, MAX_INT32)))
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            errors += dns1123_label(spec[field], f"{path}.{field}")
    return errors


def _host_alias_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    for i, alias in enumerate(spec.get("hostAliases") or ()):
        errors += legacy_ip_errors(alias.get("ip") or "", f"{path}.hostAliases[{i}].ip")
        for j, host in enumerate(alias.get("hostnames") or ()):
            errors += dns1123_subdomain(host, f"{path}.hostAliases[{i}].hostnames[{j}]")
    return errors


def _class_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    if spec.get("priorityClassName"):
        errors += dns1123_subdomain(spec["priorityClassName"], f"{path}.priorityClassName")
    if spec.get("runtimeClassName") is not None:
        errors += dns1123_subdomain(spec["runtimeClassName"], f"{path}.runtimeClassName")
    policy = spec.get("preemptionPolicy")
    if policy is not None and policy not in PREEMPTION_POLICIES:
        if policy == "":
            errors.append(required(f"{path}.preemptionPolicy"))
        else:
            errors.append(not_supported(f"{path}.preemptionPolicy", policy, PREEMPTION_POLICIES))
    if spec.get("overhead"):
        errors += resource_requirements_errors({"limits": spec["overhead"]}, set(), f"{path}.overhead")
    system = spec.get("os")
    if system is not None:
        name = system.get("name") or ""
        if not name:
            errors.append(required(f"{path}.os.name"))
        elif name not in ("linux", "windows"):
            errors.append(not_supported(f"{path}.os", name, ("linux", "windows")))
        else:
            errors += operating_system_errors(spec, path)
    return errors
