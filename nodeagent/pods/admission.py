"""Whether this node takes a pod that is bound to it, as kubelet asks itself: pure.

The scheduler has asked the same, but the pod may not have come from it, or the node may have changed meanwhile.
"""

from collections.abc import Mapping

from kubeactors.api.meta import Object
from kubeactors.api.selectors import Requirement
from nodeagent.pods.allocations import Shortage
from nodeagent.pods.state import Failure

#: Sysctls that stay within the pod's namespaces and cannot harm others (kubelet's safe set); name → its namespace.
_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced": "ipc",
    "net.ipv4.ip_local_port_range": "net",
    "net.ipv4.ip_local_reserved_ports": "net",
    "net.ipv4.ip_unprivileged_port_start": "net",
    "net.ipv4.ping_group_range": "net",
    "net.ipv4.tcp_fin_timeout": "net",
    "net.ipv4.tcp_keepalive_intvl": "net",
    "net.ipv4.tcp_keepalive_probes": "net",
    "net.ipv4.tcp_keepalive_time": "net",
    "net.ipv4.tcp_rmem": "net",
    "net.ipv4.tcp_syncookies": "net",
    "net.ipv4.tcp_wmem": "net",
}
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": ">", "Lt": "<"}


def rejected(reason: str, message: str) -> Failure:
    """The end of a pod that was not taken; the event says `message` alone."""
    return Failure(reason, f"Pod was rejected: {message}", rejected=True)


def unsuitable(pod: Object) -> tuple[str, str] | None:
    """Reason and message when no node of this kind could take the pod."""
    spec = pod["spec"]
    if ((spec.get("os") or {}).get("name") or "linux") != "linux":
        return "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        refusal = _sysctl_refusal(spec, sysctl["name"].replace("/", "."))
        if refusal:
            return "SysctlForbidden", f"forbidden sysctl: {refusal}"
    return None


def short_of(shortage: Shortage) -> tuple[str, str]:
    """Reason and message of a pod for which too little is left."""
    return f"OutOf{shortage.resource}", shortage_text(shortage)


def shortage_text(shortage: Shortage) -> str:
    text = f"Node didn't have enough resource: {shortage.resource}, requested: {shortage.requested}"
    return f"{text}, used: {shortage.used}, capacity: {shortage.capacity}"


NO_AFFINITY = ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")


def wants_node(pod: Object, node_name: str, labels: Mapping[str, str]) -> bool:
    """Whether the pod's nodeSelector and required node affinity hold of a node."""
    spec = pod["spec"]
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_holds(term, node_name, labels) for term in required.get("nodeSelectorTerms") or ())


def _term_holds(term: Object, node_name: str, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_requirement(e).matches(labels) for e in expressions) and all(
        _requirement(f).matches({"metadata.name": node_name}) for f in fields
    )


def _requirement(rule: Object) -> Requirement:
    return Requirement(rule["key"], _OPERATORS[rule["operator"]], tuple(rule.get("values") or ()))


def _sysctl_refusal(spec: Object, name: str) -> str:
    namespace = _SAFE_SYSCTLS.get(name)
    if namespace is None:
        return f'"{name}" not allowlisted'
    if namespace == "net" and spec.get("hostNetwork"):
        return f'"{name}" not allowed with host net enabled'
    if namespace == "ipc" and spec.get("hostIPC"):
        return f'"{name}" not allowed with host ipc enabled'
    return ""
