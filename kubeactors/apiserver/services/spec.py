"""What follows from a Service's spec: which values it must be given, and which it keeps across an update.

Source: registry/core/service (patchAllocatedValues, normalizeClusterIPs, dropTypeDependentFields).
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def needs_address(spec: Spec) -> bool:
    """Whether the service is to have cluster addresses. A headless one ("None") is not."""
    return bool(spec) and spec.get("type") != "ExternalName" and (spec.get("clusterIPs") or [""])[0] != "None"


def needs_node_ports(spec: Spec) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def needs_health_check_port(spec: Spec) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def node_ports(spec: Spec) -> list[int]:
    """The node ports that are set."""
    return [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]


def drop_unused(spec: Spec, before: Spec) -> None:
    """On a change of type, drop what the new type has no use for, if the client left it as it was."""
    if _wants_address(before) and not _wants_address(spec):
        if (spec.get("clusterIP"), spec.get("clusterIPs")) == (before.get("clusterIP"), before.get("clusterIPs")):
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        _drop_same(spec, before, "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if needs_node_ports(before) and not needs_node_ports(spec):
        if set(node_ports(spec)) <= set(node_ports(before)):
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
        _drop_same(spec, before, "externalTrafficPolicy")
    if needs_health_check_port(before) and not needs_health_check_port(spec):
        _drop_same(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        _drop_same(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")


def _drop_same(spec: Spec, before: Spec, *fields: str) -> None:
    for field in fields:
        if field in spec and spec[field] == before.get(field):
            del spec[field]


def copy_allocated(spec: Spec, before: Spec) -> None:
    """Take over what the service was given and the client left out."""
    if _wants_address(before) and _wants_address(spec):
        if not spec.get("clusterIP"):
            _copy(spec, before, "clusterIP")
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            _copy(spec, before, "clusterIPs")
    if needs_node_ports(before) and needs_node_ports(spec):
        used = set(node_ports(before)) & set(node_ports(spec))
        by_name = {port.get("name") or "": port.get("nodePort") or 0 for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            known = by_name.get(port.get("name") or "", 0)
            if not port.get("nodePort") and known and known not in used:
                port["nodePort"] = known
                used.add(known)
    if needs_health_check_port(before) and needs_health_check_port(spec) and not spec.get("healthCheckNodePort"):
        _copy(spec, before, "healthCheckNodePort")


def _wants_address(spec: Spec) -> bool:
    return bool(spec) and spec.get("type") != "ExternalName"


def _copy(spec: Spec, before: Spec, field: str) -> None:
    if field in before:
        value = before[field]
        spec[field] = list(value) if isinstance(value, list) else value


def normalise_addresses(spec: Spec, before: Spec | None) -> None:
    """Make clusterIP and clusterIPs agree where a client that knows only one of them wrote it."""
    one, many = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if before is None:
        if one and not many:
            spec["clusterIPs"] = [one]
        return
    old_one, old_many = before.get("clusterIP") or "", before.get("clusterIPs") or []
    if one == old_one:
        if old_many and not many:
            spec["clusterIPs"] = list(old_many)
    elif old_one and not one:
        if many == old_many:
            spec.pop("clusterIPs", None)
    elif many == old_many:
        spec["clusterIPs"] = [one]
