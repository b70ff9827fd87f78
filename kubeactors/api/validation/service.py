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
from kubeactors.api.services import externally_accessible, is_headless, needs_cluster_ip, needs_health_check_port
from kubeactors.api.validation.common import (
    cidr,
    dns1123_label,
    dns1123_subdomain,
    duplicates,
    endpoint_ip,
    ip_address,
    parse_ip,
    port_number,
    port_number_or_name,
    qualified_name,
)
from kubeactors.api.validation.metadata import label_errors

_TYPES: Final = frozenset(SERVICE_TYPES)
_PROTOCOLS: Final = frozenset(PROTOCOLS)
_FAMILY_POLICIES: Final = frozenset(IP_FAMILY_POLICIES)
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameNode", "PreferSameZone")
_AFFINITY_MAX_SECONDS: Final = 86400
_KUBELET_PORT: Final = 10250
_NOT_FOR_NAMES: Final = "may not be set for ExternalName services"
_ONCE: Final = "may not change once set"


def service_errors(service: Mapping[str, Any]) -> list[FieldError]:
    spec = service.get("spec") or {}
    kind = spec.get("type") or ""
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    if not ports and not is_headless(spec) and kind != "ExternalName":
        errors.append(required("spec.ports"))
    errors += _type_errors(kind, spec, ports)
    names: set[str] = set()
    for i, port in enumerate(ports):
        errors += _port_errors(port, len(ports) > 1, names, f"spec.ports[{i}]")
    if spec.get("selector"):
        errors += label_errors(spec["selector"], "spec.selector")
    errors += _affinity_errors(spec)
    errors += _cluster_ip_errors(kind, spec)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{i}]"
        errors += ip_address(address, path) or endpoint_ip(address, path)
    if not kind:
        errors.append(required("spec.type"))
    elif kind not in _TYPES:
        errors.append(not_supported("spec.type", kind, _TYPES))
    if kind == "ClusterIP":
        message = "may not be used when `type` is 'ClusterIP'"
        errors += [forbidden(f"spec.ports[{i}].nodePort", message) for i, p in enumerate(ports) if p.get("nodePort")]
    errors += _duplicate_port_errors(ports)
    errors += _load_balancer_errors(kind, spec)
    return errors + _traffic_errors(kind, spec)


def service_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    new_spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    if needs_cluster_ip(old_spec) and needs_cluster_ip(new_spec):
        before, after = old_spec.get("clusterIPs") or [], new_spec.get("clusterIPs") or []
        synced = after[:1] == [new_spec.get("clusterIP")]
        if before and after and synced and after[0] != before[0]:
            errors.append(invalid("spec.clusterIPs[0]", after, _ONCE))
        elif len(before) > 1 and len(after) > 1 and after[1] != before[1]:
            errors.append(invalid("spec.clusterIPs[1]", after, _ONCE))
    if needs_health_check_port(old_spec) and needs_health_check_port(new_spec):
        port = old_spec.get("healthCheckNodePort")
        if port and new_spec.get("healthCheckNodePort") != port:
            errors.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    if old_spec.get("type") == new_spec.get("type") == "LoadBalancer":
        wanted, before_class = new_spec.get("loadBalancerClass"), old_spec.get("loadBalancerClass")
        if wanted != before_class:
            errors.append(invalid("spec.loadBalancerClass", wanted, _ONCE))
    return errors + service_errors(new)


def service_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status: what the load balancer answers on."""
    errors: list[FieldError] = []
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    path = "status.loadBalancer.ingress"
    if ingress and (new.get("spec") or {}).get("type") != "LoadBalancer":
        errors.append(forbidden(path, 'may only be used when `spec.type` is "LoadBalancer"'))
    for i, point in enumerate(ingress):
        at = f"{path}[{i}]"
        address, host, mode = point.get("ip") or "", point.get("hostname") or "", point.get("ipMode")
        if address:
            errors += ip_address(address, f"{at}.ip")
            if mode is None:
                errors.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif mode is not None:
            errors.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        if mode is not None and mode not in ("Proxy", "VIP"):
            errors.append(not_supported(f"{at}.ipMode", mode, ("Proxy", "VIP")))
        if host:
            errors += dns1123_subdomain(host, f"{at}.hostname")
            if parse_ip(host) is not None:
                message = "must be a DNS name, not an IP address"
                errors.append(invalid(f"{at}.hostname", host, message))
    return errors


def _type_errors(kind: str, spec: Mapping[str, Any], ports: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    if kind == "LoadBalancer":
        message = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
        errors += [
            invalid(f"spec.ports[{i}]", _KUBELET_PORT, message)
            for i, p in enumerate(ports)
            if p.get("port") == _KUBELET_PORT
        ]
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                errors.append(forbidden(f"spec.{field}", _NOT_FOR_NAMES))
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


def _cluster_ip_errors(kind: str, spec: Mapping[str, Any]) -> list[FieldError]:
    if kind == "ExternalName":
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
    return errors + _address_errors(addresses, families, not errors)


def _address_errors(addresses: Sequence[str], families: Sequence[str], match: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    path = "spec.clusterIPs"
    if addresses and addresses[0] == "None":
        if len(addresses) > 1:
            errors.append(invalid(path, list(addresses), "'None' must be the first and only value"))
        return errors
    for i, address in enumerate(addresses):
        errors += ip_address(address, f"{path}[{i}]")
    if len(addresses) > 2:
        errors.append(invalid(path, list(addresses), "may only hold up to 2 values"))
    if errors:
        return errors
    versions = [parsed.version for a in addresses if (parsed := parse_ip(a)) is not None]
    if len(set(versions)) != len(versions):
        message = "may specify no more than one IP for each IP family"
        errors.append(invalid(path, list(addresses), message))
    if match and not errors:
        for i, (version, family) in enumerate(zip(versions, families, strict=False)):
            if family != f"IPv{version}":
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


def _load_balancer_errors(kind: str, spec: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    only = "may only be used when `type` is 'LoadBalancer'"
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and kind != "LoadBalancer":
        errors.append(forbidden("spec.loadBalancerSourceRanges", only))
    for i, text in enumerate(ranges):
        errors += cidr(text.strip(), f"spec.loadBalancerSourceRanges[{i}]")
    if kind == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is None:
            errors.append(required("spec.allocateLoadBalancerNodePorts"))
        if spec.get("loadBalancerClass") is not None:
            errors += qualified_name(spec["loadBalancerClass"], "spec.loadBalancerClass")
    else:
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(field) is not None:
                errors.append(forbidden(f"spec.{field}", only))
    return errors


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
    port = spec.get("healthCheckNodePort")
    if port and not needs_health_check_port(spec):
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid("spec.healthCheckNodePort", port, message))
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
