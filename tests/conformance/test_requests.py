"""What every request may ask for: dry runs, preconditions, generated names, versions, representations."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiException, CoreV1Api

from tests.conformance.clients import Http, eventually
from tests.conformance.registry import behaviour

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
APPLY = "application/apply-patch+yaml"


def _path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


@behaviour(
    "[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata"
)
def test_a_review_is_no_table(http: Http) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": "default", "verb": "list", "resource": "pods"}},
    }
    answer = http("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, accept=TABLE)
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")


def test_tables_in_pieces(http: Http, core: CoreV1Api, namespace: str) -> None:
    """Should return chunks of table results for list calls, and generic metadata details across all namespaces."""
    for n in range(5):
        core.create_namespaced_secret(namespace, {"metadata": {"name": f"s{n}"}})
    path = f"/api/v1/namespaces/{namespace}/secrets?limit=2"
    names, token, pages = [], "", 0
    while True:
        table = http.ok("GET", f"{path}&continue={token}" if token else path, accept=TABLE)
        names += [row["cells"][0] for row in table["rows"]]
        pages += 1
        token = table["metadata"].get("continue", "")
        assert ("remainingItemCount" in table["metadata"]) == bool(token)
        if not token:
            break
    assert (names, pages) == ([f"s{n}" for n in range(5)], 3)
    nodes = http.ok("GET", "/api/v1/nodes?includeObject=Object", accept=TABLE)
    assert [column["name"] for column in nodes["columnDefinitions"]][:3] == ["Name", "Status", "Roles"]
    assert nodes["rows"][0]["object"]["kind"] == "Node"
    assert http.ok("GET", "/api/v1/nodes?includeObject=None", accept=TABLE)["rows"][0]["object"] is None
    found = http.ok("GET", "/api/v1/pods", accept=METADATA_LIST)
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")


def test_dry_runs_change_nothing(http: Http, namespace: str) -> None:
    body = {"metadata": {"generateName": "x-"}, "data": {"k": "v"}}
    made = http.ok("POST", f"{_path(namespace)}?dryRun=All", body)
    assert made["metadata"]["name"].startswith("x-")
    assert made["metadata"]["uid"]
    assert http("GET", _path(namespace, made["metadata"]["name"])).status == 404
    real = http.ok("POST", _path(namespace), body)
    where = _path(namespace, real["metadata"]["name"])
    for method, body, options in (
        ("PUT", {**real, "data": {"k": "w"}}, {}),
        ("PATCH", {"data": {"k": "w"}}, {"content_type": "application/merge-patch+json"}),
    ):
        assert http.ok(method, f"{where}?dryRun=All", body, **options)["data"] == {"k": "w"}
    http.ok("DELETE", f"{where}?dryRun=All")
    http.ok("DELETE", f"{_path(namespace)}?dryRun=All")
    assert http.ok("GET", where) == real
    wrong = http("POST", f"{_path(namespace)}?dryRun=Some", {"metadata": {"name": "y"}})
    assert (wrong.status, wrong.json["reason"]) == (422, "Invalid")


def test_a_delete_under_conditions(core: CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    for precondition in ({"uid": "5f0b6b9e-0000-4000-8000-000000000000"}, {"resourceVersion": "1"}):
        with pytest.raises(ApiException) as caught:
            core.delete_namespaced_config_map("a", namespace, body={"preconditions": precondition})
        assert caught.value.status == 409
        assert "precondition" in caught.value.body.lower()
    core.delete_namespaced_config_map("a", namespace, body={"preconditions": {"uid": made.metadata.uid}})
    eventually(lambda: not core.list_namespaced_config_map(namespace, field_selector="metadata.name=a").items)


def test_lists_of_a_version(http: Http, core: CoreV1Api, namespace: str) -> None:
    def names(query: str) -> list[str]:
        items = http.ok("GET", f"/api/v1/namespaces/{namespace}/secrets?{query}")["items"]
        return [item["metadata"]["name"] for item in items]

    first = core.create_namespaced_secret(namespace, {"metadata": {"name": "a"}}).metadata.resource_version
    core.create_namespaced_secret(namespace, {"metadata": {"name": "b"}})
    assert names(f"resourceVersion={first}&resourceVersionMatch=Exact") == ["a"]
    assert names(f"resourceVersion={first}&resourceVersionMatch=NotOlderThan") == ["a", "b"]
    assert names("") == ["a", "b"]
    assert http("GET", f"/api/v1/namespaces/{namespace}/secrets?resourceVersionMatch=Exact").status == 422


def test_bodies_in_yaml_and_answers_in_gzip(http: Http, namespace: str) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: from-yaml}}\ndata: {{big: {'x' * 200_000}}}\n".encode()
    answer = http("POST", _path(namespace), text, content_type="application/yaml", accept="application/yaml")
    assert answer.status == 201
    assert yaml.safe_load(answer.body)["metadata"]["name"] == "from-yaml"
    raw = http("GET", _path(namespace, "from-yaml"), headers={"Accept-Encoding": "gzip"})
    assert raw.headers["Content-Encoding"] == "gzip"
    body = raw.body if raw.body[:1] == b"{" else gzip.decompress(raw.body)
    assert len(json.loads(body)["data"]["big"]) == 200_000
    assert http("POST", _path(namespace), b"x", content_type="text/plain").status == 415


def test_apply_creates_owns_and_gives_up(http: Http, namespace: str) -> None:
    """Server-side apply on an object and on its status, by hand."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/d"
    container = {"name": "c", "image": "registry.example/c:1"}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "1"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}},
        },
    }
    assert http("PATCH", path, body, content_type=APPLY).status == 422, "it has to say who it is"
    made = http("PATCH", f"{path}?fieldManager=one", body, content_type=APPLY)
    assert made.status == 201
    again = http("PATCH", f"{path}?fieldManager=one", body, content_type=APPLY)
    assert (again.status, again.json["metadata"]["generation"]) == (200, 1)
    other = {**body, "metadata": {"name": "d"}, "spec": {"replicas": 1}}
    refused = http("PATCH", f"{path}?fieldManager=two", other, content_type=APPLY)
    assert refused.status == 409
    [cause] = refused.json["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".spec.replicas")
    sidecar = {
        **other,
        "spec": {"template": {"spec": {"containers": [{"name": "s", "image": "registry.example/s:1"}]}}},
    }
    merged = http.ok("PATCH", f"{path}?fieldManager=two", sidecar, content_type=APPLY)
    assert [c["name"] for c in merged["spec"]["template"]["spec"]["containers"]] == ["c", "s"]
    del body["metadata"]["labels"]
    less = http.ok("PATCH", f"{path}?fieldManager=one", body, content_type=APPLY)
    assert "labels" not in less["metadata"]
    status = {k: body[k] for k in ("apiVersion", "kind")} | {"metadata": {"name": "d"}}
    condition = {"type": "Tested", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status["status"] = {"conditions": [condition]}
    applied = http.ok("PATCH", f"{path}/status?fieldManager=three", status, content_type=APPLY)
    [entry] = [e for e in applied["metadata"]["managedFields"] if e["manager"] == "three"]
    assert (entry["operation"], entry["subresource"]) == ("Apply", "status")
    wrong = {**body, "metadata": {"name": "d", "managedFields": [{"manager": "x"}]}}
    assert http("PATCH", f"{path}?fieldManager=one", wrong, content_type=APPLY).status == 400


def test_names_are_generated_and_checked(http: Http, namespace: str) -> None:
    made = {
        http.ok("POST", _path(namespace), {"metadata": {"generateName": "g-"}})["metadata"]["name"] for _ in range(5)
    }
    assert len(made) == 5
    assert all(name.startswith("g-") and len(name) == len("g-") + 5 for name in made)
    for metadata in (
        {},
        {"name": "UPPER"},
        {"name": "a/b"},
        {"name": "x" * 254},
        {"name": "a", "namespace": "elsewhere"},
    ):
        answer = http("POST", _path(namespace), {"metadata": metadata})
        assert answer.status in (400, 422), metadata
