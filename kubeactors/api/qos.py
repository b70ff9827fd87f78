"""Quality of service class of a pod, as component-helpers' ComputePodQOS."""

from typing import Any

from kubeactors.api.quantity import Quantity

GUARANTEED = "Guaranteed"
BURSTABLE = "Burstable"
BEST_EFFORT = "BestEffort"

_COUNTED = ("cpu", "memory")


def compute_pod_qos(spec: dict[str, Any]) -> str:
    """Guaranteed: every container limits CPU and memory and asks for as much; BestEffort: none asks for any."""
    pod_level = spec.get("resources")
    if pod_level and (pod_level.get("requests") or pod_level.get("limits")):
        holders = [pod_level]
    else:
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        holders = [c.get("resources") or {} for c in containers]
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    guaranteed = True
    for resources in holders:
        _add_positive(requests, resources.get("requests") or {})
        limited = _add_positive(limits, resources.get("limits") or {})
        if not limited.issuperset(_COUNTED):
            guaranteed = False
    if not requests and not limits:
        return BEST_EFFORT
    if guaranteed and len(requests) == len(limits) and all(limits.get(n) == q for n, q in requests.items()):
        return GUARANTEED
    return BURSTABLE


def _add_positive(total: dict[str, Quantity], resources: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for name in _COUNTED:
        if name not in resources:
            continue
        quantity = Quantity.parse(resources[name])
        if quantity.nanos > 0:
            total[name] = total[name] + quantity if name in total else quantity
            found.add(name)
    return found
