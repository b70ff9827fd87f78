"""Validation of deployments, replica sets and replication controllers."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import DEPLOYMENT_STRATEGY_TYPES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.go_order import LABEL_SELECTOR, map_shown, selector_shown
from kubeactors.api.selectors.labels import SelectorError, from_label_selector
from kubeactors.api.validation.common import (
    collision_count_errors,
    immutable,
    int_or_percent_number,
    label_selector,
    not_more_than_100_percent,
    not_negative,
    positive_int_or_percent,
)
from kubeactors.api.validation.pod import pod_template_errors

NO_MATCH: Final = "`selector` does not match template `labels`"


def deployment_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    path = "spec"
    errors = not_negative(spec.get("replicas") or 0, f"{path}.replicas")
    selector = spec.get("selector")
    if selector is None:
        errors.append(required(f"{path}.selector"))
    else:
        errors += label_selector(selector, f"{path}.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            message = "empty selector is invalid for deployment"
            errors.append(invalid(f"{path}.selector", selector_shown(selector), message))
    errors += _selected_template_errors(selector, spec, path)
    errors += _strategy_errors(spec.get("strategy") or {}, f"{path}.strategy")
    ready = spec.get("minReadySeconds") or 0
    errors += not_negative(ready, f"{path}.minReadySeconds")
    if spec.get("revisionHistoryLimit") is not None:
        errors += not_negative(spec["revisionHistoryLimit"], f"{path}.revisionHistoryLimit")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        errors += not_negative(deadline, f"{path}.progressDeadlineSeconds")
        if deadline <= ready:
            message = "must be greater than minReadySeconds"
            errors.append(invalid(f"{path}.progressDeadlineSeconds", deadline, message))
    return errors


def deployment_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return deployment_errors(new) + _selector_frozen(new, old)


def replica_set_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    path = "spec"
    errors = not_negative(spec.get("replicas") or 0, f"{path}.replicas")
    errors += not_negative(spec.get("minReadySeconds") or 0, f"{path}.minReadySeconds")
    selector = spec.get("selector")
    if selector is None:
        errors.append(required(f"{path}.selector"))
    else:
        errors += label_selector(selector, f"{path}.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            message = "empty selector is invalid for deployment"
            errors.append(invalid(f"{path}.selector", selector_shown(selector), message))
    return errors + _selected_template_errors(selector, spec, path)


def replica_set_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    return replica_set_errors(new) + _selector_frozen(new, old)


def replication_controller_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    spec = obj.get("spec") or {}
    path = "spec"
    errors = not_negative(spec.get("minReadySeconds") or 0, f"{path}.minReadySeconds")
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        errors.append(required(f"{path}.selector"))
    errors += not_negative(spec.get("replicas") or 0, f"{path}.replicas")
    if template is None:
        return [*errors, required(f"{path}.template")]
    labels = (template.get("metadata") or {}).get("labels")
    if any((labels or {}).get(key) != value for key, value in selector.items()):
        errors.append(invalid(f"{path}.template.metadata.labels", map_shown(labels), NO_MATCH))
    errors += pod_template_errors(template, f"{path}.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        at = f"{path}.template.spec.restartPolicy"
        errors.append(not_supported(at, pod.get("restartPolicy") or "", ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        message = "activeDeadlineSeconds in ReplicationController is not Supported"
        errors.append(forbidden(f"{path}.template.spec.activeDeadlineSeconds", message))
    return errors


_LABELED_COUNTS: Final = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
_UPDATED_COUNTS: Final = ("updatedReplicas", "readyReplicas", "availableReplicas")


def replication_controller_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status of a ReplicationController."""
    return _count_errors(new, ("replicas", *_LABELED_COUNTS, "observedGeneration"), _LABELED_COUNTS)


def replica_set_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status of a ReplicaSet."""
    counts = ("replicas", *_LABELED_COUNTS, "terminatingReplicas", "observedGeneration")
    return _count_errors(new, counts, _LABELED_COUNTS)


def deployment_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status of a Deployment."""
    others = ("unavailableReplicas", "terminatingReplicas", "collisionCount")
    counts = ("observedGeneration", "replicas", *_UPDATED_COUNTS, *others)
    return _count_errors(new, counts, _UPDATED_COUNTS) + collision_count_errors(new, old)


def _count_errors(obj: Mapping[str, Any], counts: tuple[str, ...], parts: tuple[str, ...]) -> list[FieldError]:
    """`counts` are not negative, each in its turn; `parts` are replicas, too, of which there are no more."""
    status = obj.get("status") or {}
    errors: list[FieldError] = []
    for field in counts:
        errors += not_negative(status.get(field) or 0, f"status.{field}")
    for field in parts:
        count = status.get(field) or 0
        if count > (status.get("replicas") or 0):
            errors.append(invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        errors.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))
    return errors


def _selected_template_errors(
    selector: Mapping[str, Any] | None, spec: Mapping[str, Any], path: str
) -> list[FieldError]:
    """Of the template, and whether the selector finds its pods."""
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    errors: list[FieldError] = []
    try:
        parsed = from_label_selector(selector)
    except SelectorError:
        return [invalid(f"{path}.selector", selector_shown(selector or {}), "invalid label selector")]
    if not parsed.empty and not parsed.matches(labels):
        errors.append(invalid(f"{path}.template.metadata.labels", map_shown(labels), NO_MATCH))
    errors += pod_template_errors(template, f"{path}.template")
    errors += always_restarted_errors(template, f"{path}.template")
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is not None:
        message = "activeDeadlineSeconds in ReplicaSet is not Supported"
        errors.append(forbidden(f"{path}.template.spec.activeDeadlineSeconds", message))
    return errors


def always_restarted_errors(template: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of workloads whose pods run for ever; a policy that no pod has is told by the template's own errors as well."""
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    return [] if policy == "Always" else [not_supported(f"{path}.spec.restartPolicy", policy, ("Always",))]


def _selector_frozen(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    selectors = [(o.get("spec") or {}).get("selector") for o in (new, old)]
    return immutable(selectors[0], selectors[1], "spec.selector", LABEL_SELECTOR)


def _strategy_errors(strategy: Mapping[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        return [forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    if kind == "RollingUpdate":
        if rolling is None:
            return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
        return _rolling_errors(rolling, f"{path}.rollingUpdate")
    shown = {"Type": kind or "", "RollingUpdate": None if rolling is None else _internal_form(rolling)}
    return [not_supported(path, shown, DEPLOYMENT_STRATEGY_TYPES)]


def _internal_form(rolling: Mapping[str, Any]) -> dict[str, Any]:
    return {"MaxUnavailable": rolling.get("maxUnavailable", 0), "MaxSurge": rolling.get("maxSurge", 0)}


def _rolling_errors(rolling: Mapping[str, Any], path: str) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = positive_int_or_percent(unavailable, f"{path}.maxUnavailable")
    errors += positive_int_or_percent(surge, f"{path}.maxSurge")
    if int_or_percent_number(unavailable) == 0 and int_or_percent_number(surge) == 0:
        errors.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + not_more_than_100_percent(unavailable, f"{path}.maxUnavailable")
