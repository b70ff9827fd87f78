"""What definitions add to the OpenAPI documents, and what kubectl makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.clients import Http, eventually
from tests.conformance.cluster import Cluster
from tests.conformance.definitions import OPEN, PATH, define, definition, version
from tests.conformance.registry import behaviour

SCHEMA = {
    "type": "object",
    "description": "Foo CRD for Testing",
    "properties": {
        "spec": {
            "type": "object",
            "description": "Specification of Foo",
            "properties": {
                "bars": {
                    "type": "array",
                    "description": "List of Bars and their specs.",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "description": "Name of Bar."},
                            "age": {"type": "string", "description": "Age of Bar."},
                            "feeling": {"type": "string", "enum": ["Great", "Down"]},
                            "bazs": {"type": "array", "description": "List of Bazs.", "items": {"type": "string"}},
                        },
                    },
                }
            },
        },
        "status": {"type": "object", "description": "Status of Foo", "properties": {"ready": {"type": "boolean"}}},
    },
}


def _v2_definition(http: Http, group: str, served: str, kind: str) -> dict[str, Any] | None:
    name = ".".join([*reversed(group.split(".")), served, kind])
    found: dict[str, Any] | None = http.ok("GET", "/openapi/v2")["definitions"].get(name)
    return found


def _v3_schemas(http: Http, group: str, served: str) -> dict[str, Any]:
    paths = http.ok("GET", "/openapi/v3")["paths"]
    entry = paths.get(f"apis/{group}/{served}")
    if entry is None:
        return {}
    found: dict[str, Any] = http.ok("GET", entry["serverRelativeURL"])["components"]["schemas"]
    return found


@behaviour(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema"
)
def test_with_a_schema(cluster: Cluster, http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    define(http, definition(group, "foos", version("v1", SCHEMA, storage=True)))
    published = eventually(lambda: _v2_definition(http, group, "v1", "Foo"))
    assert published is not None
    assert published["description"] == "Foo CRD for Testing"
    assert set(published["properties"]) == {"apiVersion", "kind", "metadata", "spec", "status"}
    assert published["x-kubernetes-group-version-kind"] == [{"group": group, "version": "v1", "kind": "Foo"}]
    assert any(name.endswith(".v1.Foo") for name in _v3_schemas(http, group, "v1"))

    def foo(**bar: Any) -> str:
        body = {"apiVersion": f"{group}/v1", "kind": "Foo", "metadata": {"name": "test-foo"}}
        return json.dumps({**body, "spec": {"bars": [bar]}})

    def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> tuple[int, str]:
        done = cluster.kubectl(*arguments, namespace=namespace, stdin=stdin, check=check)
        return done.code, done.stdout + done.stderr

    good = foo(name="test-bar")
    kubectl("create", "-f", "-", stdin=good)
    kubectl("delete", "foos", "test-foo")
    kubectl("apply", "-f", "-", stdin=good)
    kubectl("delete", "foos", "test-foo")
    for verb in ("create", "apply"):
        for bad, word in (
            (foo(name="test-bar", unknown="x"), 'unknown field "spec.bars[0].unknown"'),
            (foo(age="10"), "spec.bars[0].name: Required value"),
            (foo(name="b", feeling="NonExistentValue"), 'supported values: "Great", "Down"'),
        ):
            code, text = kubectl(verb, "--validate=true", "-f", "-", stdin=bad, check=False)
            assert (code, word in text) == (1, True), text
    for what, words in (
        ("foos", ["Foo CRD for Testing", "KIND:       Foo", "Specification of Foo"]),
        ("foos.spec", ["Specification of Foo", "List of Bars and their specs."]),
        ("foos.spec.bars", ["Name of Bar.", "Age of Bar.", "-required-"]),
        ("foos.spec.bars.bazs", ["List of Bazs."]),
    ):
        _, text = kubectl("explain", what)
        assert [word for word in words if word not in text] == [], text
    code, _ = kubectl("explain", "foos.spec.bars2", check=False)
    assert code == 1


@behaviour(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD without validation schema"
)
def test_without_a_schema(cluster: Cluster, http: Http, namespace: str) -> None:
    """Works for CRD preserving unknown fields at the schema root, and in an embedded object."""
    group = f"{namespace}.example.com"
    embedded = {"type": "object", "properties": {"spec": {**OPEN, "description": "Anything"}}}
    define(http, definition(group, "bars", version("v1", storage=True)))
    define(http, definition(group, "quxes", version("v1", embedded, storage=True)))
    eventually(lambda: _v2_definition(http, group, "v1", "Quxe"))
    for kind in ("Bar", "Quxe"):
        body = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "x"}, "spec": {"dummy": "x", "a": [1]}}
        for verb in ("create", "apply"):
            cluster.kubectl(verb, "--validate=true", "-f", "-", namespace=namespace, stdin=json.dumps(body))
            cluster.kubectl("delete", f"{kind.lower()}.{group}", "x", namespace=namespace)
    text = cluster.kubectl("explain", "bars", f"--api-version={group}/v1").stdout
    assert "DESCRIPTION:\n    <empty>" in text
    assert "Anything" in cluster.kubectl("explain", "quxes.spec").stdout


@behaviour(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different groups"
)
@pytest.mark.parametrize("versions", [("v1", "v1"), ("v1", "v2")])
def test_several_definitions(http: Http, namespace: str, versions: tuple[str, str]) -> None:
    """Works for multiple CRDs of same group and version but different kinds, too."""
    groups = [f"{namespace}{n}.example.com" for n in range(2)]
    for group, served in zip(groups, versions, strict=True):
        for plural in ("foos", "waldos"):
            define(http, definition(group, plural, version(served, SCHEMA, storage=True)))
    for group, served in zip(groups, versions, strict=True):
        for kind in ("Foo", "Waldo"):
            found = eventually(lambda g=group, s=served, k=kind: _v2_definition(http, g, s, k))  # type: ignore[misc]
            assert found is not None
            assert found["description"] == "Foo CRD for Testing"


@behaviour(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] updates the published spec when one version gets renamed"
)
def test_a_version_is_renamed(http: Http, namespace: str) -> None:
    """Removes definition from spec when one version gets changed to not be served, too."""
    group = f"{namespace}.example.com"
    name = define(http, definition(group, "foos", version("v2", SCHEMA, storage=True), version("v3", SCHEMA)))[
        "metadata"
    ]["name"]
    eventually(lambda: _v2_definition(http, group, "v3", "Foo"))
    unchanged = _v2_definition(http, group, "v2", "Foo")
    rename = [{"op": "replace", "path": "/spec/versions/1/name", "value": "v4"}]
    http.ok("PATCH", f"{PATH}/{name}", rename, content_type="application/json-patch+json")
    eventually(lambda: _v2_definition(http, group, "v4", "Foo"))
    assert _v2_definition(http, group, "v3", "Foo") is None
    assert _v2_definition(http, group, "v2", "Foo") == unchanged
    assert _v3_schemas(http, group, "v4")
    assert not _v3_schemas(http, group, "v3")
    unserve = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
    http.ok("PATCH", f"{PATH}/{name}", unserve, content_type="application/json-patch+json")
    eventually(lambda: _v2_definition(http, group, "v4", "Foo") is None)
    assert not _v3_schemas(http, group, "v4")
