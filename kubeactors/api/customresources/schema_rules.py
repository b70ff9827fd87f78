"""The rules for each version's OpenAPI schema in a CustomResourceDefinition, besides that it is structural."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kubeactors.api import fielderrors
from kubeactors.api.choices import FIELD_VALUE_ERROR_REASONS
from kubeactors.api.codec import copy
from kubeactors.api.customresources.embedded import coerce, embedded_errors
from kubeactors.api.customresources.field_path import FieldPathError, find_field
from kubeactors.api.customresources.internal_schema import fields_set, go_name, schema_shown
from kubeactors.api.customresources.pruning import prune
from kubeactors.api.customresources.rule_checks import schema_errors as rule_errors
from kubeactors.api.customresources.rule_evaluation import RuleSet
from kubeactors.api.customresources.rules import has_rules
from kubeactors.api.customresources.structural import META_FIELDS, Schema, Structural, structural, unsupported
from kubeactors.api.customresources.structural_rules import structural_errors
from kubeactors.api.customresources.values import same_json, value_errors
from kubeactors.api.fielderrors import FieldError, aggregate
from kubeactors.api.go_order import sorted_throughout
from kubeactors.api.schema.mismatch import TypeMismatchError
from kubeactors.api.validation.common import duplicates

_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})
_REASONS: Final = frozenset(FIELD_VALUE_ERROR_REASONS)
_NEW_LINE: Final = re.compile(r"[\n\r]")
_LIST_TYPES: Final = ("atomic", "set", "map")
_MAP_TYPES: Final = ("atomic", "granular")
_LIST_TYPE, _MAP_TYPE, _MAP_KEYS = "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-list-map-keys"
_RULES: Final = "x-kubernetes-validations"

# What may stand at the root beside a status subresource: status is validated by itself, as properties.status.
_AT_ROOT: Final = (
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "required",
    "items",
    "properties",
    "externalDocs",
    "example",
    "x-kubernetes-preserve-unknown-fields",
    _RULES,
)


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a schema lies. `no_defaults`: why none may be set, empty if they may."""

    no_defaults: str = ""
    inside_meta: bool = False


def schema_errors(schema: Schema, path: str, *, status: bool) -> list[FieldError]:
    """What is wrong with an openAPIV3Schema, which lies at `path`. `status`: the version has that subresource."""
    errors: list[FieldError] = []
    if status:
        errors += _root_errors(schema, path)
    if schema.get("nullable"):
        errors.append(fielderrors.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    unreadable = unsupported(schema)
    sound = False
    if not unreadable:
        found = structural_errors(schema, path) or default_errors(structural(schema), path)
        sound = not found
        errors += found
    ordinary = _openapi_errors(schema, path, _Context(), root=True)
    errors += ordinary
    if sound:
        errors += rule_errors(schema, path, [error.field for error in ordinary])
    if not errors and unreadable:
        errors.append(fielderrors.invalid(path, "", unreadable))
    return errors


def _root_errors(schema: Schema, path: str) -> list[FieldError]:
    for key in fields_set(schema):
        if key == "type" and schema[key] != "object":
            allowed = 'only "object" is allowed as the type'
            message = f"{allowed} at the root of the schema if the status subresource is enabled"
            return [fielderrors.invalid(f"{path}.type", schema[key], message)]
        if key not in _AT_ROOT:
            allowed = " ".join(map(go_name, _AT_ROOT))
            message = (
                f"only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
            )
            return [fielderrors.invalid(path, schema_shown(schema), message)]
    return []


def default_errors(schema: Structural, path: str) -> list[FieldError]:
    """Defaults that are not values which the schema would accept unchanged."""
    root = replace(schema, embedded=True)
    return _default_errors(root, path, _Around(root, inside_meta=False))


@dataclass(frozen=True, slots=True)
class _Around:
    """The whole object that a schema lies in. `steps`: the way to its values; None stands for an item of a list."""

    root: Structural
    inside_meta: bool
    steps: tuple[str | None, ...] = ()

    def into(self, step: str | None, *, meta: bool = False) -> "_Around":
        return replace(self, inside_meta=self.inside_meta or meta, steps=(*self.steps, step))

    def object_with(self, value: Any) -> dict[str, Any]:
        """An object with nothing but a type and the value."""
        for step in reversed(self.steps):
            value = [value] if step is None else {step: value}
        return {**value, "kind": "Validation", "apiVersion": "validation/v1"}


def _default_errors(schema: Structural, path: str, around: _Around) -> list[FieldError]:
    errors: list[FieldError] = []
    if schema.embedded:
        around = _Around(schema, inside_meta=False)
    if schema.default is not None:
        errors += _one_default(schema, f"{path}.default", around)
    if schema.items is not None:
        errors += _default_errors(schema.items, f"{path}.items", around.into(None))
    for name, each in sorted(schema.properties.items()):
        meta = schema.embedded and name in META_FIELDS
        errors += _default_errors(each, f"{path}.properties[{name}]", around.into(name, meta=meta))
    return errors


def _one_default(schema: Structural, path: str, around: _Around) -> list[FieldError]:
    errors: list[FieldError] = []
    if around.inside_meta:
        wrong = _metadata_errors(around.object_with(copy(schema.default)), around.root)
        if wrong:
            return [fielderrors.invalid(path, schema.default, f"must result in valid metadata: {wrong}")]
    else:
        value = copy(schema.default)
        prune(value, schema, root=schema.embedded)
        if not same_json(value, schema.default):
            shown = sorted_throughout(schema.default)
            errors.append(fielderrors.invalid(path, shown, "must not have unknown fields"))
        try:
            coerce(copy(schema.default), schema)
        except TypeMismatchError as error:
            return [*errors, fielderrors.invalid(path, schema.default, str(error))]
        wrong_inside = embedded_errors(schema.default, schema, path)
        if wrong_inside:
            return errors + wrong_inside
    wrong_values = value_errors(schema.source, schema.default, path)
    if wrong_values or not has_rules(schema.source):
        return errors + wrong_values
    rules = RuleSet(schema, root=schema.embedded)
    return errors + rules.evaluate(schema.default, schema.default, path, ratcheting=False)[0]


def _metadata_errors(obj: dict[str, Any], root: Structural) -> str:
    """What is wrong with the apiVersion, kind and metadata of an object and of those inside it; empty: nothing."""
    try:
        coerce(obj, root)
    except TypeMismatchError as error:
        return str(error)
    return aggregate(map(str, errors)) if (errors := embedded_errors(obj, root)) else ""


def _openapi_errors(schema: Schema, path: str, context: _Context, *, root: bool = False) -> list[FieldError]:
    errors = _standard_errors(schema, path, context)
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    if schema.get("uniqueItems"):
        message = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(fielderrors.forbidden(f"{path}.uniqueItems", message))
    additional = schema.get("additionalProperties")
    if additional is not None:
        where = f"{path}.additionalProperties"
        if properties and additional is not True:
            errors.append(fielderrors.forbidden(where, "additionalProperties and properties are mutual exclusive"))
        if isinstance(additional, dict):
            inside = context
            if context.inside_meta:
                inside = replace(context, no_defaults="inside additionalProperties applying to object metadata")
            errors += _openapi_errors(additional, where, inside)
    for name, each in sorted(properties.items()):
        inside = context
        if (root or schema.get("x-kubernetes-embedded-resource")) and name in META_FIELDS:
            inside = replace(context, inside_meta=True)
            if root:
                inside = replace(inside, no_defaults=f"in top-level {name}")
        errors += _openapi_errors(each, f"{path}.properties[{name}]", inside)
    if schema.get("not") is not None:
        errors += _openapi_errors(schema["not"], f"{path}.not", context)
    for key in ("allOf", "oneOf", "anyOf"):
        for index, each in enumerate(schema.get(key) or ()):
            errors += _openapi_errors(each, f"{path}.{key}[{index}]", context)
    for name, each in sorted((schema.get("definitions") or {}).items()):
        errors += _openapi_errors(each, f"{path}.definitions[{name}]", context)
    items = schema.get("items")
    if isinstance(items, dict):
        errors += _openapi_errors(items, f"{path}.items", context)
    elif items:
        for index, each in enumerate(items):
            errors += _openapi_errors(each, f"{path}.items[{index}]", context)
    for name, each in sorted((schema.get("dependencies") or {}).items()):
        if isinstance(each, dict):
            errors += _openapi_errors(each, f"{path}.dependencies[{name}]", context)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        errors.append(fielderrors.invalid(where, False, "must be true or undefined"))
    errors += _map_type_errors(schema, path)
    errors += _list_type_errors(schema, path)
    errors += _rule_errors(schema, path)
    return errors


def _standard_errors(schema: Schema, path: str, context: _Context) -> list[FieldError]:
    errors: list[FieldError] = []
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        errors.append(fielderrors.not_supported(f"{path}.type", kind, _TYPES))
    if schema.get("default") is not None and context.no_defaults:
        errors.append(fielderrors.forbidden(f"{path}.default", f"must not be set {context.no_defaults}"))
    for key in ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"):
        if schema.get(key):
            errors.append(fielderrors.forbidden(f"{path}.{key}", f"{key} is not supported"))
    if kind == "null":
        message = "type cannot be set to null, use nullable as an alternative"
        errors.append(fielderrors.forbidden(f"{path}.type", message))
    if isinstance(schema.get("items"), list):
        message = "items must be a schema object and not an array"
        errors.append(fielderrors.forbidden(f"{path}.items", message))
    if context.inside_meta and schema.get("x-kubernetes-embedded-resource"):
        where = f"{path}.x-kubernetes-embedded-resource"
        errors.append(fielderrors.forbidden(where, "must not be used inside of resource meta"))
    return errors


def _wrong_type(kind: str, path: str, message: str) -> FieldError:
    where = f"{path}.type"
    return fielderrors.invalid(where, kind, message) if kind else fielderrors.required(where, message)


def _map_type_errors(schema: Schema, path: str) -> list[FieldError]:
    map_type, kind = schema.get(_MAP_TYPE), schema.get("type") or ""
    if map_type is None:
        return []
    errors = []
    if kind != "object":
        errors.append(_wrong_type(kind, path, f"must be object if {_MAP_TYPE} is specified"))
    if map_type not in _MAP_TYPES:
        errors.append(fielderrors.not_supported(f"{path}.{_MAP_TYPE}", map_type, _MAP_TYPES))
    return errors


def _list_type_errors(schema: Schema, path: str) -> list[FieldError]:
    list_type, kind = schema.get(_LIST_TYPE), schema.get("type") or ""
    keys, items = schema.get(_MAP_KEYS) or [], schema.get("items")
    where = f"{path}.{_LIST_TYPE}"
    errors: list[FieldError] = []
    if list_type is not None and kind != "array":
        errors.append(_wrong_type(kind, path, f"must be array if {_LIST_TYPE} is specified"))
    elif list_type == "set" and isinstance(items, dict):
        message = f"must be atomic as item of a list with {_LIST_TYPE}=set"
        inner = items.get(_LIST_TYPE)
        if items.get("type") == "array" and inner not in (None, "atomic"):
            errors.append(fielderrors.invalid(f"{path}.items.{_LIST_TYPE}", inner, message))
        elif items.get("type") == "object" and items.get(_MAP_TYPE) != "atomic":
            errors.append(fielderrors.invalid(f"{path}.items.{_MAP_TYPE}", inner, message))
    if list_type is not None and list_type not in _LIST_TYPES:
        errors.append(fielderrors.not_supported(where, list_type, _LIST_TYPES))
    if keys and list_type != "map":
        message = f"must be map if {_MAP_KEYS} is non-empty"
        if list_type is None:
            errors.append(fielderrors.required(where, message))
        else:
            errors.append(fielderrors.invalid(where, list_type, message))
    if list_type == "map":
        errors += _map_key_errors(keys, items, path)
    if list_type in ("set", "map") and isinstance(items, dict):
        errors += _key_default_errors(list_type, keys, items, path)
    return errors


def _map_key_errors(keys: list[str], items: Any, path: str) -> list[FieldError]:
    errors = []
    where = f"{path}.{_MAP_KEYS}"
    if not keys:
        errors.append(fielderrors.required(where, f"must not be empty if {_LIST_TYPE} is map"))
    if items is None:
        errors.append(fielderrors.required(f"{path}.items", f"must have a schema if {_LIST_TYPE} is map"))
        return errors
    if not isinstance(items, dict):
        message = f"must only have a single schema if {_LIST_TYPE} is map"
        shown = {"Schema": None, "JSONSchemas": [schema_shown(each) for each in items]}
        return [*errors, fielderrors.invalid(f"{path}.items", shown, message)]
    if items.get("type") != "object":
        message = f"must be object if parent array's {_LIST_TYPE} is map"
        return [*errors, fielderrors.invalid(f"{path}.items.type", items.get("type") or "", message)]
    properties = items.get("properties") or {}
    twice = set(duplicates(keys))
    for index, key in enumerate(keys):
        known = properties.get(key)
        if known is None:
            errors.append(fielderrors.invalid(where, keys, "entries must all be names of item properties"))
        elif known.get("type") in ("array", "object"):
            message = f"must be a scalar type if parent array's {_LIST_TYPE} is map"
            errors.append(fielderrors.invalid(f"{path}.items.properties[{key}].type", items.get("type"), message))
        if index in twice:
            errors.append(fielderrors.invalid(where, keys, "must not contain duplicate entries"))
    return errors


def _key_default_errors(list_type: str, keys: list[str], items: Schema, path: str) -> list[FieldError]:
    errors = []
    if items.get("nullable"):
        message = f"cannot be nullable when {_LIST_TYPE} is {list_type}"
        errors.append(fielderrors.forbidden(f"{path}.items.nullable", message))
    if list_type != "map":
        return errors
    properties = items.get("properties") or {}
    for key in keys:
        known = properties.get(key)
        if known is None:
            continue
        where = f"{path}.items.properties[{key}]"
        told = f"this property is in {_MAP_KEYS}, so it"
        if key not in (items.get("required") or ()) and known.get("default") is None:
            message = f"{told} must have a default or be a required property"
            errors.append(fielderrors.required(f"{where}.default", message))
        if known.get("nullable"):
            errors.append(fielderrors.forbidden(f"{where}.nullable", f"{told} cannot be nullable"))
    return errors


def _rule_errors(schema: Schema, path: str) -> list[FieldError]:
    """Of the texts of validation rules; whether the expressions are right is for `rules` to say."""
    errors: list[FieldError] = []
    for index, rule in enumerate(schema.get(_RULES) or ()):
        where = f"{path}.{_RULES}[{index}]"
        text, message = rule.get("rule") or "", rule.get("message") or ""
        expression, field_path = rule.get("messageExpression") or "", rule.get("fieldPath") or ""
        if not text.strip():
            errors.append(fielderrors.required(f"{where}.rule", "rule is not specified"))
        elif message and not message.strip():
            errors.append(fielderrors.invalid(f"{where}.message", message, "message must be non-empty if specified"))
        elif _NEW_LINE.search(message.strip()):
            errors.append(fielderrors.invalid(f"{where}.message", message, "message must not contain line breaks"))
        elif _NEW_LINE.search(text.strip()) and not message.strip():
            told = "message must be specified if rule contains line breaks"
            errors.append(fielderrors.required(f"{where}.message", told))
        if expression and not expression.strip():
            told = "messageExpression must be non-empty if specified"
            errors.append(fielderrors.required(f"{where}.messageExpression", told))
        if rule.get("reason") is not None and rule["reason"] not in _REASONS:
            errors.append(fielderrors.not_supported(f"{where}.reason", rule["reason"], _REASONS))
        if field_path:
            errors += _field_path_errors(schema, field_path, f"{where}.fieldPath")
    return errors


def _field_path_errors(schema: Schema, field_path: str, where: str) -> list[FieldError]:
    errors = []
    if not field_path.strip():
        errors.append(fielderrors.invalid(where, field_path, "fieldPath must be non-empty if specified"))
    if _NEW_LINE.search(field_path):
        errors.append(fielderrors.invalid(where, field_path, "fieldPath must not contain line breaks"))
    try:
        find_field(field_path, structural(schema))
    except FieldPathError:
        errors.append(fielderrors.invalid(where, field_path, "fieldPath must be a valid path"))
    return errors
