"""What a service's type means for its fields, and how fields follow a change of it.

The allocation of addresses and node ports is not here: it fills what these functions leave empty.
"""

from typing import Any

Spec = dict[str, Any]


def is_headless(spec: Any) -> bool:
    """A service without an address of its own (`clusterIP: None`)."""
    addresses = spec.get("clusterIPs") or []
    return addresses == ["None"] or (not addresses and spec.get("clusterIP") == "None")


def needs_cluster_ip(spec: Any) -> bool:
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer")


def needs_node_port(spec: Any) -> bool:
    """Whether ports without a node port get one."""
    if spec.get("type") == "NodePort":
        return True
    wanted: bool = spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    return wanted


def may_have_node_port(spec: Any) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def needs_health_check_port(spec: Any) -> bool:
    return bool(spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")


def externally_accessible(spec: Any) -> bool:
    kind = spec.get("type")
    if kind == "ClusterIP":
        return bool(spec.get("externalIPs"))
    return kind in ("NodePort", "LoadBalancer")


def normalize_cluster_ips(new: Spec, old: Spec | None) -> None:
    """Keep clusterIP and clusterIPs in step when the client wrote only one of them."""
    if old is None:
        if new.get("clusterIP") and not new.get("clusterIPs"):
            new["clusterIPs"] = [new["clusterIP"]]
        return
    if new.get("clusterIPs") == old.get("clusterIPs") and new.get("clusterIP") != old.get("clusterIP"):
        if new.get("clusterIP"):
            new["clusterIPs"] = [new["clusterIP"]]
        else:
            new.pop("clusterIPs", None)
    elif new.get("clusterIP") == old.get("clusterIP") and not new.get("clusterIPs"):
        new.pop("clusterIP", None)


def keep_allocated(new: Spec, old: Spec) -> None:
    """Take over addresses and ports that an update leaves out, so that a PUT of a plain manifest keeps them."""
    if needs_cluster_ip(old) and needs_cluster_ip(new):
        if not new.get("clusterIP") and old.get("clusterIP"):
            new["clusterIP"] = old["clusterIP"]
        if not new.get("clusterIPs") and new.get("clusterIP") == old.get("clusterIP") and old.get("clusterIPs"):
            new["clusterIPs"] = list(old["clusterIPs"])
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if not new.get(field) and old.get(field):
                new[field] = old[field]
    if needs_node_port(old) and needs_node_port(new):
        _keep_node_ports(new, old)
    both_check = needs_health_check_port(old) and needs_health_check_port(new)
    if both_check and not new.get("healthCheckNodePort") and old.get("healthCheckNodePort"):
        new["healthCheckNodePort"] = old["healthCheckNodePort"]


def _keep_node_ports(new: Spec, old: Spec) -> None:
    before = {p.get("name") or "": p.get("nodePort") for p in old.get("ports") or ()}
    used = {p.get("nodePort") for p in old.get("ports") or ()} & {p.get("nodePort") for p in new.get("ports") or ()}
    for port in new.get("ports") or ():
        kept = before.get(port.get("name") or "")
        if not port.get("nodePort") and kept and kept not in used:
            port["nodePort"] = kept
            used.add(kept)


def drop_type_dependent(new: Spec, old: Spec) -> None:
    """Clear what the new type cannot have, where the client left it as it was."""
    if needs_cluster_ip(old) and not needs_cluster_ip(new):
        if not new.get("clusterIPs") or new.get("clusterIPs") == old.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                new.pop(field, None)
        _clear_unchanged(new, old, "internalTrafficPolicy")
    lost = may_have_node_port(old) and not may_have_node_port(new)
    if lost and _node_ports(new) <= _node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health_check_port(old) and not needs_health_check_port(new):
        _clear_unchanged(new, old, "healthCheckNodePort")
    if old.get("type") == "LoadBalancer" and new.get("type") != "LoadBalancer":
        _clear_unchanged(new, old, "allocateLoadBalancerNodePorts")
        _clear_unchanged(new, old, "loadBalancerClass")
    if externally_accessible(old) and not externally_accessible(new):
        _clear_unchanged(new, old, "externalTrafficPolicy")


def _clear_unchanged(new: Spec, old: Spec, field: str) -> None:
    if new.get(field) == old.get(field):
        new.pop(field, None)


def _node_ports(spec: Spec) -> set[int]:
    return {p["nodePort"] for p in spec.get("ports") or () if p.get("nodePort")}
