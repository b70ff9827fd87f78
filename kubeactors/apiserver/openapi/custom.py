"""The OpenAPI schemas of custom resources: what the definition says, completed as Kubernetes publishes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
_OBJECT_META: Final = f"{META}ObjectMeta"
_LIST_META: Final = f"{META}ListMeta"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
# What Swagger 2.0 cannot say.
_NOT_IN_V2: Final = ("oneOf", "anyOf", "allOf", "not", "nullable", "x-kubernetes-validations")

Reference = Callable[[str], Schema]


def schemas_v3(kinds: Iterable[Kind], reference: Reference) -> dict[str, Schema]:
    """Name → schema of each custom kind and of its list, for OpenAPI 3.0."""
    return _schemas(kinds, reference, lambda schema: _walk(schema, reference))


def schemas_v2(kinds: Iterable[Kind], reference: Reference) -> dict[str, Schema]:
    """The same for Swagger 2.0: without what it cannot say."""
    return _schemas(kinds, reference, lambda schema: _simple(_walk(schema, reference)))


def referred(kinds: Iterable[Kind]) -> set[str]:
    """The definitions that the schemas of custom kinds refer to."""
    return {_OBJECT_META, _LIST_META} if any(kind.custom for kind in kinds) else set()


def _schemas(kinds: Iterable[Kind], reference: Reference, publish: Callable[[Schema], Schema]) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for kind in kinds:
        if isinstance(kind, CustomKind):
            found[kind.schema] = _whole(kind, publish(dict(kind.structural.source)), reference)
            found[list_schema(kind)] = _list(kind, reference)
    return found


def _whole(kind: CustomKind, schema: Schema, reference: Reference) -> Schema:
    schema["properties"] = {**schema.get("properties", {}), **_type_meta()}
    schema["properties"]["metadata"] = _metadata(
        f"Standard object's metadata. More info: {_DOCS}#metadata", _OBJECT_META, reference
    )
    schema["x-kubernetes-group-version-kind"] = [_gvk(kind, kind.kind)]
    return schema


def _list(kind: CustomKind, reference: Reference) -> Schema:
    items = {"description": f"List of {kind.plural}. More info: {_DOCS}", "type": "array"}
    properties = {
        **_type_meta(),
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


def _type_meta() -> Schema:
    return {name: {"description": text, "type": "string"} for name, text in _TEXTS.items()}


def _metadata(description: str, name: str, reference: Reference) -> Schema:
    target = reference(name)
    # OpenAPI 3.0 has no siblings of a reference, and our references of that version begin so.
    if target["$ref"].startswith("#/components/"):
        return {"description": description, "allOf": [target]}
    return {"description": description, **target}


def _gvk(kind: CustomKind, name: str) -> Schema:
    return {"group": kind.group, "version": kind.version, "kind": name}


def _walk(schema: Schema, reference: Reference) -> Schema:
    """A copy in which embedded objects have their apiVersion, kind and metadata."""
    result = dict(schema)
    if schema.get("properties"):
        result["properties"] = {name: _walk(each, reference) for name, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = _walk(schema[key], reference)
    if schema.get("x-kubernetes-embedded-resource"):
        text = f"Standard object's metadata. More info: {_DOCS}#metadata"
        properties = {**result.get("properties", {}), **_type_meta()}
        result["properties"] = {**properties, "metadata": _metadata(text, _OBJECT_META, reference)}
    return result


def _simple(schema: Schema) -> Schema:
    """What Swagger 2.0 can say: where anything may be, it says nothing, since its readers refuse what it does not."""
    result = {key: value for key, value in schema.items() if key not in _NOT_IN_V2}
    if schema.get("nullable") or schema.get("x-kubernetes-int-or-string"):
        for key in ("type", "items", "properties", "additionalProperties", "required"):
            result.pop(key, None)
    if schema.get(_PRESERVE):
        for key in ("items", "properties", "additionalProperties", "required"):
            result.pop(key, None)
    if result.get("properties"):
        result["properties"] = {name: _simple(each) for name, each in result["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _simple(result[key])
    return result
