"""Validation of a job's pod failure policy (KEP-3329) and success policy (KEP-3998)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from kubeactors.api.choices import (
    CONDITION_STATUSES,
    POD_FAILURE_POLICY_ACTIONS,
    POD_FAILURE_POLICY_ON_EXIT_CODES_OPERATORS,
)
from kubeactors.api.fielderrors import (
    OMITTED,
    FieldError,
    duplicate,
    go_quote,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from kubeactors.api.indexes import IndexesError, parse_indexes
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.common import duplicates, not_negative, qualified_name

_ACTIONS: Final = tuple(sorted(POD_FAILURE_POLICY_ACTIONS))
_OPERATORS: Final = tuple(sorted(POD_FAILURE_POLICY_ON_EXIT_CODES_OPERATORS))
_STATUSES: Final = tuple(sorted(CONDITION_STATUSES))
_MAX_RULES: Final = 20
_MAX_EXIT_CODES: Final = 255
_MAX_CONDITIONS: Final = 20
_MAX_INDEXES_BYTES: Final = 64 * 1024


def pod_failure_policy_errors(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    rules = spec["podFailurePolicy"].get("rules") or []
    errors = [too_many(f"{path}.rules", len(rules), _MAX_RULES)] if len(rules) > _MAX_RULES else []
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") for field in ("containers", "initContainers") for c in pod.get(field) or ()}
    for i, rule in enumerate(rules):
        errors += _failure_rule_errors(spec, rule, f"{path}.rules[{i}]", names)
    return errors


def _failure_rule_errors(
    spec: Mapping[str, Any], rule: Mapping[str, Any], path: str, names: set[Any]
) -> list[FieldError]:
    errors: list[FieldError] = []
    action = rule.get("action") or ""
    if not action:
        errors.append(required(f"{path}.action", _valid_values(_ACTIONS)))
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            errors.append(invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    elif action not in _ACTIONS:
        errors.append(not_supported(f"{path}.action", action, _ACTIONS))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        errors += _exit_code_errors(codes, f"{path}.onExitCodes", names)
    if conditions:
        errors += _condition_errors(conditions, f"{path}.onPodConditions")
    if codes is not None and conditions:
        errors.append(invalid(path, OMITTED, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(invalid(path, OMITTED, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _exit_code_errors(codes: Mapping[str, Any], path: str, names: set[Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = codes.get("operator") or "", codes.get("values") or []
    if not operator:
        errors.append(required(f"{path}.operator", _valid_values(_OPERATORS)))
    elif operator not in _OPERATORS:
        errors.append(not_supported(f"{path}.operator", operator, _OPERATORS))
    name = codes.get("containerName")
    if name is not None and name not in names:
        message = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid(f"{path}.containerName", name, message))
    if not values:
        errors.append(invalid(f"{path}.values", codes.get("values"), "at least one value is required"))
    elif len(values) > _MAX_EXIT_CODES:
        errors.append(too_many(f"{path}.values", len(values), _MAX_EXIT_CODES))
    repeated = set(duplicates(values))
    for i, value in enumerate(values):
        if operator == "In" and value == 0:
            errors.append(invalid(f"{path}.values[{i}]", value, "must not be 0 for the In operator"))
        if i in repeated:
            errors.append(duplicate(f"{path}.values[{i}]", value))
    if any(before > value for before, value in pairwise(values)):
        errors.append(invalid(f"{path}.values", values, "must be ordered"))
    return errors


def _condition_errors(conditions: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors = [too_many(path, len(conditions), _MAX_CONDITIONS)] if len(conditions) > _MAX_CONDITIONS else []
    for i, pattern in enumerate(conditions):
        errors += qualified_name(pattern.get("type") or "", f"{path}[{i}].type")
        status = pattern.get("status") or ""
        if not status:
            errors.append(required(f"{path}[{i}].status", _valid_values(_STATUSES)))
        elif status not in _STATUSES:
            errors.append(not_supported(f"{path}[{i}].status", status, _STATUSES))
    return errors


def success_policy_errors(spec: Mapping[str, Any], path: str, *, indexed: bool) -> list[FieldError]:
    policy = spec["successPolicy"]
    rules = policy.get("rules") or []
    if not indexed:
        shown = internal_form(policy, "io.k8s.api.batch.v1.SuccessPolicy")
        return [invalid(path, shown, "requires indexed completion mode")]
    errors: list[FieldError] = []
    if not rules:
        message = "at least one rules must be specified when the successPolicy is specified"
        errors.append(required(f"{path}.rules", message))
    if len(rules) > _MAX_RULES:
        errors.append(too_many(f"{path}.rules", len(rules), _MAX_RULES))
    for i, rule in enumerate(rules):
        errors += _success_rule_errors(rule, spec.get("completions") or 0, f"{path}.rules[{i}]")
    return errors


def _success_rule_errors(rule: Mapping[str, Any], completions: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if indexes is None and count is None:
        errors.append(required(path, "at least one of succeededCount or succeededIndexes must be specified"))
    total = 0
    if indexes is not None:
        at = f"{path}.succeededIndexes"
        if len(indexes.encode()) > _MAX_INDEXES_BYTES:
            errors.append(too_long(at, _MAX_INDEXES_BYTES))
        try:
            total = sum(last - first + 1 for first, last in parse_indexes(indexes, completions))
        except IndexesError as error:
            errors.append(invalid(at, indexes, f"error parsing succeededIndexes: {error}"))
    if count is not None:
        at = f"{path}.succeededCount"
        errors += not_negative(count, at)
        if count > completions:
            message = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(invalid(at, count, message))
        if indexes is not None and count > total:
            message = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(invalid(at, count, message))
    return errors


def _valid_values(values: Sequence[str]) -> str:
    return f"valid values: [{' '.join(map(go_quote, values))}]"
