"""The v1.37 definitions as OpenAPI writes schemas.

The source (PyPI kubernetes-validate) is JSON Schema: `"type": ["string", "null"]`, `$ref` with siblings, an `enum` on
every apiVersion and kind. OpenAPI 3.0 has none of these; Kubernetes' documents put a reference with siblings in allOf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any

import orjson

from kubeactors.apiserver.openapi.choices import add_choices
from kubeactors.apiserver.openapi.defaults import add_defaults

Schema = dict[str, Any]

_SOURCE = "kubernetes-json-schema/v1.37.0-local/_definitions.json"
_REFERENCE = "#/$defs/"

INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."

_TYPE = "x-kubernetes-group-version-kind"
# Groups of which the server of custom resources knows no options.
_NOT_OF_CUSTOM = ("admission.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "imagepolicy.k8s.io")

_DESCRIPTIONS = {
    INT_OR_STRING: "IntOrString is a type that can hold an int32 or a string, such as a port's number or its name.",
    QUANTITY: (
        "Quantity is a fixed-point representation of a number: digits with an optional fraction, followed by a suffix "
        "(n, u, m, k, M, G, T, P, E; Ki, Mi, Gi, Ti, Pi, Ei) or an exponent. See "
        "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."
    ),
}


def load() -> Mapping[str, Schema]:
    """The definitions as the source has them, by name (`io.k8s.api.core.v1.Pod`). Read anew each time, not kept:
    documents are made once, and the definitions take more memory than the documents."""
    document = orjson.loads(files("kubernetes_validate").joinpath(_SOURCE).read_bytes())
    definitions: Mapping[str, Schema] = document["$defs"]
    return definitions


def closure(roots: Iterable[str], definitions: Mapping[str, Schema]) -> list[str]:
    """The roots and everything they refer to, sorted. Unknown names are left out."""
    found: set[str] = set()
    pending = [root for root in roots if root in definitions]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        pending.extend(_references(definitions[name]))
    return sorted(found)


def _references(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REFERENCE)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def to_v3(name: str, definition: Schema) -> Schema:
    """A definition as OpenAPI 3.0, below `#/components/schemas/`."""
    if name == INT_OR_STRING:
        choices = [{"type": "integer"}, {"type": "string"}]
        return {"description": _DESCRIPTIONS[name], "format": "int-or-string", "oneOf": choices}
    if name == QUANTITY:
        return {"description": _DESCRIPTIONS[name], "oneOf": [{"type": "string"}, {"type": "number"}]}
    schema = _convert(definition, _reference_v3)
    add_choices(name, schema)
    add_defaults(name, schema)
    return schema


def of_group(schema: Schema, group: str, version: str, *, custom: bool) -> Schema:
    """A schema that is registered in many groups (DeleteOptions, WatchEvent), as the document of one has it."""
    types = schema.get(_TYPE) or []
    if len(types) < 2:
        return schema
    if custom:
        kept = [each for each in types if each["group"] not in _NOT_OF_CUSTOM]
    else:
        kept = [each for each in types if not each["group"] or (each["group"], each["version"]) == (group, version)]
    return {**schema, _TYPE: kept}


def to_v2(name: str, definition: Schema) -> Schema:
    """A definition as Swagger 2.0, below `#/definitions/`: without defaults, which older readers do not know."""
    if name == INT_OR_STRING:
        return {"description": _DESCRIPTIONS[name], "format": "int-or-string", "type": "string"}
    if name == QUANTITY:
        return {"description": _DESCRIPTIONS[name], "type": "string"}
    schema = _convert(definition, _reference_v2)
    add_choices(name, schema)
    return schema


def _reference_v3(name: str, siblings: Schema) -> Schema:
    reference = {"$ref": f"#/components/schemas/{name}"}
    return {"allOf": [reference], **siblings} if siblings else reference


def _reference_v2(name: str, siblings: Schema) -> Schema:
    return {"$ref": f"#/definitions/{name}", **siblings}


def _convert(schema: Schema, reference: Callable[[str, Schema], Schema]) -> Schema:
    result: Schema = {}
    target = None
    for key, value in schema.items():
        if key == "$ref":
            target = value.removeprefix(_REFERENCE)
        elif key == "type" and isinstance(value, list):
            result[key] = next(each for each in value if each != "null")
        elif key == "enum":
            continue
        elif key == "properties":
            result[key] = {name: _convert(each, reference) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _convert(value, reference)
        else:
            result[key] = value
    return result if target is None else reference(target, result)
