"""Validation of validating and mutating admission policies."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.cel.admission import Scope
from kubeactors.api.choices import FAILURE_POLICIES, REINVOCATION_POLICIES
from kubeactors.api.fielderrors import FieldError, required
from kubeactors.api.validation.admission.expressions import (
    audit_annotations_errors,
    match_conditions_errors,
    mutation_errors,
    validation_errors,
    variable_errors,
)
from kubeactors.api.validation.admission.rules import (
    match_constraints_errors,
    mutable_operations_errors,
    one_of,
    param_kind_errors,
)
from kubeactors.api.validation.conditions import conditions_errors

_SOMETHING = "validations or auditAnnotations must contain at least one item"


def validating_policy_errors(policy: Mapping[str, Any]) -> list[FieldError]:
    spec = policy.get("spec") or {}
    scope = _scope(spec)
    errors = _common_errors(spec) + _condition_errors(spec, scope)
    validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        return errors + [required(f"spec.{field}", _SOMETHING) for field in ("validations", "auditAnnotations")]
    for i, validation in enumerate(validations):
        errors += validation_errors(validation, scope, f"spec.validations[{i}]")
    name = (policy.get("metadata") or {}).get("name") or ""
    return errors + audit_annotations_errors(annotations, name, scope, "spec.auditAnnotations")


def validating_policy_status_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to the status: warnings of the type checker and conditions."""
    status = new.get("status") or {}
    errors: list[FieldError] = []
    for i, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings") or ()):
        path = f"status.typeChecking.expressionWarnings[{i}]"
        errors += [
            required(f"{path}.{field}") for field in ("warning", "fieldRef") if not (warning.get(field) or "").strip()
        ]
    return errors + conditions_errors(status.get("conditions") or (), "status.conditions")


def mutating_policy_errors(policy: Mapping[str, Any]) -> list[FieldError]:
    spec = policy.get("spec") or {}
    errors = _common_errors(spec)
    errors += mutable_operations_errors(spec.get("matchConstraints"), "spec.matchConstraints")
    scope = _scope(spec)
    errors += _condition_errors(spec, scope)
    mutations = spec.get("mutations") or ()
    if not mutations:
        errors.append(required("spec.mutations", "mutations must contain at least one item"))
    for i, mutation in enumerate(mutations):
        errors += mutation_errors(mutation, scope, f"spec.mutations[{i}]")
    reinvocation = spec.get("reinvocationPolicy") or None
    return errors + one_of(reinvocation, frozenset(REINVOCATION_POLICIES), "spec.reinvocationPolicy")


def _common_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    errors = one_of(spec.get("failurePolicy"), frozenset(FAILURE_POLICIES), "spec.failurePolicy")
    if spec.get("paramKind") is not None:
        errors += param_kind_errors(spec["paramKind"], "spec.paramKind")
    return errors + match_constraints_errors(spec.get("matchConstraints"), "spec.matchConstraints")


def _scope(spec: Mapping[str, Any]) -> Scope:
    return Scope(params=spec.get("paramKind") is not None, composed=bool(spec.get("variables")))


def _condition_errors(spec: Mapping[str, Any], scope: Scope) -> list[FieldError]:
    params = spec.get("paramKind") is not None
    errors = match_conditions_errors(spec.get("matchConditions") or (), "spec.matchConditions", params=params)
    for i, variable in enumerate(spec.get("variables") or ()):
        errors += variable_errors(variable, scope, f"spec.variables[{i}]")
    return errors
