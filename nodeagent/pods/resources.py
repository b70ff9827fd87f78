"""A pod's resources as control group values, and its quality of service: pure.

Source of the formulas: kubelet's cm.MilliCPUToShares, MilliCPUToQuota and qos.GetContainerOOMScoreAdjust.
"""

from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity
from nodeagent.runtime.interface import Resources

PERIOD = 100_000  # microseconds
_MIN_SHARES, _MAX_SHARES = 2, 262_144
_MIN_QUOTA = 1_000


def requests_of(container: Object) -> dict[str, str]:
    """The container's requests, with limits where a request is left out."""
    resources = container.get("resources") or {}
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}


def limits_of(container: Object) -> dict[str, str]:
    return dict((container.get("resources") or {}).get("limits") or {})


def cpu_shares(milli: int) -> int:
    """Shares of cgroup version 1 for a CPU request in thousandths."""
    return max(_MIN_SHARES, min(_MAX_SHARES, milli * 1024 // 1000))


def cpu_quota(milli: int) -> int | None:
    """Microseconds a period for a CPU limit in thousandths; None when there is no limit."""
    return max(_MIN_QUOTA, milli * PERIOD // 1000) if milli else None


def qos_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort, by CPU and memory of all containers."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    if spec.get("resources"):
        containers = [{"resources": spec["resources"]}]
    any_set = False
    guaranteed = True
    for container in containers:
        requests, limits = requests_of(container), limits_of(container)
        for resource in ("cpu", "memory"):
            request, limit = _amount(requests, resource), _amount(limits, resource)
            any_set = any_set or bool(request or limit)
            guaranteed = guaranteed and bool(limit) and request == limit
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def container_resources(pod: Object, container: Object, node_memory: int) -> Resources:
    """The limits of one container; `node_memory` is the node's memory in bytes (for the out-of-memory score)."""
    requests, limits = requests_of(container), limits_of(container)
    memory = _amount(limits, "memory").value
    return Resources(
        cpu_shares=cpu_shares(_amount(requests, "cpu").milli_value),
        cpu_quota=cpu_quota(_amount(limits, "cpu").milli_value),
        cpu_period=PERIOD,
        memory_limit=memory or None,
        oom_score_adj=_oom_score_adj(pod, container, node_memory),
    )


def pod_resources(pod: Object) -> Resources:
    """The limits of the pod's own control group: sums over containers that run at once, and the pod's overhead.

    A limit is set only when every container has one. Init containers count where one alone needs more. What is said of
    the pod as a whole (KEP-2837) takes the sums' place.
    """
    spec = pod["spec"]
    whole, overhead = spec.get("resources") or {}, spec.get("overhead") or {}
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    inits = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") != "Always"]
    together = [*spec["containers"], *sidecars]
    everyone = [*together, *inits]

    def total(of: Any, part: str, resource: str) -> Quantity:
        given = whole.get(part) or {}
        if resource in given:
            return _amount(given, resource) + _amount(overhead, resource)
        running = sum((_amount(of(c), resource) for c in together), Quantity())
        return max([running, *(_amount(of(c), resource) for c in inits)]) + _amount(overhead, resource)

    def limited(resource: str) -> bool:
        return resource in (whole.get("limits") or {}) or all(_amount(limits_of(c), resource) for c in everyone)

    cpu, memory = total(limits_of, "limits", "cpu"), total(limits_of, "limits", "memory")
    return Resources(
        cpu_shares=cpu_shares(total(requests_of, "requests", "cpu").milli_value),
        cpu_quota=cpu_quota(cpu.milli_value) if limited("cpu") else None,
        cpu_period=PERIOD,
        memory_limit=(memory.value or None) if limited("memory") else None,
    )


def _oom_score_adj(pod: Object, container: Object, node_memory: int) -> int:
    quality = qos_class(pod)
    if quality == "Guaranteed":
        return -997
    if quality == "BestEffort":
        return 1000
    request = _amount(requests_of(container), "memory").value
    score = 1000 - (1000 * request) // max(1, node_memory)
    return min(999, max(3, score))


def _amount(amounts: dict[str, str], resource: str) -> Quantity:
    return Quantity.parse(amounts.get(resource) or "0")
