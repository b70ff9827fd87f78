"""Validation of daemon sets, in the order of Kubernetes' ValidateDaemonSet."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import DAEMON_SET_UPDATE_STRATEGY_TYPES
from kubeactors.api.fielderrors import FieldError, forbidden, invalid, not_supported, required
from kubeactors.api.go_order import LABEL_SELECTOR, map_shown, selector_shown
from kubeactors.api.internal_form import internal_form
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
from kubeactors.api.validation.workload import NO_MATCH, always_restarted_errors

_STRATEGY: Final = "io.k8s.api.apps.v1.DaemonSetUpdateStrategy"
_COUNTS: Final = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def daemon_set_errors(obj: Mapping[str, Any], template_generation: int) -> list[FieldError]:
    """Besides the metadata. `template_generation` is how often the template has changed."""
    spec = obj.get("spec") or {}
    path = "spec"
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    errors = label_selector(selector, f"{path}.selector")
    if not _matches(selector, labels):
        errors.append(invalid(f"{path}.template.metadata.labels", map_shown(labels), NO_MATCH))
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid(f"{path}.selector", selector_shown(selector), "empty selector is invalid for daemonset"))
    errors += pod_template_errors(template, f"{path}.template")
    errors += always_restarted_errors(template, f"{path}.template")
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is not None:
        message = "activeDeadlineSeconds in DaemonSet is not Supported"
        errors.append(forbidden(f"{path}.template.spec.activeDeadlineSeconds", message))
    errors += not_negative(spec.get("minReadySeconds") or 0, f"{path}.minReadySeconds")
    errors += not_negative(template_generation, f"{path}.templateGeneration")
    errors += _strategy_errors(spec.get("updateStrategy") or {}, f"{path}.updateStrategy")
    if spec.get("revisionHistoryLimit") is not None:
        errors += not_negative(spec["revisionHistoryLimit"], f"{path}.revisionHistoryLimit")
    return errors


def daemon_set_update_errors(
    new: Mapping[str, Any], old: Mapping[str, Any], template_generation: int
) -> list[FieldError]:
    # Kubernetes validates the whole object once for itself and once as an update.
    found = daemon_set_errors(new, template_generation)
    selectors = [(o.get("spec") or {}).get("selector") for o in (new, old)]
    return found + found + immutable(selectors[0], selectors[1], "spec.selector", LABEL_SELECTOR)


def daemon_set_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    status = new.get("status") or {}
    errors: list[FieldError] = []
    for field in _COUNTS:
        errors += not_negative(status.get(field) or 0, f"status.{field}")
    return errors + collision_count_errors(new, old)


def _matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Also true for a selector that is no selector; its own errors tell."""
    try:
        return from_label_selector(selector).matches(labels)
    except SelectorError:
        return True


def _strategy_errors(strategy: Mapping[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if kind not in DAEMON_SET_UPDATE_STRATEGY_TYPES:
        return [not_supported(path, internal_form(strategy, _STRATEGY), DAEMON_SET_UPDATE_STRATEGY_TYPES)]
    if kind == "OnDelete":
        return []
    if rolling is None:
        return [required(f"{path}.rollingUpdate")]
    return _rolling_errors(rolling, f"{path}.rollingUpdate")


def _rolling_errors(rolling: Mapping[str, Any], path: str) -> list[FieldError]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    errors = positive_int_or_percent(unavailable, f"{path}.maxUnavailable")
    errors += positive_int_or_percent(surge, f"{path}.maxSurge")
    errors += not_more_than_100_percent(unavailable, f"{path}.maxUnavailable")
    errors += not_more_than_100_percent(surge, f"{path}.maxSurge")
    has_unavailable, has_surge = int_or_percent_number(unavailable) != 0, int_or_percent_number(surge) != 0
    if has_unavailable and has_surge:
        errors.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif not has_unavailable and not has_surge:
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors
