"""The parts of webhooks and policies that hold CEL: conditions, variables, validations, annotations, mutations.

Every expression passes here. Whether it compiles is not checked: what is checked is that it is there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, invalid, not_supported, required, too_many
from kubeactors.api.validation.common import qualified_name

_MAX_CONDITIONS: Final = 64
_MAX_ANNOTATIONS: Final = 20
_MAX_VALUE_EXPRESSION: Final = 5 * 1024
_REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_PATCH_TYPES: Final = ("ApplyConfiguration", "JSONPatch")
_IDENTIFIER: Final = re.compile("[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|"
    "while"
)


def match_conditions_errors(conditions: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(conditions) > _MAX_CONDITIONS:
        errors.append(too_many(path, len(conditions), _MAX_CONDITIONS))
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        errors += _expression(condition, f"{path}[{i}].expression")
        name = condition.get("name") or ""
        errors += qualified_name(name, f"{path}[{i}].name") if name else [required(f"{path}[{i}].name")]
        if name and name in seen:
            errors.append(duplicate(f"{path}[{i}].name", name))
        seen.add(name)
    return errors


def variable_errors(variable: Mapping[str, Any], path: str) -> list[FieldError]:
    name = variable.get("name") or ""
    errors: list[FieldError] = []
    if not name.strip():
        errors.append(required(f"{path}.name", "name is not specified"))
    elif not _IDENTIFIER.fullmatch(name) or _RESERVED.fullmatch(name):
        errors.append(invalid(f"{path}.name", name, "must be a valid CEL identifier"))
    return errors + _expression(variable, f"{path}.expression", "expression is not specified")


def validation_errors(validation: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _expression(validation, f"{path}.expression", "expression is not specified")
    for field in ("messageExpression", "message"):
        text = validation.get(field) or ""
        if text and not text.strip():
            errors.append(invalid(f"{path}.{field}", text, "must be non-empty if specified"))
        elif field == "message" and re.search(r"[\n\r]", text.strip()):
            errors.append(invalid(f"{path}.{field}", text, "must not contain line breaks"))
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        errors.append(not_supported(f"{path}.reason", reason, _REASONS))
    return errors


def audit_annotations_errors(annotations: Sequence[Mapping[str, Any]], policy: str, path: str) -> list[FieldError]:
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
        if key in seen:
            errors.append(duplicate(where, key))
        seen.add(key)
    return errors


def mutation_errors(mutation: Mapping[str, Any], path: str) -> list[FieldError]:
    kind = mutation.get("patchType") or ""
    if not kind:
        return [required(f"{path}.patchType")]
    if kind not in _PATCH_TYPES:
        return [not_supported(f"{path}.patchType", kind, _PATCH_TYPES)]
    fields = ("jsonPatch", "applyConfiguration")
    own, other = fields if kind == "JSONPatch" else fields[::-1]
    errors: list[FieldError] = []
    if mutation.get(own) is None:
        errors.append(required(f"{path}.{own}", f"must be specified when patchType is {kind}"))
    else:
        errors += _expression(mutation[own], f"{path}.{own}.expression", "expression is not specified")
    if mutation.get(other) is not None:
        message = f"must not be specified when patchType is {kind}"
        errors.append(invalid(f"{path}.{other}", f"{{{other}}}", message))
    return errors


def _expression(holder: Mapping[str, Any], path: str, message: str = "") -> list[FieldError]:
    return [] if (holder.get("expression") or "").strip() else [required(path, message)]
