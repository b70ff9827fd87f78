"""Defaults of workloads: what holds a pod template and a number of replicas."""

from typing import Any

from kubeactors.api.defaults.pod import default_pod_spec

JsonObject = dict[str, Any]


def default_template(template: JsonObject | None) -> None:
    if template is not None:
        default_pod_spec(template.setdefault("spec", {}))


def default_replica_set(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec.get("template"))


def default_deployment(obj: JsonObject) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.get("template"))
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
