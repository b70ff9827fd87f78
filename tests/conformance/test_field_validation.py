"""Unknown and duplicate fields: refused, warned of or ignored, as the client asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.clients import Answer, Http
from tests.conformance.registry import behaviour

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
                "foo": {"type": "string"},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                    "x-kubernetes-list-type": "map",
                    "items": {
                        "type": "object",
                        "required": ["containerPort", "protocol"],
                        "properties": {
                            "containerPort": {"type": "integer", "format": "int32"},
                            "hostIP": {"type": "string"},
                            "hostPort": {"type": "integer", "format": "int32"},
                            "name": {"type": "string"},
                            "protocol": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
DEPLOYMENT = b"""{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"%s},
  "spec": {
    "unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2",
    "paused": true, "paused": false, "replicas": 0,
    "selector": {"matchLabels": {"app": "a"}},
    "template": {
      "metadata": {"labels": {"app": "a"}},
      "spec": {"containers": [
        {"name": "c", "image": "i", "unknownNested": "v", "imagePullPolicy": "Always", "imagePullPolicy": "Never"}
      ]}
    }
  }
}"""
FOUND = [  # in the order of the text; what is both unknown and repeated is only unknown
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    'unknown field "spec.template.spec.containers[0].unknownNested"',
    'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
]


@pytest.fixture
def define(http: Http, namespace: str) -> Iterator[Any]:
    """Makes a definition with a schema and says where its objects are."""

    def make(schema: dict[str, Any]) -> str:
        group = f"{namespace}.example.com"
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"plural": "noxus", "kind": "Noxu"}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
        body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        http.ok("POST", DEFINITIONS, {**body, "metadata": {"name": f"noxus.{group}"}, "spec": spec})
        return f"/apis/{group}/v1/namespaces/{namespace}/noxus"

    yield make


def _object(path: str, name: str, **fields: Any) -> dict[str, Any]:
    group, version = path.split("/")[2:4]
    return {"apiVersion": f"{group}/{version}", "kind": "Noxu", "metadata": {"name": name}, **fields}


def _refused(answer: Answer, *words: str, reason: tuple[int, str] = (400, "BadRequest")) -> None:
    assert (answer.status, answer.json["reason"]) == reason, answer.body
    for word in words:
        assert word in answer.json["message"], answer.json["message"]


@behaviour("[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object")
def test_a_typed_object(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    body = DEPLOYMENT % b""
    _refused(http("POST", f"{path}?fieldValidation=Strict", body), f"strict decoding error: {', '.join(FOUND)}")
    assert http("GET", f"{path}/d").status == 404
    warned = http("POST", f"{path}?fieldValidation=Warn", body)
    assert warned.status == 201
    assert warned.warnings == FOUND
    http.ok("DELETE", f"{path}/d")
    assert http("POST", path, body).warnings, "to warn is what the server does unless it is told otherwise"
    http.ok("DELETE", f"{path}/d")
    ignored = http("POST", f"{path}?fieldValidation=Ignore", body)
    assert (ignored.status, ignored.warnings) == (201, [])
    _refused(http("PUT", f"{path}/d?fieldValidation=Strict", body), *FOUND)
    _refused(
        http("PATCH", f"{path}/d?fieldValidation=Strict", {"spec": {"unknown": 1}}, content_type=MERGE),
        'unknown field "spec.unknown"',
        reason=(422, "Invalid"),
    )
    patch = b'{"spec": {"paused": true, "paused": false}}'
    _refused(
        http("PATCH", f"{path}/d?fieldValidation=Strict", patch, content_type=MERGE),
        'duplicate field "spec.paused"',
        reason=(422, "Invalid"),
    )
    wrong = http("POST", f"{path}?fieldValidation=Sometimes", body)
    assert (wrong.status, wrong.json["reason"]) == (422, "Invalid")


@behaviour("[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object")
def test_metadata_of_a_typed_object(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    body = DEPLOYMENT % b', "unknownMeta": "metaVal"'
    _refused(http("POST", f"{path}?fieldValidation=Strict", body), 'unknown field "metadata.unknownMeta"')


@behaviour(
    "[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema"
)
def test_a_definition_that_allows_everything(http: Http, define: Any) -> None:
    path = define(OPEN)
    body = _object(path, "a", spec={"knownField1": "val1", "unknownField": "val2"})
    for query in ("?fieldValidation=Strict", ""):
        answer = http("PATCH", f"{path}/a{query}{'&' if query else '?'}fieldManager=m", body, content_type=APPLY)
        assert (answer.status in (200, 201), answer.warnings) == (True, []), answer.body
    assert http.ok("GET", f"{path}/a")["spec"] == body["spec"]
    http.ok("POST", f"{path}?fieldValidation=Strict", _object(path, "b", spec={"any": 1}))


@behaviour(
    "[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema"
)
def test_a_definition_with_a_schema(http: Http, define: Any) -> None:
    path = define(SCHEMA)
    port = {"containerPort": 8080, "protocol": "TCP", "hostPort": 8081}
    extra = _object(path, "a", spec={"cronSpec": "* * * * */5", "ports": [port], "extraProperty": "x"})
    strict = "fieldValidation=Strict"
    _refused(http("POST", f"{path}?{strict}", extra), 'strict decoding error: unknown field "spec.extraProperty"')
    applied = http("PATCH", f"{path}/a?{strict}&fieldManager=m", extra, content_type=APPLY)
    assert applied.status in (400, 500)  # Kubernetes' structured merge calls it an internal error
    assert ".spec.extraProperty: field not declared in schema" in applied.json["message"] or "extraProperty" in str(
        applied.json
    )
    invalid = _object(path, "a", spec={"cronSpec": "x", "ports": [{"protocol": "TCP"}]})
    answer = http("POST", path, invalid)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert {"spec.cronSpec", "spec.ports[0].containerPort"} <= {c["field"] for c in answer.json["details"]["causes"]}
    warned = http("POST", path, extra)
    assert (warned.status, warned.warnings) == (201, ['unknown field "spec.extraProperty"'])
    assert "extraProperty" not in http.ok("GET", f"{path}/a")["spec"]
    valid = _object(path, "valid", spec={"cronSpec": "* * * * */5", "ports": [port]})
    answer = http("PATCH", f"{path}/valid?{strict}&fieldManager=m", valid, content_type=APPLY)
    assert (answer.status, answer.warnings) == (201, [])
    unknown_metadata = _object(path, "b", spec={})
    unknown_metadata["metadata"]["unknownMeta"] = "x"
    _refused(http("POST", f"{path}?{strict}", unknown_metadata), 'unknown field "metadata.unknownMeta"')


@behaviour("[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields")
def test_duplicates_where_everything_is_allowed(http: Http, define: Any) -> None:
    path = define(OPEN)
    text = (
        json.dumps(_object(path, "a", spec={"x": 1}))
        .replace('"x": 1', '"x": 1, "x": 2, "k": {"l": 1, "l": 1}')
        .encode()
    )
    _refused(
        http("POST", f"{path}?fieldValidation=Strict", text), 'duplicate field "spec.x"', 'duplicate field "spec.k.l"'
    )
    warned = http("POST", path, text)
    assert (warned.status, sorted(warned.warnings)) == (201, ['duplicate field "spec.k.l"', 'duplicate field "spec.x"'])
    assert http.ok("GET", f"{path}/a")["spec"]["x"] == 2
