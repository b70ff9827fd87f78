"""The parts of webhooks and policies that hold CEL: conditions, variables, validations, annotations, mutations.

Each expression must compile with what it may name (`kubeactors.api.cel.admission`), to a type that it may have.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.cel import types
from kubeactors.api.cel.admission import APPLY_CONFIGURATION, JSON_PATCH, Scope, shown
from kubeactors.api.cel.source import CompileError, InstantiationError
from kubeactors.api.cel.types import Type
from kubeactors.api.choices import PATCH_TYPES
from kubeactors.api.fielderrors import FieldError, duplicate, internal, invalid, not_supported, required, too_many
from kubeactors.api.validation.common import qualified_name

_BOOL: Final = (types.BOOL,)
_NOT_SPECIFIED: Final = "expression is not specified"
_MAX_CONDITIONS: Final = 64
_MAX_ANNOTATIONS: Final = 20
_MAX_VALUE_EXPRESSION: Final = 5 * 1024
_REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_IDENTIFIER: Final = re.compile("[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|"
    "while"
)


def match_conditions_errors(
    conditions: Sequence[Mapping[str, Any]], path: str, *, params: bool = False
) -> list[FieldError]:
    """`params`: of a policy that has parameters. Conditions see no variables."""
    errors: list[FieldError] = []
    scope = Scope(params=params)
    if len(conditions) > _MAX_CONDITIONS:
        errors.append(too_many(path, len(conditions), _MAX_CONDITIONS))
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        text, where = (condition.get("expression") or "").strip(), f"{path}[{i}].expression"
        errors += _compile_errors(scope, text, where, _BOOL) if text else [required(where)]
        name = condition.get("name") or ""
        errors += qualified_name(name, f"{path}[{i}].name") if name else [required(f"{path}[{i}].name")]
        if name and name in seen:
            errors.append(duplicate(f"{path}[{i}].name", name))
        seen.add(name)
    return errors


def variable_errors(variable: Mapping[str, Any], scope: Scope, path: str) -> list[FieldError]:
    """Afterwards the variable is in the scope."""
    name = variable.get("name") or ""
    errors: list[FieldError] = []
    if not name.strip():
        errors.append(required(f"{path}.name", "name is not specified"))
    elif not _IDENTIFIER.fullmatch(name) or _RESERVED.fullmatch(name):
        errors.append(invalid(f"{path}.name", name, "must be a valid CEL identifier"))
    text, where = variable.get("expression") or "", f"{path}.expression"
    if not text.strip():
        return [*errors, required(where, _NOT_SPECIFIED)]
    try:
        scope.add(name, scope.compile(text).result_type)
    except CompileError as error:
        scope.add(name, types.DYN)
        errors.append(_uncompiled(error, text, where))
    return errors


def validation_errors(validation: Mapping[str, Any], scope: Scope, path: str) -> list[FieldError]:
    errors = _expression_errors(validation, scope, f"{path}.expression", _BOOL)
    for field in ("messageExpression", "message"):
        text = validation.get(field) or ""
        if text and not text.strip():
            errors.append(invalid(f"{path}.{field}", text, "must be non-empty if specified"))
        elif field == "messageExpression" and text:
            errors += _compile_errors(scope, text, f"{path}.{field}", (types.STRING,), authorized=False)
        elif field == "message" and re.search(r"[\n\r]", text.strip()):
            errors.append(invalid(f"{path}.{field}", text, "must not contain line breaks"))
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        errors.append(not_supported(f"{path}.reason", reason, _REASONS))
    return errors


def audit_annotations_errors(
    annotations: Sequence[Mapping[str, Any]], policy: str, scope: Scope, path: str
) -> list[FieldError]:
    """`policy`: its name, which comes before each key."""
    errors: list[FieldError] = []
    if len(annotations) > _MAX_ANNOTATIONS:
        message = f"must not have more than {_MAX_ANNOTATIONS} auditAnnotations"
        errors.append(invalid(path, list(map(dict, annotations)), message))
    seen: set[str] = set()
    for i, annotation in enumerate(annotations):
        key, where = annotation.get("key") or "", f"{path}[{i}].key"
        if policy:
            errors += qualified_name(f"{policy}/{key}", where)
        else:
            errors.append(invalid(where, key, "requires metadata.name be non-empty"))
        expression, at = annotation.get("valueExpression") or "", f"{path}[{i}].valueExpression"
        if not expression.strip():
            errors.append(required(at, "valueExpression is not specified"))
        elif len(expression.strip().encode()) > _MAX_VALUE_EXPRESSION:
            errors.append(required(at, f"must not exceed {_MAX_VALUE_EXPRESSION} bytes in length"))
        else:
            errors += _compile_errors(scope, expression.strip(), at, (types.STRING, types.NULL), given=expression)
        if key in seen:
            errors.append(duplicate(where, key))
        seen.add(key)
    return errors


def mutation_errors(mutation: Mapping[str, Any], scope: Scope, path: str) -> list[FieldError]:
    kind = mutation.get("patchType") or ""
    if not kind:
        return [required(f"{path}.patchType")]
    if kind not in PATCH_TYPES:
        return [not_supported(f"{path}.patchType", kind, PATCH_TYPES)]
    fields = ("jsonPatch", "applyConfiguration")
    own, other = fields if kind == "JSONPatch" else fields[::-1]
    errors: list[FieldError] = []
    if mutation.get(own) is None:
        errors.append(required(f"{path}.{own}", f"must be specified when patchType is {kind}"))
    else:
        returns = JSON_PATCH if kind == "JSONPatch" else APPLY_CONFIGURATION
        errors += _expression_errors(mutation[own], scope, f"{path}.{own}.expression", (returns,), patches=True)
    if mutation.get(other) is not None:
        message = f"must not be specified when patchType is {kind}"
        errors.append(invalid(f"{path}.{other}", f"{{{other}}}", message))
    return errors


def _expression_errors(
    holder: Mapping[str, Any], scope: Scope, path: str, returns: tuple[Type, ...], *, patches: bool = False
) -> list[FieldError]:
    text = holder.get("expression") or ""
    if not text.strip():
        return [required(path, _NOT_SPECIFIED)]
    return _compile_errors(scope, text, path, returns, patches=patches)


def _compile_errors(
    scope: Scope,
    text: str,
    path: str,
    returns: tuple[Type, ...],
    *,
    authorized: bool = True,
    patches: bool = False,
    given: str = "",
) -> list[FieldError]:
    """Why an expression is not one that gives a value of a type. `given`: how it is shown, if otherwise."""
    try:
        found = scope.compile(text, authorized=authorized, patches=patches).result_type
    except CompileError as error:
        return [_uncompiled(error, given or text, path)]
    if found in returns:
        return []
    wanted = shown(returns[0]) if len(returns) == 1 else f"one of [{' '.join(map(shown, returns))}]"
    return [invalid(path, given or text, f"must evaluate to {wanted} but got {shown(found)}")]


def _uncompiled(error: CompileError, text: str, path: str) -> FieldError:
    """Kubernetes takes literals that can never be used for a fault of its own."""
    if isinstance(error, InstantiationError):
        return internal(path, error.reason)
    return invalid(path, text, error.reason)
