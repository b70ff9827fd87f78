"""The rules that make a schema structural.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from typing import Any, Final

from kubeactors.api import fielderrors
from kubeactors.api.customresources.structural import Schema
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.regular_expressions import PatternError, compiled

_ROOT, _ITEM, _FIELD = range(3)
_MISSING_TYPE: Final = {
    _ROOT: "must not be empty at the root",
    _ITEM: "must not be empty for specified array items",
    _FIELD: "must not be empty for specified object fields",
}
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_INT_OR_STRING_MARK: Final = "x-kubernetes-int-or-string"

# What may not be said inside of allOf, anyOf, oneOf and not, in the order in which it is told.
_ONLY_OUTSIDE: Final = (
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    (_PRESERVE, "must be false to be structural"),
    (_EMBEDDED, "must be false to be structural"),
    (_INT_OR_STRING_MARK, "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)


def structural_errors(schema: Schema, path: str) -> list[FieldError]:
    """What keeps a schema from being structural, sorted by text."""
    errors = _invariants(schema, _ROOT, path) + _incomplete_in(schema, schema, path, path)
    return sorted(errors, key=str)


def _invariants(schema: Schema, level: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind = schema.get("type") or ""
    properties: dict[str, Any] = schema.get("properties") or {}
    items, additional = schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and items is None:
        errors.append(fielderrors.required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        errors += _invariants(items, _ITEM, f"{path}.items")
    for name, each in properties.items():
        errors += _invariants(each, _FIELD, f"{path}.properties[{name}]")
    if additional is not None:
        if level == _ROOT:
            errors.append(fielderrors.forbidden(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, dict):
            errors += _invariants(additional, _FIELD, f"{path}.additionalProperties")
    errors += _extension_errors(schema, path)
    any_of, all_of = schema.get("anyOf") or [], schema.get("allOf") or []
    first_any_of = (all_of[0].get("anyOf") if all_of else None) or []
    errors += _value_rules(schema, any_of == _INT_OR_STRING, first_any_of == _INT_OR_STRING, path)
    errors += _type_errors(schema, kind, level, path)
    if schema.get(_EMBEDDED) and additional is not None:
        message = f"must not be used if {_EMBEDDED} is set"
        errors.append(fielderrors.forbidden(f"{path}.additionalProperties", message))
    errors += _meta_errors(schema, properties, level, path)
    if schema.get(_EMBEDDED) and not schema.get(_PRESERVE) and not properties:
        message = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
        errors.append(fielderrors.required(f"{path}.properties", message))
    return errors


def _extension_errors(schema: Schema, path: str) -> list[FieldError]:
    if not schema.get(_INT_OR_STRING_MARK):
        return []
    message = f"must be false if {_INT_OR_STRING_MARK} is true"
    return [fielderrors.invalid(f"{path}.{key}", True, message) for key in (_PRESERVE, _EMBEDDED) if schema.get(key)]


def _type_errors(schema: Schema, kind: str, level: int, path: str) -> list[FieldError]:
    where = f"{path}.type"
    if schema.get(_EMBEDDED) and kind != "object":
        message = f"must be object if {_EMBEDDED} is true"
        return [fielderrors.invalid(where, kind, message) if kind else fielderrors.required(where, message)]
    if not kind and not schema.get(_INT_OR_STRING_MARK) and not schema.get(_PRESERVE):
        return [fielderrors.required(where, _MISSING_TYPE[level])]
    if level == _ROOT and kind and kind != "object":
        return [fielderrors.invalid(where, kind, "must be object at the root")]
    return []


def _meta_errors(schema: Schema, properties: dict[str, Any], level: int, path: str) -> list[FieldError]:
    errors = []
    whole = level == _ROOT or bool(schema.get(_EMBEDDED))
    for name in ("kind", "apiVersion"):
        kind = (properties.get(name) or {}).get("type") or ""
        if whole and name in properties and kind != "string":
            errors.append(fielderrors.invalid(f"{path}.properties[{name}].type", kind, "must be string"))
    metadata = properties.get("metadata")
    if metadata is None:
        return errors
    where = f"{path}.properties[metadata]"
    if whole and metadata.get("type") != "object":
        errors.append(fielderrors.invalid(f"{where}.type", metadata.get("type") or "", "must be object"))
    named = set(metadata.get("properties") or ()) <= {"name", "generateName"}
    others = {key for key, value in metadata.items() if value not in (None, "", [], {}, False)}
    if level == _ROOT and not (named and others <= {"type", "properties", "default"}):
        message = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        errors.append(fielderrors.forbidden(where, message))
    return errors


def _value_rules(schema: Schema, skip_any_of: bool, skip_first: bool, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not skip_any_of:
        for index, each in enumerate(schema.get("anyOf") or ()):
            errors += _nested(each, False, f"{path}.anyOf[{index}]")
    for index, each in enumerate(schema.get("allOf") or ()):
        errors += _nested(each, skip_first and index == 0, f"{path}.allOf[{index}]")
    for index, each in enumerate(schema.get("oneOf") or ()):
        errors += _nested(each, False, f"{path}.oneOf[{index}]")
    if schema.get("not") is not None:
        errors += _nested(schema["not"], False, f"{path}.not")
    if schema.get("pattern"):
        try:
            compiled(schema["pattern"])
        except PatternError as error:
            message = f"must be a valid regular expression, but isn't: {error}"
            errors.append(fielderrors.invalid(f"{path}.pattern", schema["pattern"], message))
    return errors


def _nested(schema: Schema, skip_any_of: bool, path: str) -> list[FieldError]:
    """Of a schema inside of allOf, anyOf, oneOf or not: it may restrict values, and describe nothing."""
    errors = _value_rules(schema, skip_any_of, False, path)
    if isinstance(schema.get("items"), dict):
        errors += _nested(schema["items"], False, f"{path}.items")
    properties = schema.get("properties") or {}
    for name, each in properties.items():
        errors += _nested(each, False, f"{path}.properties[{name}]")
    if schema.get("type"):
        errors.append(fielderrors.forbidden(f"{path}.type", "must be empty to be structural"))
    if schema.get("additionalProperties") is not None:
        where = f"{path}.additionalProperties"
        errors.append(fielderrors.forbidden(where, "must be undefined to be structural"))
    errors += [fielderrors.forbidden(f"{path}.{key}", text) for key, text in _ONLY_OUTSIDE if schema.get(key)]
    if "metadata" in properties:
        where = f"{path}.properties[metadata]"
        errors.append(fielderrors.forbidden(where, "must not be specified in a nested context"))
    return errors


def _incomplete_in(nested: Schema, outer: Schema | None, path: str, nested_path: str) -> list[FieldError]:
    """Fields that are restricted in allOf, anyOf, oneOf or not, and not described outside of it."""
    if outer is None:
        return [fielderrors.required(path, f"because it is defined in {nested_path}")]
    errors: list[FieldError] = []
    if nested.get("not") is not None:
        errors += _incomplete(nested["not"], outer, path, f"{nested_path}.not")
    for key in ("allOf", "anyOf", "oneOf"):
        for index, each in enumerate(nested.get(key) or ()):
            errors += _incomplete(each, outer, path, f"{nested_path}.{key}[{index}]")
    return errors


def _incomplete(nested: Schema, outer: Schema | None, path: str, nested_path: str) -> list[FieldError]:
    errors = _incomplete_in(nested, outer, path, nested_path)
    if outer is None:
        return errors
    if isinstance(nested.get("items"), dict):
        items = outer.get("items")
        known = items if isinstance(items, dict) else None
        errors += _incomplete(nested["items"], known, f"{path}.items", f"{nested_path}.items")
    for name, each in (nested.get("properties") or {}).items():
        known = (outer.get("properties") or {}).get(name)
        step = f"properties[{name}]"
        errors += _incomplete(each, known, f"{path}.{step}", f"{nested_path}.{step}")
    return errors
