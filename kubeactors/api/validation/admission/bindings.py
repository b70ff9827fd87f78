"""Validation of bindings of admission policies."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.choices import VALIDATION_ACTIONS
from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required
from kubeactors.api.validation.admission.rules import (
    match_resources_errors,
    mutable_operations_errors,
    param_ref_errors,
    policy_name_errors,
)
from kubeactors.api.validation.common import duplicates

_ACTIONS: Final = frozenset(VALIDATION_ACTIONS)
_DENY_AND_WARN: Final = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)


def validating_binding_errors(binding: Mapping[str, Any]) -> list[FieldError]:
    actions = (binding.get("spec") or {}).get("validationActions") or []
    return _common_errors(binding) + _action_errors(actions, "spec.validationActions")


def mutating_binding_errors(binding: Mapping[str, Any]) -> list[FieldError]:
    match = (binding.get("spec") or {}).get("matchResources")
    return _common_errors(binding) + mutable_operations_errors(match, "spec.matchResources")


def _common_errors(binding: Mapping[str, Any]) -> list[FieldError]:
    spec = binding.get("spec") or {}
    errors = policy_name_errors(spec.get("policyName") or "", "spec.policyName")
    errors += param_ref_errors(spec.get("paramRef"), "spec.paramRef")
    match = spec.get("matchResources")
    return errors + match_resources_errors(match, "spec.matchResources") if match is not None else errors


def _action_errors(actions: Sequence[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    twice = set(duplicates(actions))
    for i, action in enumerate(actions):
        if action not in _ACTIONS:
            errors.append(not_supported(f"{path}[{i}]", action, _ACTIONS))
        if i in twice:
            errors.append(duplicate(f"{path}[{i}]", action))
    if "Deny" in actions and "Warn" in actions:
        errors.append(invalid(path, list(actions), _DENY_AND_WARN))
    if not actions:
        errors.append(required(path, "at least one validation action is required"))
    return errors
