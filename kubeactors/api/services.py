"""What a service's type means for its fields, and how fields follow a change of it.

The allocation of addresses and node ports is not here: it fills what these functions leave empty.
Source: registry/core/service (dropTypeDependentFields, patchAllocatedValues, normalizeClusterIPs).
"""

from typing import Any

Spec = dict[str, Any]


def is_headless(spec: Any) -> bool:
    """A service without an address of its own (`clusterIP: None`)."""
    addresses = spec.get("clusterIPs") or []
    return addresses == ["None"] or (not addresses and spec.get("clusterIP") == "None")


def needs_node_ports(spec: Any) -> bool:
    """Whether ports may have node ports, which they get unless a load balancer's service does not want them."""
    return spec.get("type") in ("NodePort", "LoadBalancer")


def needs_health_check_port(spec: Any) -> bool:
    return bool(spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")


def externally_accessible(spec: Any) -> bool:
    kind = spec.get("type")
    if kind == "ClusterIP":
        return bool(spec.get("externalIPs"))
    return kind in ("NodePort", "LoadBalancer")


def node_ports(spec: Spec) -> set[int]:
    """The node ports that are set."""
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def drop_type_dependent(new: Spec, old: Spec) -> None:
    """Clear what the new type cannot have, where the client left it as it was."""
    if has_cluster_ip(old) and not has_cluster_ip(new):
        if (new.get("clusterIP"), new.get("clusterIPs")) == (old.get("clusterIP"), old.get("clusterIPs")):
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
        _drop_unchanged(new, old, "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if needs_node_ports(old) and not needs_node_ports(new) and node_ports(new) <= node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health_check_port(old) and not needs_health_check_port(new):
        _drop_unchanged(new, old, "healthCheckNodePort")
    if old.get("type") == "LoadBalancer" and new.get("type") != "LoadBalancer":
        _drop_unchanged(new, old, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if externally_accessible(old) and not externally_accessible(new):
        _drop_unchanged(new, old, "externalTrafficPolicy")


def _drop_unchanged(new: Spec, old: Spec, *fields: str) -> None:
    for field in fields:
        if field in new and new[field] == old.get(field):
            del new[field]


def keep_allocated(new: Spec, old: Spec) -> None:
    """Take over addresses and ports that an update leaves out, so that a PUT of a plain manifest keeps them."""
    if has_cluster_ip(old) and has_cluster_ip(new):
        if not new.get("clusterIP"):
            _copy(new, old, "clusterIP")
        if not new.get("clusterIPs") and new.get("clusterIP") == old.get("clusterIP"):
            _copy(new, old, "clusterIPs")
    if needs_node_ports(old) and needs_node_ports(new):
        _keep_node_ports(new, old)
    if needs_health_check_port(old) and needs_health_check_port(new) and not new.get("healthCheckNodePort"):
        _copy(new, old, "healthCheckNodePort")


def has_cluster_ip(spec: Spec) -> bool:
    """Whether the type goes with clusterIP; "None" is one, too."""
    return bool(spec) and spec.get("type") != "ExternalName"


def _keep_node_ports(new: Spec, old: Spec) -> None:
    before = {port.get("name") or "": port.get("nodePort") for port in old.get("ports") or ()}
    used = node_ports(old) & node_ports(new)
    for port in new.get("ports") or ():
        kept = before.get(port.get("name") or "")
        if not port.get("nodePort") and kept and kept not in used:
            port["nodePort"] = kept
            used.add(kept)


def _copy(new: Spec, old: Spec, field: str) -> None:
    if field in old:
        value = old[field]
        new[field] = list(value) if isinstance(value, list) else value


def normalize_cluster_ips(new: Spec, old: Spec | None) -> None:
    """Keep clusterIP and clusterIPs in step when a client that knows only one of them wrote it."""
    one, many = new.get("clusterIP") or "", new.get("clusterIPs") or []
    if old is None:
        if one and not many:
            new["clusterIPs"] = [one]
        return
    old_one, old_many = old.get("clusterIP") or "", old.get("clusterIPs") or []
    if one == old_one:
        if old_many and not many:
            new["clusterIPs"] = list(old_many)
    elif many == old_many:
        if one:
            new["clusterIPs"] = [one]
        else:
            new.pop("clusterIPs", None)
