"""Validation of storage version migrations (KEP-4192)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, go_quote, invalid, required
from kubeactors.api.meta import Object, is_condition_true
from kubeactors.api.validation.common import not_negative
from kubeactors.api.validation.conditions import conditions_errors
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE

_SUCCEEDED: Final = "Succeeded"
_FAILED: Final = "Failed"
_RUNNING: Final = "Running"


def storage_migration_errors(migration: Mapping[str, Any]) -> list[FieldError]:
    resource = (migration.get("spec") or {}).get("resource") or {}
    return [] if resource.get("resource") else [required("spec.resource.resource", "resource is required")]


def storage_migration_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = storage_migration_errors(new)
    after, before = ((o.get("spec") or {}).get("resource") or {} for o in (new, old))
    for field in ("group", "resource"):
        if (after.get(field) or "") != (before.get(field) or ""):
            errors.append(invalid(field, after.get(field) or "", FIELD_IMMUTABLE))
    return errors


def storage_migration_status_errors(new: Object, old: Object) -> list[FieldError]:
    """Of a write to the status: a migration ends once."""
    status, before = new.get("status") or {}, old.get("status") or {}
    path, version = "status.resourceVersion", status.get("resourceVersion") or ""
    errors: list[FieldError] = []
    if version and not re.fullmatch(r"[+-]?[0-9]+", version):
        quoted = go_quote(version)
        message = f"failed to parse resource version {quoted}: strconv.ParseInt: parsing {quoted}: invalid syntax"
        errors.append(invalid(path, version, message))
    elif version:
        errors += not_negative(int(version), path)
    conditions = status.get("conditions") or []
    errors += conditions_errors(conditions, "status.conditions")
    if before.get("resourceVersion") and before["resourceVersion"] != version:
        errors.append(invalid(path, version, FIELD_IMMUTABLE))
    succeeded, failed, running = (is_condition_true(new, kind) for kind in (_SUCCEEDED, _FAILED, _RUNNING))
    problems = (
        (succeeded and failed, "Both success and failed conditions cannot be true at the same time"),
        (succeeded and running, "Running condition cannot be true when success condition is true"),
        (failed and running, "Running condition cannot be true when failed condition is true"),
        (
            is_condition_true(old, _SUCCEEDED) and not succeeded,
            "Success condition cannot be set to false once it is true",
        ),
        (is_condition_true(old, _FAILED) and not failed, "Failed condition cannot be set to false once it is true"),
    )
    return errors + [invalid("status.conditions", conditions or None, text) for wrong, text in problems if wrong]
