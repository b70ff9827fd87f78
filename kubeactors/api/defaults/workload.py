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


def default_replication_controller(obj: JsonObject) -> None:
    """The template's labels are the selector and the controller's own labels, where none are given."""
    spec = obj.setdefault("spec", {})
    template = spec.get("template")
    labels = ((template or {}).get("metadata") or {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not (obj.get("metadata") or {}).get("labels"):
            obj.setdefault("metadata", {})["labels"] = dict(labels)
    spec.setdefault("replicas", 1)
    default_template(template)


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
