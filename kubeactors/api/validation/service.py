"""Validation of services. What needs the allocators (ranges, addresses that are taken) is the registry's."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import (
    IP_FAMILY_POLICIES,
    PROTOCOLS,
    SERVICE_AFFINITIES,
    SERVICE_TRAFFIC_POLICIES,
    SERVICE_TYPES,
)
from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kubeactors.api.services import externally_accessible, is_headless, needs_health_check_port
from kubeactors.api.validation.addresses import legacy_cidr_errors, legacy_ip_errors, sloppy_ip
from kubeactors.api.validation.common import (
    dns1123_label,
    dns1123_subdomain,
    duplicates,
    endpoint_ip,
    port_number,
    port_number_or_name,
    qualified_name,
)
from kubeactors.api.validation.metadata import label_errors

_TYPES: Final = frozenset(SERVICE_TYPES)
_PROTOCOLS: Final = frozenset(PROTOCOLS)
_FAMILY_POLICIES: Final = frozenset(IP_FAMILY_POLICIES)
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_AFFINITY_MAX_SECONDS: Final = 86400
_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TOPOLOGY_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_TOPOLOGY_MODE: Final = "service.kubernetes.io/topology-mode"
_ONLY_BALANCERS: Final = "may only be used when `type` is 'LoadBalancer'"
_ONLY_STATUS: Final = "may only be used when `spec.type` is 'LoadBalancer'"
_NOT_FOR_NAMES: Final = "may not be set for ExternalName services"
_ONCE: Final = "may not change once set"


def service_errors(service: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[FieldError]:
    """`old`: the service as it was, whose addresses and ranges may stay whatever they are."""
    spec, before = service.get("spec") or {}, (old or {}).get("spec") or {}
    kind = spec.get("type") or ""
    ports = spec.get("ports") or []
    errors = _hints_errors((service.get("metadata") or {}).get("annotations") or {})
    if not ports and not is_headless(spec) and kind != "ExternalName":
        errors.append(required("spec.ports"))
    errors += _type_errors(kind, spec)
    names: set[str] = set()
    for i, port in enumerate(ports):
        errors += _port_errors(port, len(ports) > 1, names, f"spec.ports[{i}]")
    if spec.get("selector"):
        errors += label_errors(spec["selector"], "spec.selector")
    errors += _affinity_errors(spec)
    errors += cluster_ip_errors(spec, before.get("clusterIPs") or [])
    for i, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{i}]"
        errors += legacy_ip_errors(address, path, before.get("externalIPs") or ()) or endpoint_ip(address, path)
    if not kind:
        errors.append(required("spec.type"))
    elif kind not in _TYPES:
        errors.append(not_supported("spec.type", kind, _TYPES))
    if kind == "ClusterIP":
        message = "may not be used when `type` is 'ClusterIP'"
        errors += [forbidden(f"spec.ports[{i}].nodePort", message) for i, p in enumerate(ports) if p.get("nodePort")]
    errors += _duplicate_port_errors(ports)
    errors += _source_range_errors(service, old)
    errors += _load_balancer_errors(kind, spec)
    return errors + _traffic_errors(kind, spec)


def service_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    new_spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    if "ExternalName" not in (new_spec.get("type"), old_spec.get("type")):
        errors += _address_change_errors(new_spec, old_spec) + _family_change_errors(new_spec, old_spec)
    kind, wanted = new_spec.get("type"), new_spec.get("loadBalancerClass")
    if old_spec.get("type") == kind == "LoadBalancer" and wanted != old_spec.get("loadBalancerClass"):
        errors.append(invalid("spec.loadBalancerClass", wanted, _ONCE))
    errors += _class_errors(new_spec)
    checked = needs_health_check_port(old_spec) and needs_health_check_port(new_spec)
    if checked and (new_spec.get("healthCheckNodePort") or 0) != (old_spec.get("healthCheckNodePort") or 0):
        errors.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return errors + service_errors(new, old)


def _address_change_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """A second address may come, and go with the policy for it; the first stays."""
    if is_headless(new) and is_headless(old):
        return []
    after, before = new.get("clusterIPs") or [], old.get("clusterIPs") or []
    path = "spec.clusterIPs"
    shown = after or None
    if len(after) == len(before):
        changed = [i for i, address in enumerate(before) if address != after[i]]
        return [invalid(f"{path}[{i}]", shown, _ONCE) for i in changed]
    errors: list[FieldError] = []
    if not after:
        errors.append(invalid(f"{path}[0]", shown, "primary clusterIP can not be unset"))
    elif before and after[0] != before[0]:
        errors.append(invalid(f"{path}[0]", shown, _ONCE))
    policy = new.get("ipFamilyPolicy")
    if len(before) > len(after) == 1 and policy != "SingleStack":
        message = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        errors.append(invalid("spec.ipFamilyPolicy", policy, message))
    return errors


def _family_change_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    if is_headless(new) or is_headless(old):
        return []
    after, before = new.get("ipFamilies") or [], old.get("ipFamilies") or []
    path, addresses = "spec.ipFamilies[0]", new.get("clusterIPs") or None
    if len(after) == len(before):
        return [invalid(path, after, _ONCE) for one, other in zip(after, before, strict=True) if one != other]
    errors: list[FieldError] = []
    if len(after) < len(before) and not addresses:
        errors.append(invalid(path, after or None, "primary ipFamily can not be unset"))
    if after and before and after[0] != before[0]:
        errors.append(invalid(path, addresses, _ONCE))
    policy = new.get("ipFamilyPolicy")
    if len(before) > len(after) == 1 and policy != "SingleStack":
        message = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        errors.append(invalid("spec.ipFamilyPolicy", policy, message))
    return errors


def service_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status: what the load balancer answers on."""
    kind = (new.get("spec") or {}).get("type")
    return load_balancer_status_errors(new, old, None if kind == "LoadBalancer" else _ONLY_STATUS)


def load_balancer_status_errors(
    new: Mapping[str, Any], old: Mapping[str, Any], forbidden_because: str | None = None
) -> list[FieldError]:
    """Of status.loadBalancer of a service. `forbidden_because`: why it may have no points of entry."""
    ingress, before = (((o.get("status") or {}).get("loadBalancer") or {}).get("ingress") or [] for o in (new, old))
    path = "status.loadBalancer.ingress"
    if ingress and forbidden_because:
        return [forbidden(path, forbidden_because)]
    existing = [point["ip"] for point in before if point.get("ip")]
    errors: list[FieldError] = []
    for i, point in enumerate(ingress):
        at = f"{path}[{i}]"
        address, host, mode = point.get("ip") or "", point.get("hostname") or "", point.get("ipMode")
        if address:
            errors += legacy_ip_errors(address, f"{at}.ip", existing)
        if mode is None:
            if address:
                errors.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif not address:
            errors.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode not in ("Proxy", "VIP"):
            errors.append(not_supported(f"{at}.ipMode", mode, ("Proxy", "VIP")))
        if host:
            errors += dns1123_subdomain(host, f"{at}.hostname")
            if sloppy_ip(host) is not None:
                errors.append(invalid(f"{at}.hostname", host, "must be a DNS name, not an IP address"))
    return errors


def _hints_errors(annotations: Mapping[str, str]) -> list[FieldError]:
    mode, hints = annotations.get(_TOPOLOGY_MODE), annotations.get(_TOPOLOGY_HINTS)
    if mode is None or hints is None or mode == hints:
        return []
    message = f"must match annotations[{_TOPOLOGY_HINTS}] when both are specified"
    return [invalid(f"metadata.annotations[{_TOPOLOGY_MODE}]", mode, message)]


def _type_errors(kind: str, spec: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        fields = ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        errors += [forbidden(f"spec.{field}", _NOT_FOR_NAMES) for field in fields if spec.get(field)]
        name = (spec.get("externalName") or "").removesuffix(".")
        errors += dns1123_subdomain(name, "spec.externalName") if name else [required("spec.externalName")]
    return errors


def _port_errors(port: Mapping[str, Any], need_name: bool, names: set[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name, protocol = port.get("name") or "", port.get("protocol") or ""
    if need_name and not name:
        errors.append(required(f"{path}.name"))
    elif name:
        errors += dns1123_label(name, f"{path}.name")
        if name in names:
            errors.append(duplicate(f"{path}.name", name))
        names.add(name)
    errors += port_number(port.get("port") or 0, f"{path}.port")
    if not protocol:
        errors.append(required(f"{path}.protocol"))
    elif protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    errors += port_number_or_name(port.get("targetPort", 0), f"{path}.targetPort")
    if port.get("appProtocol") is not None:
        errors += qualified_name(port["appProtocol"], f"{path}.appProtocol")
    return errors


def _affinity_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    affinity, config = spec.get("sessionAffinity") or "", spec.get("sessionAffinityConfig")
    path = "spec.sessionAffinityConfig"
    if not affinity:
        return [required("spec.sessionAffinity")]
    if affinity not in SERVICE_AFFINITIES:
        return [not_supported("spec.sessionAffinity", affinity, SERVICE_AFFINITIES)]
    if affinity == "None":
        return [forbidden(path, "must not be set when session affinity is None")] if config is not None else []
    if config is None:
        return [required(path, "when session affinity type is ClientIP")]
    client = config.get("clientIP")
    if client is None:
        return [required(f"{path}.clientIP", "when session affinity type is ClientIP")]
    seconds = client.get("timeoutSeconds")
    if seconds is None:
        message = "when session affinity type is ClientIP"
        return [required(f"{path}.clientIP.timeoutSeconds", message)]
    if not 0 < seconds <= _AFFINITY_MAX_SECONDS:
        message = f"must be greater than 0 and less than {_AFFINITY_MAX_SECONDS}"
        return [invalid(f"{path}.clientIP.timeoutSeconds", seconds, message)]
    return []


def cluster_ip_errors(spec: Mapping[str, Any], existing: Sequence[str]) -> list[FieldError]:
    """Of addresses and families; who allocates them looks first, alone. `existing`: the addresses it has already."""
    if spec.get("type") == "ExternalName":
        return []
    errors: list[FieldError] = []
    first, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    families = spec.get("ipFamilies") or []
    if first and not addresses:
        errors.append(required("spec.clusterIPs"))
    elif first and addresses[0] != first:
        errors.append(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif not first and addresses:
        errors.append(invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"))
    twice = set(duplicates(families))
    for i, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            errors.append(not_supported(f"spec.ipFamilies[{i}]", family, ("IPv4", "IPv6")))
        if i in twice:
            errors.append(duplicate(f"spec.ipFamilies[{i}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    return errors + _address_errors(addresses, families, existing)


def _address_errors(addresses: Sequence[str], families: Sequence[str], existing: Sequence[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    path = "spec.clusterIPs"
    headless = addresses[:1] == ["None"]
    if headless and len(addresses) > 1:
        errors.append(invalid(path, list(addresses), "'None' must be the first and only value"))
    for i, address in enumerate(addresses):
        if i or not headless:
            errors += legacy_ip_errors(address, f"{path}[{i}]", existing)
    stop = bool(errors)
    if len(addresses) > 2:
        errors.append(invalid(path, list(addresses), "may only hold up to 2 values"))
    if stop or headless:
        return errors
    versions = [parsed.version for a in addresses if (parsed := sloppy_ip(a)) is not None]
    if len(addresses) > 1 and len(set(versions)) < 2:
        message = "may specify no more than one IP for each IP family"
        errors.append(invalid(path, list(addresses), message))
    for i, (version, family) in enumerate(zip(versions, families, strict=False)):
        if family in ("IPv4", "IPv6") and family != f"IPv{version}":
            message = f"expected an {family} value as indicated by `ipFamilies[{i}]`"
            errors.append(invalid(f"{path}[{i}]", addresses[i], message))
    return errors


def _duplicate_port_errors(ports: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    node_ports: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        if not port.get("nodePort"):
            continue
        key = (port.get("protocol") or "", port["nodePort"])
        if key in node_ports:
            errors.append(duplicate(f"spec.ports[{i}].nodePort", port["nodePort"]))
        node_ports.add(key)
    numbers: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        protocol, number = port.get("protocol") or "", port.get("port") or 0
        if (protocol, number) in numbers:
            shown = {
                "Name": "",
                "Protocol": protocol,
                "AppProtocol": None,
                "Port": number,
                "TargetPort": 0,
                "NodePort": 0,
            }
            errors.append(duplicate(f"spec.ports[{i}]", shown))
        numbers.add((protocol, number))
    return errors


def _source_range_errors(service: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Of the ranges in the field (as Kubernetes calls it here), or in the annotation that was before it."""
    spec, path = service.get("spec") or {}, "spec.LoadBalancerSourceRanges"
    ranges = spec.get("loadBalancerSourceRanges") or []
    annotations, before = (((o or {}).get("metadata") or {}).get("annotations") or {} for o in (service, old))
    annotated = None if ranges else annotations.get(_SOURCE_RANGES)
    if not ranges and annotated is None:
        return []
    errors: list[FieldError] = []
    if annotated is not None:
        path = f"metadata.annotations[{_SOURCE_RANGES}]"
    if spec.get("type") != "LoadBalancer":
        errors.append(forbidden(path, _ONLY_BALANCERS))
    if annotated is None:
        existing = [text.strip() for text in ((old or {}).get("spec") or {}).get("loadBalancerSourceRanges") or ()]
        for i, text in enumerate(ranges):
            errors += legacy_cidr_errors(text.strip(), f"{path}[{i}]", existing)
    elif annotated.strip() and (old is None or before.get(_SOURCE_RANGES) != annotated):
        for text in annotated.split(","):
            errors += legacy_cidr_errors(text.strip(), path)
    return errors


def _load_balancer_errors(kind: str, spec: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    allocate = spec.get("allocateLoadBalancerNodePorts")
    if kind != "LoadBalancer" and allocate is not None:
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCERS))
    if kind == "LoadBalancer" and allocate is None:
        errors.append(required("allocateLoadBalancerNodePorts"))
    return errors + _class_errors(spec)


def _class_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    wanted = spec.get("loadBalancerClass")
    if wanted is None:
        return []
    if spec.get("type") == "LoadBalancer":
        return qualified_name(wanted, "spec.loadBalancerClass")
    return [forbidden("spec.loadBalancerClass", _ONLY_BALANCERS)]


def _traffic_errors(kind: str, spec: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    external = spec.get("externalTrafficPolicy") or ""
    path = "spec.externalTrafficPolicy"
    if not externally_accessible(spec):
        if external:
            message = "may only be set for externally-accessible services"
            errors.append(invalid(path, external, message))
    elif not external:
        errors.append(required(path))
    elif external not in SERVICE_TRAFFIC_POLICIES:
        errors.append(not_supported(path, external, SERVICE_TRAFFIC_POLICIES))
    port, at = spec.get("healthCheckNodePort") or 0, "spec.healthCheckNodePort"
    if needs_health_check_port(spec):
        errors += port_number(port, at) if port else [required(at)]
    elif port:
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid(at, port, message))
    internal = spec.get("internalTrafficPolicy")
    if internal is None:
        if kind in ("ClusterIP", "LoadBalancer", "NodePort"):
            errors.append(required("spec.internalTrafficPolicy"))
    elif internal not in SERVICE_TRAFFIC_POLICIES:
        errors.append(not_supported("spec.internalTrafficPolicy", internal, SERVICE_TRAFFIC_POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        errors.append(not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    return errors
