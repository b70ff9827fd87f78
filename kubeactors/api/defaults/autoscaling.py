"""Defaults of horizontal pod autoscalers."""

from typing import Any

JsonObject = dict[str, Any]

# Percent of the pods' CPU requests, when a client names no metric.
CPU_UTILIZATION = 80


def default_cpu_metric() -> JsonObject:
    return cpu_metric(CPU_UTILIZATION)


def cpu_metric(utilization: int) -> JsonObject:
    target = {"type": "Utilization", "averageUtilization": utilization}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def default_autoscaler(obj: JsonObject) -> None:
    """Of autoscaling/v2."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [default_cpu_metric()]
    behavior = spec.get("behavior")
    if behavior is not None:
        _default_rules(behavior.setdefault("scaleUp", {}), [("Pods", 4), ("Percent", 100)], window=0)
        _default_rules(behavior.setdefault("scaleDown", {}), [("Percent", 100)], window=None)


def _default_rules(rules: JsonObject, policies: list[tuple[str, int]], window: int | None) -> None:
    if window is not None:
        rules.setdefault("stabilizationWindowSeconds", window)
    rules.setdefault("selectPolicy", "Max")
    if "policies" not in rules:
        # An empty list is a choice, which validation refuses.
        rules["policies"] = [{"type": kind, "value": value, "periodSeconds": 15} for kind, value in policies]


def default_autoscaler_v1(obj: JsonObject) -> None:
    """Of autoscaling/v1: the rest is filled in when it becomes what is stored."""
    obj.setdefault("spec", {}).setdefault("minReplicas", 1)
