"""Definitions of custom resources with schemas that are deep, large or wrong, and objects that their patterns meet."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.fuzz.bodies import Bodies
from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.documents import Documents
from tests.fuzz.effort import attempt
from tests.fuzz.plane import Plane

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(plural: str, schema: Any, **version: Any) -> dict[str, Any]:
    """A definition of one version with a schema of `spec`."""
    kind = plural.capitalize()
    whole = {"type": "object", "properties": {"spec": schema}}
    of = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}, **version}
    return {
        "metadata": {"name": f"{plural}.definitions.example.com"},
        "spec": {
            "group": "definitions.example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural, "kind": kind, "listKind": f"{kind}List"},
            "versions": [of],
        },
    }


def _nested(levels: int, **leaf: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", **leaf}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


_ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SCHEMAS: dict[str, Any] = {
    "deep": _nested(60),
    "too deep": _nested(400),
    "wide": {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(10_000)}},
    "many alternatives": {**_ANY, "anyOf": [{"required": [f"p{i}"]} for i in range(5_000)]},
    "alternatives in alternatives": {**_ANY, "anyOf": [{"anyOf": [{"anyOf": [{"required": ["a"]}] * 20}] * 20}] * 20},
    "a backtracking pattern": {"type": "string", "pattern": "^(a+)+$"},
    "a large pattern": {"type": "string", "pattern": "(a{1,1000}){1,1000}"},
    "a broken pattern": {"type": "string", "pattern": "("},
    "a pattern with a look ahead": {"type": "string", "pattern": "(?=a)"},
    "a pattern of zeros": {"type": "string", "pattern": "\0"},
    "a reference": {"$ref": "#/definitions/x"},
    "a reference to itself": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    "no type": {"properties": {"a": {}}},
    "a type that is none": {"type": "thing"},
    "types": {"type": ["string", "null"]},
    "numbers": {"type": "number", "maximum": 1e308, "minimum": -1e308, "multipleOf": 0},
    "a multiple of next to nothing": {"type": "number", "multipleOf": 5e-324},
    "negative lengths": {"type": "string", "minLength": -1, "maxLength": -5},
    "a default of another type": {"type": "string", "default": {"a": 1}},
    "a deep default": {**_ANY, "default": json.loads('{"a":' * 80 + "1" + "}" * 80)},
    "many values": {"type": "string", "enum": [f"v{i}" for i in range(20_000)]},
    "values twice": {"type": "string", "enum": ["a"] * 5_000},
    "list keys": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"] * 2_000,
                  "items": {"type": "object"}},
    "rules without an end": {"type": "string", "x-kubernetes-validations": [{"rule": "("}]},
    "a long rule": {"type": "string", "x-kubernetes-validations": [{"rule": "self == 'a' || " * 2_000 + "true"}]},
    "a deep rule": {"type": "string", "x-kubernetes-validations": [{"rule": "(" * 3_000 + "true" + ")" * 3_000}]},
    "a costly rule": {
        "type": "array", "items": {"type": "array", "items": {"type": "string"}},
        "x-kubernetes-validations": [{"rule": "self.all(a, self.all(b, self.all(c, a == b || b == c)))"}],
    },
    "a message that fails": {"type": "string", "x-kubernetes-validations": [{"rule": "true",
    "messageExpression": "1/0"}]},
    "text": "x",
    "a list": [],
    "nothing": None,
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas(plane: Plane, client: Client, name: str) -> None:
    before, began = plane.resident(), plane.worked()
    body = definition("things", SCHEMAS[name])
    made = check(client.json("POST", CRDS, body), name)
    client.json("POST", CRDS + "?dryRun=All", body)
    assert plane.worked() - began < 8.0
    if made.status == 201:
        check(client.request("DELETE", f"{CRDS}/things.definitions.example.com"))
    assert plane.resident() - before < 150 * 2**20


def test_bent_definitions(client: Client, served: Documents) -> None:
    schema = served.schema_of("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    base = definition(
        "bents",
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}},
        subresources={"scale": {"specReplicasPath": ".spec.a", "statusReplicasPath": ".status.a"}},
        additionalPrinterColumns=[{"name": "A", "type": "string", "jsonPath": ".spec.a"}],
        selectableFields=[{"jsonPath": ".spec.a"}],
    )

    def make(choose: Choices) -> Any:
        return Bodies(served, choose).bend(base, schema, 1 + choose.below(5))

    def sent(body: Any) -> None:
        check(client.json("POST", CRDS + "?dryRun=All", body), body)

    attempt("bent definitions", make, sent, tries=80, long_tries=5000)


def test_objects_of_a_kind_with_hard_rules(plane: Plane, client: Client) -> None:
    schema = {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "pattern": "^(a+)+$"},
            "format": {"type": "string", "format": "date-time"},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "map": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}},
            },
            "number": {"type": "number", "multipleOf": 0.1},
            "either": {"x-kubernetes-int-or-string": True},
            "any": _ANY,
            "embedded": {"type": "object", "x-kubernetes-embedded-resource": True, **_ANY},
        },
    }
    check(client.json("POST", CRDS, definition("hards", schema)))
    path = f"/apis/definitions.example.com/v1/namespaces/{NAMESPACE}/hards"
    specs: tuple[Any, ...] = (
        {"pattern": "a" * 100_000 + "b"}, {"format": "x" * 100_000}, {"set": [f"v{i}" for i in range(20_000)]},
        {"set": ["v"] * 20_000}, {"map": [{"k": f"v{i}"} for i in range(10_000)]}, {"map": [{"k": "v"}] * 10_000},
        {"map": [{}] * 10_000}, {"map": [None, 5]}, {"number": 1e300}, {"number": 10**30}, {"either": 1.5},
        {"either": []},
        {"any": json.loads('{"a":' * 200 + "1" + "}" * 200)}, {"any": {f"k{i}": i for i in range(20_000)}},
        {"embedded": {}}, {"embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": 5}},
        {"embedded": {"metadata": {"name": []}}},
        {f"unknown{i}": i for i in range(20_000)}, [], None, "x",
    )  # fmt: skip
    for spec in specs:
        before, began = plane.resident(), plane.worked()
        body = {"apiVersion": "definitions.example.com/v1", "kind": "Hards", "metadata": {"name": "a"}, "spec": spec}
        for validation in ("Strict", "Warn"):
            target = f"{path}?dryRun=All&fieldValidation={validation}"
            check(client.json("POST", target, copy.deepcopy(body)), str(spec)[:200])
        assert plane.worked() - began < 8.0, str(spec)[:200]
        assert plane.resident() - before < 150 * 2**20, str(spec)[:200]
    check(client.request("DELETE", f"{CRDS}/hards.definitions.example.com"))
