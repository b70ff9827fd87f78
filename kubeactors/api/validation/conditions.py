"""Validation of metav1.Condition, which newer kinds have in their status."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import CONDITION_STATUSES
from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required, too_long
from kubeactors.api.validation.common import not_negative, qualified_name
from kubeactors.api.validation.names import regex_message

_STATUSES: Final = frozenset(CONDITION_STATUSES)
_REASON: Final = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_MESSAGE: Final = regex_message(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'",
    _REASON,
    "my_name",
    "MY_NAME",
    "MyName",
    "ReasonA,ReasonB",
    "ReasonA:ReasonB",
)
_MAX_REASON: Final = 1024
_MAX_MESSAGE: Final = 32 * 1024


def conditions_errors(conditions: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    """Of a list of conditions, one of each type."""
    errors: list[FieldError] = []
    first: dict[str, int] = {}
    for i, condition in enumerate(conditions):
        kind = condition.get("type") or ""
        if kind in first:
            errors.append(duplicate(f"{path}[{i}].type", kind))
        else:
            first[kind] = i
        errors += _condition_errors(condition, f"{path}[{i}]")
    return errors


def _condition_errors(condition: Mapping[str, Any], path: str) -> list[FieldError]:
    kind, status, reason = (condition.get(f) or "" for f in ("type", "status", "reason"))
    errors = qualified_name(kind, f"{path}.type") if kind else [required(f"{path}.type", "must be set")]
    if status not in _STATUSES:
        errors.append(not_supported(f"{path}.status", status, _STATUSES))
    errors += not_negative(condition.get("observedGeneration") or 0, f"{path}.observedGeneration")
    if not condition.get("lastTransitionTime"):
        errors.append(required(f"{path}.lastTransitionTime", "must be set"))
    if not reason:
        errors.append(required(f"{path}.reason", "must be set"))
    else:
        if not re.fullmatch(_REASON, reason):
            errors.append(invalid(f"{path}.reason", reason, _REASON_MESSAGE))
        if len(reason.encode()) > _MAX_REASON:
            errors.append(too_long(f"{path}.reason", _MAX_REASON))
    if len((condition.get("message") or "").encode()) > _MAX_MESSAGE:
        errors.append(too_long(f"{path}.message", _MAX_MESSAGE))
    return errors
