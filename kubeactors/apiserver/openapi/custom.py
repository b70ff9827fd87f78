"""The OpenAPI schemas of custom resources: what the definition says, completed as Kubernetes publishes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from kubeactors.api.customresources.kinds import CustomKind
from kubeactors.api.kinds import Kind
from kubeactors.apiserver.openapi.definitions import META
from kubeactors.apiserver.openapi.operations import list_schema

Schema = dict[str, Any]

_DOCS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_TEXTS: Final = {
    "apiVersion": (
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert "
        "recognized schemas to the latest internal value, and may reject unrecognized values. "
        f"More info: {_DOCS}#resources"
    ),
    "kind": (
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from "
        f"the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: {_DOCS}#types-kinds"
    ),
}
_EMBEDDED_TEXTS: Final = {
    "apiVersion": (
        f"apiVersion defines the versioned schema of this representation of an object. More info: {_DOCS}#resources"
    ),
    "kind": (
        f"kind is a string value representing the type of this object. In CamelCase. More info: {_DOCS}#types-kinds"
    ),
}
_METADATA_TEXT: Final = f"Standard object's metadata. More info: {_DOCS}#metadata"
_OBJECT_META: Final = f"{META}ObjectMeta"
_LIST_META: Final = f"{META}ListMeta"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
# What Swagger 2.0 cannot say.
_NOT_IN_V2: Final = ("oneOf", "anyOf", "allOf", "not", "nullable")
_NUMBER_OR_TEXT: Final = [{"type": "integer"}, {"type": "string"}]

Reference = Callable[[str], Schema]


def schemas_v3(kinds: Iterable[Kind], reference: Reference) -> dict[str, Schema]:
    """Name → schema of each custom kind and of its list, for OpenAPI 3.0."""
    return _schemas(kinds, reference, _told_v3)


def schemas_v2(kinds: Iterable[Kind], reference: Reference) -> dict[str, Schema]:
    """The same for Swagger 2.0: without what it cannot say."""
    return _schemas(kinds, reference, _told_v2)


def referred(kinds: Iterable[Kind]) -> set[str]:
    """The definitions that the schemas of custom kinds refer to."""
    return {_OBJECT_META, _LIST_META} if any(kind.custom for kind in kinds) else set()


def _schemas(kinds: Iterable[Kind], reference: Reference, told: Callable[[Schema], Schema | None]) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for kind in kinds:
        if isinstance(kind, CustomKind):
            found[kind.schema] = _whole(kind, told(dict(kind.structural.source)), reference)
            found[list_schema(kind)] = _list(kind, reference)
    return found


def _whole(kind: CustomKind, schema: Schema | None, reference: Reference) -> Schema:
    if schema is None:
        schema = {"type": "object"}
    else:
        schema = _with_embedded(schema, reference)
        metadata = _metadata(_METADATA_TEXT, _OBJECT_META, reference)
        schema["properties"] = {**schema.get("properties", {}), **_type_meta(_TEXTS), "metadata": metadata}
    schema["x-kubernetes-group-version-kind"] = [_gvk(kind, kind.kind)]
    return schema


def _list(kind: CustomKind, reference: Reference) -> Schema:
    items = {"description": f"List of {kind.plural}. More info: {_DOCS}", "type": "array"}
    properties = {
        **_type_meta(_TEXTS),
        "items": {**items, "items": reference(kind.schema)},
        "metadata": _metadata(f"Standard list metadata. More info: {_DOCS}#types-kinds", _LIST_META, reference),
    }
    return {
        "description": f"{kind.list_kind} is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": properties,
        "x-kubernetes-group-version-kind": [_gvk(kind, kind.list_kind)],
    }


def _type_meta(texts: Mapping[str, str]) -> Schema:
    return {name: {"description": text, "type": "string"} for name, text in texts.items()}


def _metadata(description: str, name: str, reference: Reference) -> Schema:
    target = reference(name)
    if _is_v2(reference):
        return {"description": description, **target}
    return {"description": description, "allOf": [target]}  # OpenAPI 3.0 has no siblings of a reference


def _is_v2(reference: Reference) -> bool:
    return str(reference(_OBJECT_META)["$ref"]).startswith("#/definitions/")


def _gvk(kind: CustomKind, name: str) -> Schema:
    return {"group": kind.group, "version": kind.version, "kind": name}


def _each_below(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A copy in which the schemas of properties, items and additional properties are changed."""
    result = dict(schema)
    if schema.get("properties"):
        result["properties"] = {name: change(each) for name, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = change(schema[key])
    return result


def _with_embedded(schema: Schema, reference: Reference) -> Schema:
    """A copy in which embedded objects have their apiVersion, kind and metadata."""
    result = _each_below(schema, lambda each: _with_embedded(each, reference))
    if schema.get("x-kubernetes-embedded-resource") and not (schema.get(_PRESERVE) and _is_v2(reference)):
        metadata = _metadata(_METADATA_TEXT, _OBJECT_META, reference)
        result["properties"] = {**result.get("properties", {}), **_type_meta(_EMBEDDED_TEXTS), "metadata": metadata}
        required = result.get("required") or []
        result["required"] = [*required, *(name for name in ("kind", "apiVersion") if name not in required)]
    return result


def _told_v3(schema: Schema) -> Schema:
    """The schema, with it said in standard words what a number or a text may be."""
    result = _each_below(schema, _told_v3)
    if schema.get("x-kubernetes-int-or-string") and not _says_number_or_text(schema):
        if schema.get("anyOf"):
            result["allOf"] = [{"anyOf": _NUMBER_OR_TEXT}, *(schema.get("allOf") or [])]
        else:
            result["anyOf"] = _NUMBER_OR_TEXT
    return result


def _says_number_or_text(schema: Schema) -> bool:
    all_of = schema.get("allOf") or [{}]
    return schema.get("anyOf") == _NUMBER_OR_TEXT or all_of[0].get("anyOf") == _NUMBER_OR_TEXT


def _told_v2(schema: Schema) -> Schema | None:
    """What Swagger 2.0 can say; None of objects that may have any field, since its readers refuse what it does not."""
    return None if schema.get(_PRESERVE) else _simple(schema)


def _simple(schema: Schema) -> Schema:
    """Where anything may be, it says nothing."""
    result = {key: value for key, value in schema.items() if key not in _NOT_IN_V2}
    if schema.get("nullable") or schema.get(_PRESERVE):
        for key in ("items", "properties"):
            result.pop(key, None)
    if schema.get("nullable") or schema.get(_PRESERVE) or ("items" not in result and result.get("type") == "array"):
        result.pop("type", None)
    if "required" in result:
        properties, values = result.get("properties") or {}, schema.get("additionalProperties")
        nullable = {name for name, each in properties.items() if each.get("nullable")}
        required = [name for name in result["required"] if name not in nullable]
        result["required"] = [] if isinstance(values, dict) and values.get("nullable") else required
        if not result["required"]:
            del result["required"]
    return _each_below(result, _simple)
