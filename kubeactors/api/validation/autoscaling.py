"""Validation of horizontal pod autoscalers, in the order of Kubernetes' validateHorizontalPodAutoscalerSpec.

The older version is validated as what it becomes in autoscaling/v2, and its errors name fields of that.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.common import dns1123_label, not_negative
from kubeactors.api.validation.names import path_segment_errors

_SELECT_POLICIES: Final = ("Disabled", "Max", "Min")
_POLICY_TYPES: Final = ("Percent", "Pods")
_TARGET_TYPES: Final = ("Utilization", "Value", "AverageValue")
_MAX_PERIOD: Final = 1800  # seconds
_MAX_WINDOW: Final = 3600  # seconds
_ONE_SOURCE: Final = "must populate the given metric source only"
_NO_SOURCE: Final = "must populate information for the given metric source"


def autoscaler_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    """Besides the metadata."""
    return _spec_errors(obj.get("spec") or {}, least=1)


def autoscaler_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    # One that scales to zero already (an alpha feature of other servers) may go on to.
    to_zero = (old.get("spec") or {}).get("minReplicas") == 0
    return _spec_errors(new.get("spec") or {}, least=0 if to_zero else 1)


def autoscaler_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    status = new.get("status") or {}
    return [
        error
        for field in ("currentReplicas", "desiredReplicas")
        for error in not_negative(status.get(field) or 0, f"status.{field}")
    ]


def _spec_errors(spec: Mapping[str, Any], least: int) -> list[FieldError]:
    errors: list[FieldError] = []
    low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if low is not None and low < least:
        errors.append(invalid("spec.minReplicas", low, f"must be greater than or equal to {least}"))
    if high < 1:
        errors.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if low is not None and high < low:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    # The one scalable kind of the core group may be named without a group.
    any_group = target.get("kind") == "ReplicationController"
    errors += _reference_errors(target, "spec.scaleTargetRef", any_group=any_group)
    errors += _metrics_errors(spec.get("metrics") or [], low, "spec.metrics")
    behavior = spec.get("behavior") or {}
    for field in ("scaleUp", "scaleDown"):
        if behavior.get(field) is not None:
            errors += _rules_errors(behavior[field], f"spec.behavior.{field}")
    return errors


def _reference_errors(reference: Mapping[str, Any], path: str, *, any_group: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if not value:
            errors.append(required(f"{path}.{field}"))
        errors += [invalid(f"{path}.{field}", value, m) for m in path_segment_errors(value)]
    version = reference.get("apiVersion") or ""
    if version.count("/") > 1:
        message = f"unexpected GroupVersion string: {version}"
        errors.append(invalid(f"{path}.apiVersion", version, message))
    elif not any_group and not version.rpartition("/")[0]:
        errors.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return errors


def _metrics_errors(metrics: Sequence[Mapping[str, Any]], low: int | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, metric in enumerate(metrics):
        errors += _metric_errors(metric, f"{path}[{i}]")
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        message = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(forbidden(path, message))
    return errors


def _metric_errors(metric: Mapping[str, Any], path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(f"{path}.type", "must specify a metric source type"))
    unknown = [] if kind in _FIELD_OF else [not_supported(f"{path}.type", kind, tuple(_FIELD_OF))]
    errors += unknown
    present = [field for field in _SOURCES if metric.get(field) is not None]
    if present:
        errors += _SOURCES[present[0]](metric[present[0]], f"{path}.{present[0]}")
    expected = _FIELD_OF.get(kind)
    if expected is not None and expected not in present:
        errors.append(required(f"{path}.{expected}", _NO_SOURCE))
    errors += unknown
    if len(present) > 1:
        errors += [forbidden(f"{path}.{field}", _ONE_SOURCE) for field in present if field != expected]
    return errors


def _object_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _reference_errors(source.get("describedObject") or {}, f"{path}.describedObject", any_group=True)
    errors += _identifier_errors(source, path) + _target_errors(source, path)
    target = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return errors


def _external_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _identifier_errors(source, path) + _target_errors(source, path)
    target = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        message = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", message))
    if target.get("value") is not None and target.get("averageValue") is not None:
        message = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden(f"{path}.target.value", message))
    return errors


def _pods_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _identifier_errors(source, path) + _target_errors(source, path)
    if (source.get("target") or {}).get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _resource_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return errors + _utilization_errors(source, path)


def _container_resource_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    container = source.get("container") or ""
    if container:
        errors += dns1123_label(container, f"{path}.container")
    else:
        errors.append(required(f"{path}.container", "must specify a container"))
    return errors + _utilization_errors(source, path)


def _utilization_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _target_errors(source, path)
    target = source.get("target") or {}
    utilization, value = target.get("averageUtilization"), target.get("averageValue")
    if utilization is None and value is None:
        message = "must set either a target raw value or a target utilization"
        errors.append(required(f"{path}.target.averageUtilization", message))
    if utilization is not None and value is not None:
        message = "may not set both a target raw value and a target utilization"
        errors.append(forbidden(f"{path}.target.averageValue", message))
    return errors


def _identifier_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    name = (source.get("metric") or {}).get("name") or ""
    if not name:
        return [required(f"{path}.metric.name", "must specify a metric name")]
    return [invalid(f"{path}.metric.name", name, m) for m in path_segment_errors(name)]


def _target_errors(source: Mapping[str, Any], path: str) -> list[FieldError]:
    target, path = source.get("target") or {}, f"{path}.target"
    kind, utilization = target.get("type") or "", target.get("averageUtilization")
    errors = [] if kind else [required(f"{path}.type", "must specify a metric target type")]
    if kind not in _TARGET_TYPES:
        errors.append(invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        amount = target.get(field)
        if amount is not None and Quantity.parse(amount) <= Quantity():
            errors.append(invalid(f"{path}.{field}", amount, "must be positive"))
    if utilization is not None and utilization < 1:
        errors.append(invalid(f"{path}.averageUtilization", utilization, "must be greater than 0"))
    return errors


_SOURCES: Final[dict[str, Callable[[Mapping[str, Any], str], list[FieldError]]]] = {
    "object": _object_errors,
    "external": _external_errors,
    "pods": _pods_errors,
    "resource": _resource_errors,
    "containerResource": _container_resource_errors,
}
# Type of a metric → its field, the types in the order in which errors list them.
_FIELD_OF: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def _rules_errors(rules: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    if window is not None and window < 0:
        message = "must be greater than or equal to zero"
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, message))
    if window is not None and window > _MAX_WINDOW:
        message = f"must be less than or equal to {_MAX_WINDOW}"
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, message))
    if select is not None and select not in _SELECT_POLICIES:
        errors.append(not_supported(f"{path}.selectPolicy", select, _SELECT_POLICIES))
    policies = rules.get("policies") or []
    if not policies:
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for i, policy in enumerate(policies):
        errors += _policy_errors(policy, f"{path}.policies[{i}]")
    tolerance = rules.get("tolerance")
    if tolerance is not None and Quantity.parse(tolerance) < Quantity():
        errors.append(invalid(f"{path}.tolerance", tolerance, "must be greater than or equal to 0"))
    return errors


def _policy_errors(policy: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, value, period = policy.get("type") or "", policy.get("value") or 0, policy.get("periodSeconds") or 0
    if kind not in _POLICY_TYPES:
        errors.append(not_supported(f"{path}.type", kind, _POLICY_TYPES))
    if value <= 0:
        errors.append(invalid(f"{path}.value", value, "must be greater than zero"))
    if period <= 0:
        errors.append(invalid(f"{path}.periodSeconds", period, "must be greater than zero"))
    if period > _MAX_PERIOD:
        errors.append(invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {_MAX_PERIOD}"))
    return errors
