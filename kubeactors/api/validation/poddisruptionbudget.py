"""Validation of pod disruption budgets."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import UNHEALTHY_POD_EVICTION_POLICIES
from kubeactors.api.fielderrors import FieldError, invalid, not_supported
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import (
    label_selector,
    not_more_than_100_percent,
    not_negative,
    positive_int_or_percent,
)
from kubeactors.api.validation.conditions import conditions_errors

_POLICIES: Final = frozenset(UNHEALTHY_POD_EVICTION_POLICIES)
_COUNTS: Final = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def pod_disruption_budget_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    """Besides the metadata."""
    spec = obj.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        errors.append(
            invalid(
                "spec",
                internal_form(spec, "io.k8s.api.policy.v1.PodDisruptionBudgetSpec"),
                "minAvailable and maxUnavailable cannot be both set",
            )
        )
    for field in ("minAvailable", "maxUnavailable"):
        value = spec.get(field)
        if value is not None:
            errors += positive_int_or_percent(value, f"spec.{field}")
            errors += not_more_than_100_percent(value, f"spec.{field}")
    errors += label_selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
    return errors


def pod_disruption_budget_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    status = new.get("status") or {}
    errors = conditions_errors(status.get("conditions") or [], "status.conditions")
    for field in _COUNTS:
        errors += not_negative(status.get(field) or 0, f"status.{field}")
    return errors
