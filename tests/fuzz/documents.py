"""The served OpenAPI v3 documents: every operation, and the schemas that they refer to."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.client import Client

_REFERENCE = "#/components/schemas/"
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """A path and a method. `body` is the schema of what is sent, None where nothing is."""

    method: str
    path: str
    action: str
    kind: str
    body: dict[str, Any] | None = None
    media_types: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Documents:
    """All documents together."""

    operations: list[Operation] = field(default_factory=list)
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema with its reference followed (`allOf` with one reference is how a default is said beside it)."""
        for _ in range(10):
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].removeprefix(_REFERENCE)]
            elif len(schema.get("allOf", ())) == 1:
                schema = schema["allOf"][0]
            else:
                return schema
        raise AssertionError(f"references without an end: {schema}")

    def schema_of(self, group: str, version: str, kind: str) -> dict[str, Any]:
        """The schema of a kind."""
        return self._by_kind[group, version, kind]

    @functools.cached_property
    def _by_kind(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        return {
            (each["group"], each["version"], each["kind"]): schema
            for schema in self.schemas.values()
            for each in schema.get("x-kubernetes-group-version-kind", ())
        }


def fetch(client: Client) -> Documents:
    """Every document that the server's index names."""
    found = Documents()
    index = client.request("GET", "/openapi/v3")
    assert index.status == 200, index
    for name, entry in sorted(index.json()["paths"].items()):
        if not name.startswith(("api/", "apis/")):
            continue
        answer = client.request("GET", entry["serverRelativeURL"])
        assert answer.status == 200, (name, answer)
        document = answer.json()
        found.schemas.update(document.get("components", {}).get("schemas", {}))
        for path, item in sorted(document["paths"].items()):
            shared = item.get("parameters", [])
            found.operations += [
                _operation(method, path, item[method], shared) for method in _METHODS if method in item
            ]
    return found


def _operation(method: str, path: str, operation: dict[str, Any], shared: list[dict[str, Any]]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    schema = next((each["schema"] for each in content.values() if "schema" in each), None)
    names = {each["name"] for each in (*shared, *operation.get("parameters", ())) if each.get("in") == "query"}
    kind = operation.get("x-kubernetes-group-version-kind", {}).get("kind", "")
    action = operation.get("x-kubernetes-action", "")
    return Operation(method.upper(), path, action, kind, schema, tuple(content), tuple(sorted(names)))
