"""The OpenAPI documents of extension API servers. Pure.

In /openapi/v3 each group version has a document of its own, and requests for it are passed on to its server.
/openapi/v2 is one document for all: of a remote group version it takes the paths and the definitions that they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from kubeactors.apiserver.aggregation.remote import Document, Remote

_DEFINITION: Final = "#/definitions/"
#: What a schema of Swagger 2.0 may hold here; anything else has no place in the protobuf form of the document.
_SCHEMA_KEYS: Final = frozenset(
    {"$ref", "format", "title", "description", "default", "required", "enum", "additionalProperties", "type", "items",
     "allOf", "properties"}
)  # fmt: skip


def v3_path(remote: Remote) -> str:
    """The key of its document in the index at /openapi/v3."""
    return f"apis/{remote.group}/{remote.version}"


def v3_hash(index: bytes, remote: Remote) -> str:
    """The hash with which a server's index links to the version's document; empty if it has none."""
    try:
        entry = orjson.loads(index)["paths"][v3_path(remote)]
        return str(parse_qs(urlsplit(entry["serverRelativeURL"]).query)["hash"][0])
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError, ValueError):
        return ""


def swagger_part(body: bytes, remote: Remote) -> Document | None:
    """The paths and definitions of the version in a Swagger 2.0 document; None if there are none."""
    try:
        document = orjson.loads(body)
        paths, definitions = document["paths"], document.get("definitions") or {}
        root = f"/apis/{remote.group}/{remote.version}"
        kept = {path: each for path, each in paths.items() if path.rstrip("/") == root or path.startswith(f"{root}/")}
        needed: dict[str, Any] = {}
        waiting = list(_references(kept))
        while waiting:
            name = waiting.pop()
            if name not in needed and name in definitions:
                needed[name] = definitions[name]
                waiting += _references(definitions[name])
        # What is of the version stands in no path when a server describes only its kinds.
        for name, each in definitions.items():
            if name not in needed and _is_of(each, remote):
                needed[name] = each
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not kept and not needed:
        return None
    return {"paths": kept, "definitions": {name: _schema(each) for name, each in needed.items()}}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref" and isinstance(each, str):
                yield each.removeprefix(_DEFINITION)
            else:
                yield from _references(each)


def _is_of(definition: Mapping[str, Any], remote: Remote) -> bool:
    kinds = definition.get("x-kubernetes-group-version-kind") or ()
    return any(kind.get("group") == remote.group and kind.get("version") == remote.version for kind in kinds)


def _schema(value: Mapping[str, Any]) -> Document:
    found: Document = {}
    for key, each in value.items():
        if key.startswith("x-"):
            found[key] = each
        elif key == "properties":
            found[key] = {name: _schema(schema) for name, schema in each.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = _schema(each) if isinstance(each, dict) else each
        elif key == "allOf":
            found[key] = [_schema(schema) for schema in each]
        elif key in _SCHEMA_KEYS:
            found[key] = each
    return found
