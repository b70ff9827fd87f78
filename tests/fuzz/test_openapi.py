"""Every operation of the served OpenAPI documents, with bodies, parameters and headers by their schemas and not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import yaml

from tests.fuzz import hostile, queries
from tests.fuzz.bodies import Bodies
from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.documents import Documents, Operation
from tests.fuzz.effort import attempt
from tests.fuzz.samples import sample

#: Connections have tests of their own.
_CONNECTIONS = {"connect"}
_WATCHES = {"watch", "watchlist"}
_PATCH_TYPES = tuple(each for each in queries.CONTENT_TYPES if "patch+" in each and "cbor" not in each)


@dataclass(frozen=True)
class Case:
    method: str
    target: str
    accept: str
    content_type: str = ""
    body: bytes | None = None
    stream: bool = False

    def send(self, client: Client) -> Any:
        accept = [("Accept", self.accept)]
        return client.request(self.method, self.target, self.body, accept, self.content_type, stream=self.stream)


def test_every_operation(client: Client, served: Documents) -> None:
    for operation in served.operations:
        if operation.action in _CONNECTIONS:
            continue

        def make(choose: Choices, operation: Operation = operation) -> Case:
            return _case(operation, Bodies(served, choose), choose)

        def sent(case: Case) -> None:
            check(case.send(client), case)

        attempt(str(operation), make, sent, tries=3, long_tries=100)


def _case(operation: Operation, bodies: Bodies, choose: Choices) -> Case:
    target = _target(operation, choose) + queries.query(choose, operation.parameters)
    accept = choose.one(queries.ACCEPTS) if choose.chance(8) else "application/json"
    if operation.method == "DELETE" and operation.path.endswith("/customresourcedefinitions"):
        # Other tests need theirs. A body would take the parameters' place.
        return Case("DELETE", target + ("&" if "?" in target else "?") + "dryRun=All", accept)
    if operation.action in _WATCHES:
        return Case(operation.method, target, accept, stream=True)
    if operation.body is None:
        return Case(operation.method, target, accept)
    if operation.method == "PATCH":
        return _patch(operation, target, accept, bodies, choose)
    content_type = choose.one(queries.CONTENT_TYPES) if choose.chance(10) else "application/json"
    return Case(
        operation.method, target, accept, content_type, _written(_object(operation, bodies, choose), bodies, choose)
    )


def _target(operation: Operation, choose: Choices) -> str:
    name = quote(hostile.text(choose), safe="") if choose.chance(15) else choose.one(("a", "b", "missing"))
    namespace = quote(hostile.text(choose), safe="") if choose.chance(5) else NAMESPACE
    return operation.path.replace("{namespace}", namespace).replace("{name}", name).replace("{path}", "x")


def _object(operation: Operation, bodies: Bodies, choose: Choices) -> Any:
    parts = operation.path.split("/")
    group_version = "v1" if parts[1] == "api" else "/".join(parts[2:4])
    plural = parts[-1] if operation.method == "POST" else parts[-2]
    known = sample(group_version, plural, choose.one(("a", "b")), NAMESPACE)
    assert operation.body is not None
    if known is None or choose.chance(20):
        made = bodies.of(operation.body)
        if isinstance(made, dict) and choose.chance(70):
            made.setdefault("metadata", {"name": "a"})
        return made
    return bodies.bend(known, operation.body, choose.below(4))


def _written(value: Any, bodies: Bodies, choose: Choices) -> bytes:
    if choose.chance(15):
        return bodies.broken(value)
    return json.dumps(value).encode()


def _patch(operation: Operation, target: str, accept: str, bodies: Bodies, choose: Choices) -> Case:
    kind = choose.one(_PATCH_TYPES) if choose.chance(95) else choose.one(queries.CONTENT_TYPES)
    value = bodies.of(operation.body or {}) if choose.chance(30) else _object(operation, bodies, choose)
    if kind == "application/json-patch+json":
        operations = [_operation(value, choose) for _ in range(choose.below(4))]
        return Case("PATCH", target, accept, kind, _written(operations, bodies, choose))
    if kind == "application/apply-patch+yaml":
        if "fieldManager=" not in target:
            target += ("&" if "?" in target else "?") + "fieldManager=a"
        if isinstance(value, dict) and choose.chance(90):
            value["apiVersion"], value["kind"] = _type(operation)
        if choose.chance(30):
            return Case("PATCH", target, accept, kind, yaml.safe_dump(value).encode())
    return Case("PATCH", target, accept, kind, _written(value, bodies, choose))


def _type(operation: Operation) -> tuple[str, str]:
    parts = operation.path.split("/")
    return ("v1" if parts[1] == "api" else "/".join(parts[2:4])), operation.kind


def _operation(value: Any, choose: Choices) -> Any:
    """An operation of a JSON patch at a path that the object may have."""
    path = ""
    found = value
    while isinstance(found, dict | list) and found and choose.chance(75):
        key = choose.one(sorted(found)) if isinstance(found, dict) else choose.below(len(found))
        path += "/" + str(key).replace("~", "~0").replace("/", "~1")
        found = found[key]
    if choose.chance(30):
        path += choose.one(("/", "/-", "/0", "/-1", "/99999999999999999999", "/~", "/~2", "//", "/x/y", "x", "/é"))
    made = {"op": choose.one(("add", "replace", "remove", "test", "move", "copy", "x")), "path": path}
    if choose.chance(70):
        made["value"] = found if choose.chance(50) else hostile.value(choose)
    if choose.chance(50):
        made["from"] = choose.one(("/metadata", "/spec", "/metadata/labels", "", "/x", path))
    return made if choose.chance(95) else hostile.value(choose)
