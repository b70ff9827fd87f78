"""Between autoscaling/v1 and autoscaling/v2, in which horizontal pod autoscalers are stored.

The old version knows CPU utilization only. What it has no fields for it carries in annotations, so that a client that
reads and writes it back loses nothing (Kubernetes' pkg/apis/autoscaling/v1/conversion.go).
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

import orjson

from kubeactors.api.defaults.autoscaling import cpu_metric, default_cpu_metric
from kubeactors.api.go_values import go_json
from kubeactors.api.meta import Object
from kubeactors.api.schema import TypeMismatchError, decoder_for

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
METRICS: Final = f"{_PREFIX}metrics"
CURRENT_METRICS: Final = f"{_PREFIX}current-metrics"
CONDITIONS: Final = f"{_PREFIX}conditions"
BEHAVIOR: Final = f"{_PREFIX}behavior"
_ROUND_TRIP: Final = frozenset({METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR})
V1: Final = "autoscaling/v1"
V2: Final = "autoscaling/v2"

_SOURCES: Final = ("object", "pods", "resource", "containerResource", "external")

JsonObject = dict[str, Any]


def to_v1(autoscaler: Object) -> Object:
    """The autoscaling/v1 form of a stored autoscaler; shares parts with it."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    metrics, current = spec.get("metrics") or [], status.get("currentMetrics") or []
    annotations = _own_annotations(autoscaler)
    others = [_metric_to_v1(m, "target") for m in metrics if _cpu_utilization(m) is None]
    if others:
        annotations[METRICS] = go_json(others)
    if current:
        annotations[CURRENT_METRICS] = go_json([_metric_to_v1(m, "current") for m in current])
    if spec.get("behavior") is not None:
        annotations[BEHAVIOR] = go_json(_capitalised_behavior(spec["behavior"]))
    if status.get("conditions"):
        annotations[CONDITIONS] = go_json([_condition_to_v1(c) for c in status["conditions"]])
    made: Object = {**autoscaler, "metadata": _with_annotations(autoscaler["metadata"], annotations)}
    if "apiVersion" in autoscaler:
        made["apiVersion"] = V1
    made["spec"] = _pick(spec, "scaleTargetRef", "minReplicas", "maxReplicas")
    cpu = next((m for m in metrics if _is_cpu(m)), None)
    utilization = _cpu_utilization(cpu) if cpu is not None else None
    if utilization is not None:
        made["spec"]["targetCPUUtilizationPercentage"] = utilization
    made["status"] = _pick(status, "observedGeneration", "lastScaleTime")
    for field in ("currentReplicas", "desiredReplicas"):
        made["status"][field] = status.get(field) or 0
    for metric in current:
        used = ((metric.get("resource") or {}).get("current") or {}).get("averageUtilization")
        if _is_cpu(metric) and used is not None:
            made["status"]["currentCPUUtilizationPercentage"] = used
    return made


def to_v2(autoscaler: Object) -> Object:
    """What is stored for an autoscaling/v1 autoscaler; annotations that are not of the expected form are dropped."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    annotations = (autoscaler.get("metadata") or {}).get("annotations") or {}
    metrics = _typed((_metric_to_v2(m, "target") for m in _load_list(annotations.get(METRICS))), "MetricSpec")
    if spec.get("targetCPUUtilizationPercentage") is not None:
        metrics.append(cpu_metric(spec["targetCPUUtilizationPercentage"]))
    made: Object = {
        **autoscaler,
        "metadata": _with_annotations(autoscaler["metadata"], _own_annotations(autoscaler)),
        "spec": _pick(spec, "scaleTargetRef", "minReplicas", "maxReplicas"),
    }
    if "apiVersion" in autoscaler:
        made["apiVersion"] = V2
    made["spec"]["metrics"] = metrics or [default_cpu_metric()]
    behavior = _typed([_lower_behavior(_load(annotations.get(BEHAVIOR)))], "HorizontalPodAutoscalerBehavior")
    if behavior and behavior[0]:
        made["spec"]["behavior"] = behavior[0]
    made["status"] = _status_to_v2(status, annotations)
    return made


def _status_to_v2(status: JsonObject, annotations: dict[str, str]) -> JsonObject:
    made = _pick(status, "observedGeneration", "lastScaleTime")
    if status.get("currentReplicas"):
        made["currentReplicas"] = status["currentReplicas"]
    made["desiredReplicas"] = status.get("desiredReplicas") or 0
    stated = _load_list(annotations.get(CURRENT_METRICS))
    current = _typed((_metric_to_v2(m, "current") for m in stated), "MetricStatus")
    used = status.get("currentCPUUtilizationPercentage")
    if not current and used is not None:
        current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": used}}}]
    made["currentMetrics"] = current or None
    conditions = _typed(_load_list(annotations.get(CONDITIONS)), "HorizontalPodAutoscalerCondition")
    if conditions:
        made["conditions"] = conditions
    return made


def keep_annotations(new: Object, old: Object, *names: str) -> None:
    """Make these annotations of `new`, in place, what they are in `old`: absent ones go."""
    present = (old.get("metadata") or {}).get("annotations") or {}
    kept = {k: v for k, v in (new["metadata"].get("annotations") or {}).items() if k not in names}
    kept |= {name: present[name] for name in names if name in present}
    new["metadata"] = _with_annotations(new["metadata"], kept)


# --- metrics: the old version names the parts of a source flatly


def _is_cpu(metric: JsonObject) -> bool:
    return metric.get("type") == "Resource" and (metric.get("resource") or {}).get("name") == "cpu"


def _cpu_utilization(metric: JsonObject) -> int | None:
    """The utilization that a metric aims at, if it is the old version's own."""
    if not _is_cpu(metric):
        return None
    found: int | None = ((metric["resource"].get("target")) or {}).get("averageUtilization")
    return found


def _metric_to_v1(metric: JsonObject, what: Literal["target", "current"]) -> JsonObject:
    """A MetricSpec (whose `what` is its target) or MetricStatus (current) as the annotations of autoscaling/v1 have it.

    A status has each of its values, 0 if nothing else; a spec only those that were asked for.
    """
    made: JsonObject = {"type": metric.get("type") or ""}
    always = {"value": "0", "averageValue": "0"} if what == "current" else {}
    value, average_value, utilization = f"{what}Value", f"{what}AverageValue", f"{what}AverageUtilization"
    for field in _SOURCES:
        source = metric.get(field)
        if source is None:
            continue
        amount, identity = source.get(what) or {}, source.get("metric") or {}
        name = {"metricName": identity.get("name") or ""}
        if field == "object":
            made[field] = {
                "target": source.get("describedObject") or {},
                **name,
                value: amount.get("value") or "0",
                **_pick(identity, "selector"),
                **_pick(amount, "averageValue"),
            }
        elif field == "pods":
            made[field] = {**name, average_value: amount.get("averageValue") or "0", **_pick(identity, "selector")}
        elif field == "external":
            made[field] = name
            _rename(identity, "selector", made[field], "metricSelector")
            _rename(always | amount, "value", made[field], value)
            _rename(amount, "averageValue", made[field], average_value)
        else:
            made[field] = {"name": source.get("name") or ""}
            _rename(amount, "averageUtilization", made[field], utilization)
            _rename(always | amount, "averageValue", made[field], average_value)
            made[field] |= _pick(source, "container")
    return made


def _metric_to_v2(metric: JsonObject, what: Literal["target", "current"]) -> JsonObject:
    """The reverse of `_metric_to_v1`."""
    made: JsonObject = {"type": metric.get("type") or ""}
    for field in _SOURCES:
        source = metric.get(field)
        if not isinstance(source, dict):
            continue
        amount: JsonObject = {}
        if what == "current" or source.get("targetValue") != "0":
            _rename(source, f"{what}Value", amount, "value")
        _rename(source, f"{what}AverageValue", amount, "averageValue")
        _rename(source, "averageValue", amount, "averageValue")
        _rename(source, f"{what}AverageUtilization", amount, "averageUtilization")
        made[field] = {what: {"type": _target_type(field, amount), **amount} if what == "target" else amount}
        if field in ("resource", "containerResource"):
            made[field] |= _pick(source, "name", "container")
        else:
            made[field]["metric"] = _identity(source)
        if field == "object":
            made[field]["describedObject"] = source.get("target") or {}
    return made


def _target_type(field: str, target: JsonObject) -> str:
    if field in ("resource", "containerResource"):
        return "Utilization" if "averageUtilization" in target else "AverageValue"
    return "AverageValue" if field == "pods" or "averageValue" in target else "Value"


def _identity(source: JsonObject) -> JsonObject:
    made: JsonObject = {"name": source.get("metricName") or ""}
    _rename(source, "selector", made, "selector")
    _rename(source, "metricSelector", made, "selector")
    return made


def _condition_to_v1(condition: JsonObject) -> JsonObject:
    made = {"type": condition.get("type") or "", "status": condition.get("status") or ""}
    made["lastTransitionTime"] = condition.get("lastTransitionTime")
    return made | _pick(condition, "reason", "message", "observedGeneration")


# --- behavior: its annotation has the field names of Kubernetes' internal type

_BEHAVIOR_DEPTH: Final = 4  # behavior, rules, their list of policies, a policy
_RULES: Final = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")


def _capitalised_behavior(behavior: JsonObject) -> JsonObject:
    return {_upper(field): _capitalised_rules(behavior.get(field)) for field in ("scaleUp", "scaleDown")}


def _capitalised_rules(rules: JsonObject | None) -> JsonObject | None:
    if rules is None:
        return None
    made = {_upper(field): rules.get(field) for field in _RULES}
    if rules.get("policies"):
        fields = ("type", "value", "periodSeconds")
        made["Policies"] = [{_upper(field): p.get(field) for field in fields} for p in rules["policies"]]
    return made


def _lower_behavior(behavior: Any) -> JsonObject:
    lowered = _lowered(behavior, _BEHAVIOR_DEPTH)
    return lowered if isinstance(lowered, dict) else {}


def _lowered(value: Any, depth: int) -> Any:
    if not depth:
        return value
    if isinstance(value, dict):
        return {k[:1].lower() + k[1:]: _lowered(v, depth - 1) for k, v in value.items() if v is not None}
    return [_lowered(v, depth - 1) for v in value] if isinstance(value, list) else value


def _upper(name: str) -> str:
    return name[0].upper() + name[1:]


# --- annotations


def _own_annotations(autoscaler: Object) -> dict[str, str]:
    """Those that are not of the conversion."""
    annotations = (autoscaler.get("metadata") or {}).get("annotations") or {}
    return {k: v for k, v in annotations.items() if k not in _ROUND_TRIP}


def _with_annotations(metadata: JsonObject, annotations: dict[str, str]) -> JsonObject:
    kept = {k: v for k, v in metadata.items() if k != "annotations"}
    return {**kept, "annotations": annotations} if annotations else kept


def _load(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _load_list(text: str | None) -> list[JsonObject]:
    loaded = _load(text)
    return loaded if isinstance(loaded, list) and all(isinstance(each, dict) for each in loaded) else []


def _typed(values: Iterable[Any], kind: str) -> list[Any]:
    """The values as autoscaling/v2 has them; none if one is not of the type, as when Kubernetes cannot read them."""
    decode = decoder_for(f"io.k8s.api.autoscaling.v2.{kind}")
    try:
        made = list(values)
        for value in made:
            decode(value)
    except TypeMismatchError:
        return []
    return made


def _pick(source: JsonObject, *fields: str) -> JsonObject:
    return {field: source[field] for field in fields if source.get(field) is not None}


def _rename(source: JsonObject, field: str, target: JsonObject, name: str) -> None:
    if source.get(field) is not None:
        target[name] = source[field]
