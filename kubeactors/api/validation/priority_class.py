"""Validation of priority classes, and the two that every cluster has."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.choices import PREEMPTION_POLICIES
from kubeactors.api.fielderrors import FieldError, forbidden, not_supported
from kubeactors.api.validation.common import immutable

HIGHEST_OF_USERS: Final = 1_000_000_000
_RESERVED: Final = "system-"
SYSTEM_CLASSES: Final[dict[str, dict[str, Any]]] = {
    "system-node-critical": {
        "value": 2_000_001_000,
        "description": "Used for system critical pods that must not be moved from their current node.",
    },
    "system-cluster-critical": {
        "value": 2_000_000_000,
        "description": (
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        ),
    },
}


def priority_class_errors(obj: Mapping[str, Any]) -> list[FieldError]:
    name, value = (obj.get("metadata") or {}).get("name") or "", obj.get("value") or 0
    errors: list[FieldError] = []
    if name.startswith(_RESERVED):
        problem = _not_of_system(name, value, bool(obj.get("globalDefault")))
        if problem:
            message = (
                f"priority class names with '{_RESERVED}' prefix are reserved for system use only. error: {problem}"
            )
            errors.append(forbidden("metadata.name", message))
    elif value > HIGHEST_OF_USERS:
        message = f"maximum allowed value of a user defined priority is {HIGHEST_OF_USERS}"
        errors.append(forbidden("value", message))
    policy = obj.get("preemptionPolicy")
    if policy is not None and policy not in PREEMPTION_POLICIES:
        errors.append(not_supported("preemptionPolicy", policy, PREEMPTION_POLICIES))
    return errors


def priority_class_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    errors = priority_class_errors(new)
    if (new.get("value") or 0) != (old.get("value") or 0):
        errors.append(forbidden("value", "may not be changed in an update."))
    return errors + immutable(new.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")


def _not_of_system(name: str, value: int, is_default: bool) -> str:
    """Why a class of a reserved name is none of the system's; empty: it is."""
    known = SYSTEM_CLASSES.get(name)
    if known is None:
        return f"{name} is not a known system priority class"
    if known["value"] != value:
        return f"value of {name} PriorityClass must be {known['value']}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""
