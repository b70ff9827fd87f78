"""The documents at /openapi/v3 (an index with one document per group and version) and /openapi/v2 (one for all).

See https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import orjson

from kubeactors.api.customresources.kinds import CustomKind
from kubeactors.api.kinds import Kind, KindRegistry
from kubeactors.apiserver.openapi import custom, definitions
from kubeactors.apiserver.openapi.general import general_paths
from kubeactors.apiserver.openapi.operations import (
    WATCH_EVENT,
    Operation,
    Path,
    paths,
)
from kubeactors.apiserver.openapi.parameters import PATH_PARAMETERS, QUERY_PARAMETERS
from kubeactors.apiserver.version import GIT_VERSION, KUBERNETES_MINOR

Document = dict[str, Any]

_ENCODINGS = ("application/json", "application/yaml")
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_STREAM_ENCODINGS = ("application/json;stream=watch",)
_PATCH_ENCODINGS = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_SECURITY = {
    "BearerToken": {
        "type": "apiKey",
        "description": "Bearer Token authentication",
        "name": "authorization",
        "in": "header",
    }
}
_DESCRIPTIONS = {200: "OK", 201: "Created", 202: "Accepted"}


def group_paths(registry: KindRegistry) -> dict[str, tuple[str, str]]:
    """`apis/apps/v1` → (group, version), for every version that is served."""
    found = {}
    for group, versions in registry.groups().items():
        for version in versions:
            found[f"apis/{group}/{version}" if group else f"api/{version}"] = (group, version)
    return dict(sorted(found.items()))


def index_v3(registry: KindRegistry) -> Document:
    """The document at /openapi/v3."""
    entries = {name: link(name, general_hash(name)) for name in general_paths(registry.all())}
    for path, (group, version) in group_paths(registry).items():
        entries[path] = link(path, content_hash(registry, group, version))
    return {"paths": dict(sorted(entries.items()))}


def general_hash(name: str) -> str:
    """Of a document that belongs to no version: it changes with the release."""
    return hashlib.sha512(f"{GIT_VERSION}\n{name}".encode()).hexdigest().upper()


def link(path: str, content_hash: str) -> Document:
    """What the index says of a version's document."""
    return {"serverRelativeURL": f"/openapi/v3/{path}?hash={content_hash}"}


def content_hash(registry: KindRegistry, group: str, version: str) -> str:
    """Changes when the document of a version does: it is made of its kinds by this release."""
    kinds = [kind for kind in registry.all() if (kind.group, kind.version) == (group, version)]
    names = sorted(f"{kind.schema}/{','.join(each.name for each in kind.subresources)}/{_own(kind)}" for kind in kinds)
    text = "\n".join((GIT_VERSION, group, version, *names))
    return hashlib.sha512(text.encode()).hexdigest().upper()


def _own(kind: Kind) -> str:
    """What only a custom kind has: a schema, and names that are free."""
    if not isinstance(kind, CustomKind):
        return ""
    return orjson.dumps([kind.structural.source, kind.plural, kind.list_kind, kind.namespaced]).decode()


def document_v3(kinds: Iterable[Kind]) -> Document:
    """The document of one group and version, whose kinds these are."""
    kinds = list(kinds)
    return _document_v3(sorted(paths(kinds), key=lambda path: path.path), kinds)


def general_v3(path: Path) -> Document:
    """The document of a path that belongs to no version."""
    return _document_v3([path], [])


def _document_v3(served: list[Path], kinds: list[Kind]) -> Document:
    schemas = definitions.load()
    custom_only = bool(kinds) and all(kind.custom for kind in kinds)
    group, version = next(((kind.group, kind.version) for kind in kinds), ("", ""))
    document: Document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"1.{KUBERNETES_MINOR}"},
        "paths": {path.path: _path_v3(path) for path in served},
        "components": {
            "schemas": {
                name: definitions.of_group(definitions.to_v3(name, schemas[name]), group, version, custom=custom_only)
                for name in definitions.closure(_roots(kinds, served, schemas), schemas)
            }
            | custom.schemas_v3(kinds, lambda name: {"$ref": f"#/components/schemas/{name}"}),
        },
    }
    if not custom_only:
        document["components"]["securitySchemes"] = _SECURITY
    return document


def document_v2(kinds: Iterable[Kind]) -> Document:
    """The Swagger 2.0 document of all kinds."""
    kinds = list(kinds)
    schemas = definitions.load()
    served = sorted((*paths(kinds), *general_paths(kinds).values()), key=lambda path: path.path)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": f"1.{KUBERNETES_MINOR}"},
        "paths": {path.path: _path_v2(path) for path in served},
        "definitions": {
            name: definitions.to_v2(name, schemas[name])
            for name in definitions.closure(_roots(kinds, served, schemas), schemas)
        }
        | custom.schemas_v2(kinds, lambda name: {"$ref": f"#/definitions/{name}"}),
        "securityDefinitions": _SECURITY,
        "security": [{"BearerToken": []}],
    }


def _roots(kinds: list[Kind], served: Iterable[Path], schemas: Mapping[str, Any]) -> set[str]:
    """What a document refers to from outside its definitions."""
    roots = custom.referred(kinds)
    for path in served:
        roots |= {schema for each in path.operations for schema in (each.takes, each.answers)}
    if any("watch" in kind.verbs and not kind.custom for kind in kinds):
        roots.add(WATCH_EVENT)
    return {name for name in roots if name in schemas}


def _path_v3(path: Path) -> Document:
    document: Document = {each.method: _operation_v3(each, path.shared) for each in path.operations}
    shared = _path_parameters(path, _parameter_v3)
    return document | {"parameters": shared} if shared else document


def _path_parameters(path: Path, write: Callable[[str, str, str, str], Document]) -> list[Document]:
    """The parameters that all operations of a path have, by name."""
    kind = path.operations[-1].kind
    found = [write("path", name, "string", PATH_PARAMETERS[name].format(kind=kind)) for name in path.parameters]
    found += [write("query", name, *QUERY_PARAMETERS[name]) for name in path.shared]
    return sorted(found, key=lambda parameter: (parameter["name"], parameter["in"]))


def _parameter_v3(place: str, name: str, kind: str, description: str) -> Document:
    document: Document = {
        "name": name,
        "in": place,
        "description": description,
        "schema": {"type": kind, "uniqueItems": True},
    }
    return document | {"required": True} if place == "path" else document


def _operation_v3(operation: Operation, shared: Collection[str]) -> Document:
    document: Document = _common(operation)
    own = [name for name in operation.query if name not in shared]
    if own:
        document["parameters"] = [_parameter_v3("query", name, *QUERY_PARAMETERS[name]) for name in own]
    if operation.takes:
        schema = {"schema": {"$ref": f"#/components/schemas/{operation.takes}"}}
        encodings = _taken(operation)
        body: Document = {"content": dict.fromkeys(encodings, schema)}
        document["requestBody"] = body if operation.takes_optional else body | {"required": True}
    answered = {"$ref": f"#/components/schemas/{operation.answers}"} if operation.answers else {"type": "string"}
    answer: Document = {"content": {form: {"schema": answered} for form in _produced(operation)}}
    document["responses"] = {str(code): {"description": _DESCRIPTIONS[code], **answer} for code in operation.codes}
    document["responses"]["401"] = {"description": "Unauthorized"}
    return document


def _path_v2(path: Path) -> Document:
    document: Document = {each.method: _operation_v2(each, path.shared) for each in path.operations}
    shared = _path_parameters(path, _parameter_v2)
    return document | {"parameters": shared} if shared else document


def _parameter_v2(place: str, name: str, kind: str, description: str) -> Document:
    document: Document = {
        "uniqueItems": True,
        "type": kind,
        "description": description,
        "name": name,
        "in": place,
    }
    return document | {"required": True} if place == "path" else document


def _operation_v2(operation: Operation, shared: Collection[str]) -> Document:
    parameters = [
        _parameter_v2("query", name, *QUERY_PARAMETERS[name]) for name in operation.query if name not in shared
    ]
    if operation.takes:
        body: Document = {"name": "body", "in": "body", "schema": {"$ref": f"#/definitions/{operation.takes}"}}
        parameters.insert(0, body if operation.takes_optional else body | {"required": True})
    schema = {"$ref": f"#/definitions/{operation.answers}"} if operation.answers else {"type": "string"}
    document = _common(operation)
    document["consumes"] = list(_taken(operation))
    document["produces"] = list(_produced(operation))
    document["schemes"] = ["https"]
    if parameters:
        document["parameters"] = parameters
    document["responses"] = {
        str(code): {"description": _DESCRIPTIONS[code], "schema": schema} for code in operation.codes
    }
    document["responses"]["401"] = {"description": "Unauthorized"}
    return document


def _common(operation: Operation) -> Document:
    document: Document = {
        "tags": [operation.tag],
        "description": operation.description,
        "operationId": operation.id,
    }
    if operation.action:
        document["x-kubernetes-action"] = operation.action
        document["x-kubernetes-group-version-kind"] = {
            "group": operation.group,
            "version": operation.version,
            "kind": operation.kind,
        }
    return document


def _taken(operation: Operation) -> tuple[str, ...]:
    if not operation.action:
        return (*_ENCODINGS, _PROTOBUF)
    if not operation.takes_patch:
        return ("*/*",)
    return _PATCH_ENCODINGS[:-1] if operation.custom else _PATCH_ENCODINGS


def _produced(operation: Operation) -> tuple[str, ...]:
    if operation.forms:
        return operation.forms
    if operation.custom:
        return (*_ENCODINGS, *_STREAM_ENCODINGS) if operation.streams else _ENCODINGS
    if operation.streams:
        return (*_ENCODINGS, _PROTOBUF, *_STREAM_ENCODINGS, f"{_PROTOBUF};stream=watch")
    return (*_ENCODINGS, _PROTOBUF) if operation.answers else ("text/plain", *_ENCODINGS, _PROTOBUF)
