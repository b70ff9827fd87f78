"""Validation of device taint rules (KEP-5055)."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, too_many
from kubeactors.api.validation.common import dns1123_label
from kubeactors.api.validation.conditions import conditions_errors
from kubeactors.api.validation.resource.common import (
    MAX_CONDITIONS,
    driver_name_errors,
    pool_name_errors,
    taint_errors,
)


def taint_rule_errors(obj: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[FieldError]:
    spec = obj.get("spec") or {}
    selector = spec.get("deviceSelector") or {}
    errors: list[FieldError] = []
    for field, check in (("driver", driver_name_errors), ("pool", pool_name_errors), ("device", dns1123_label)):
        if selector.get(field) is not None:
            errors += check(selector[field], f"spec.deviceSelector.{field}")
    before = ((old or {}).get("spec") or {}).get("taint") if old is not None else None
    return errors + taint_errors(spec.get("taint") or {}, "spec.taint", before)


def taint_rule_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status."""
    conditions = (new.get("status") or {}).get("conditions") or []
    errors = conditions_errors(conditions, "status.conditions")
    if len(conditions) > MAX_CONDITIONS:
        errors.append(too_many("status.conditions", len(conditions), MAX_CONDITIONS))
    return errors
