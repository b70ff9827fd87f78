"""Schemas, versions and rules of a definition as Kubernetes' internal types show them when a message quotes one.

Those types have no JSON tags: every field is written, empty ones too, under its Go name.
"""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.customresources.structural import Schema
from kubeactors.api.go_order import sorted_throughout

_RULES: Final = "x-kubernetes-validations"

# The fields of JSONSchemaProps in Go's order; what Go writes for those that are not set.
_FIELDS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("id", "ID", ""),
    ("$schema", "Schema", ""),
    ("$ref", "Ref", None),
    ("description", "Description", ""),
    ("type", "Type", ""),
    ("nullable", "Nullable", False),
    ("format", "Format", ""),
    ("title", "Title", ""),
    ("default", "Default", None),
    ("maximum", "Maximum", None),
    ("exclusiveMaximum", "ExclusiveMaximum", False),
    ("minimum", "Minimum", None),
    ("exclusiveMinimum", "ExclusiveMinimum", False),
    ("maxLength", "MaxLength", None),
    ("minLength", "MinLength", None),
    ("pattern", "Pattern", ""),
    ("maxItems", "MaxItems", None),
    ("minItems", "MinItems", None),
    ("uniqueItems", "UniqueItems", False),
    ("multipleOf", "MultipleOf", None),
    ("enum", "Enum", None),
    ("maxProperties", "MaxProperties", None),
    ("minProperties", "MinProperties", None),
    ("required", "Required", None),
    ("items", "Items", None),
    ("allOf", "AllOf", None),
    ("oneOf", "OneOf", None),
    ("anyOf", "AnyOf", None),
    ("not", "Not", None),
    ("properties", "Properties", None),
    ("additionalProperties", "AdditionalProperties", None),
    ("patternProperties", "PatternProperties", None),
    ("dependencies", "Dependencies", None),
    ("additionalItems", "AdditionalItems", None),
    ("definitions", "Definitions", None),
    ("externalDocs", "ExternalDocs", None),
    ("example", "Example", None),
    ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields", None),
    ("x-kubernetes-embedded-resource", "XEmbeddedResource", False),
    ("x-kubernetes-int-or-string", "XIntOrString", False),
    ("x-kubernetes-list-map-keys", "XListMapKeys", None),
    ("x-kubernetes-list-type", "XListType", None),
    ("x-kubernetes-map-type", "XMapType", None),
    (_RULES, "XValidations", None),
)
_LISTS: Final = frozenset({"allOf", "oneOf", "anyOf"})
_MAPS: Final = frozenset({"properties", "patternProperties", "definitions"})
_DOCUMENTS: Final = frozenset({"default", "enum", "example"})
_NUMBERS: Final = frozenset({"maximum", "minimum", "multipleOf"})


def fields_set(schema: Schema) -> list[str]:
    """The fields (by their JSON names) that are not empty, in Go's order."""
    return [key for key, _, empty in _FIELDS if key in schema and schema[key] is not None and schema[key] != empty]


def go_name(key: str) -> str:
    """Go's name of a field of JSONSchemaProps."""
    return next(name for each, name, _ in _FIELDS if each == key)


def schema_shown(schema: Schema) -> dict[str, Any]:
    """A JSONSchemaProps as it is printed."""
    return {name: _shown(key, schema.get(key, empty)) for key, name, empty in _FIELDS}


def version_shown(version: Mapping[str, Any]) -> dict[str, Any]:
    """A CustomResourceDefinitionVersion as it is printed."""
    schema, subresources = version.get("schema"), version.get("subresources")
    return {
        "Name": version.get("name") or "",
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": None if schema is None else {"OpenAPIV3Schema": _or_none(schema.get("openAPIV3Schema"))},
        "Subresources": None if subresources is None else _subresources(subresources),
        "AdditionalPrinterColumns": _each(version.get("additionalPrinterColumns"), _column),
        "SelectableFields": _each(version.get("selectableFields"), lambda it: {"JSONPath": it.get("jsonPath") or ""}),
    }


def rule_shown(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A ValidationRule as it is printed."""
    return {
        "Rule": rule.get("rule") or "",
        "Message": rule.get("message") or "",
        "MessageExpression": rule.get("messageExpression") or "",
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath") or "",
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }


def _shown(key: str, value: Any) -> Any:
    if value is None:
        return None
    if key in _LISTS:
        return [schema_shown(each) for each in value]
    if key in _MAPS:
        return {name: schema_shown(value[name]) for name in sorted(value)}
    if key in _DOCUMENTS:
        return sorted_throughout(value)
    if key in _NUMBERS:
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if key == "not":
        return schema_shown(value)
    if key == "items":
        single = isinstance(value, dict)
        return {
            "Schema": schema_shown(value) if single else None,
            "JSONSchemas": None if single else [schema_shown(each) for each in value],
        }
    if key in ("additionalProperties", "additionalItems"):
        single = isinstance(value, dict)
        return {"Allows": single or bool(value), "Schema": schema_shown(value) if single else None}
    if key == "dependencies":
        return {name: _dependency(value[name]) for name in sorted(value)}
    if key == "externalDocs":
        return {"Description": value.get("description") or "", "URL": value.get("url") or ""}
    return [rule_shown(each) for each in value] if key == _RULES else value


def _dependency(value: Any) -> dict[str, Any]:
    single = isinstance(value, dict)
    return {"Schema": schema_shown(value) if single else None, "Property": None if single else value}


def _or_none(schema: Schema | None) -> dict[str, Any] | None:
    return None if schema is None else schema_shown(schema)


def _each(values: Any, show: Any) -> list[dict[str, Any]] | None:
    return None if values is None else [show(each) for each in values]


def _subresources(value: Mapping[str, Any]) -> dict[str, Any]:
    scale = value.get("scale")
    paths = None
    if scale is not None:
        paths = {
            "SpecReplicasPath": scale.get("specReplicasPath") or "",
            "StatusReplicasPath": scale.get("statusReplicasPath") or "",
            "LabelSelectorPath": scale.get("labelSelectorPath"),
        }
    return {"Status": {} if value.get("status") is not None else None, "Scale": paths}


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Name": column.get("name") or "",
        "Type": column.get("type") or "",
        "Format": column.get("format") or "",
        "Description": column.get("description") or "",
        "Priority": column.get("priority") or 0,
        "JSONPath": column.get("jsonPath") or "",
    }
