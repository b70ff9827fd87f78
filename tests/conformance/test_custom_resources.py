"""Definitions of custom resources: their life, their status, defaults, and what watches see of them."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException, ApiextensionsV1Api, CustomObjectsApi

from tests.conformance.clients import SECONDS, Http, eventually, watch_until
from tests.conformance.cluster import Cluster
from tests.conformance.definitions import OPEN, converting, define, definition, version
from tests.conformance.registry import behaviour


@behaviour(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition creating/deleting custom resource definition objects works"
)
@behaviour(
    "[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch on custom resource definition objects"
)
def test_a_definition_and_its_objects_are_watched(api: ApiClient, http: Http, namespace: str) -> None:
    """Listing custom resource definition objects works, too."""
    extensions, objects = ApiextensionsV1Api(api), CustomObjectsApi(api)
    group = f"{namespace}.example.com"
    since = extensions.list_custom_resource_definition().metadata.resource_version
    define(http, definition(group, "noxus", version("v1beta1", storage=True)))
    assert [
        item.metadata.name
        for item in extensions.list_custom_resource_definition(field_selector=f"metadata.name=noxus.{group}").items
    ] == [f"noxus.{group}"]
    where = {"group": group, "version": "v1beta1", "namespace": namespace, "plural": "noxus"}
    start = objects.list_namespaced_custom_object(**where)["metadata"]["resourceVersion"]
    for name in ("name1", "name2"):
        body = {"apiVersion": f"{group}/v1beta1", "kind": "Noxu", "metadata": {"name": name}, "num": 1}
        objects.create_namespaced_custom_object(body=body, **where)
    for name in ("name1", "name2"):
        objects.patch_namespaced_custom_object(name=name, body={"num": 2}, **where)
    for name in ("name1", "name2"):
        objects.delete_namespaced_custom_object(name=name, **where)
    seen = watch_until(
        objects.list_namespaced_custom_object,
        since=start,
        until=lambda kind, obj: kind == "DELETED" and obj["metadata"]["name"] == "name2",
        **where,
    )
    assert [(kind, obj["metadata"]["name"], obj["num"]) for kind, obj in seen] == [
        (kind, name, 1 if kind == "ADDED" else 2)
        for kind in ("ADDED", "MODIFIED", "DELETED")
        for name in ("name1", "name2")
    ]
    extensions.delete_custom_resource_definition(f"noxus.{group}")
    seen = watch_until(
        extensions.list_custom_resource_definition,
        since=since,
        field_selector=f"metadata.name=noxus.{group}",
        until=lambda kind, _: kind == "DELETED",
    )
    assert {kind for kind, _ in seen} == {"ADDED", "MODIFIED", "DELETED"}
    with pytest.raises(ApiException) as caught:
        extensions.read_custom_resource_definition(f"noxus.{group}")
    assert caught.value.status == 404


@behaviour(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works"
)
def test_the_status_of_a_definition(api: ApiClient, http: Http, namespace: str) -> None:
    extensions = ApiextensionsV1Api(api)
    name = define(http, definition(f"{namespace}.example.com", "noxus", version("v1", storage=True)))["metadata"][
        "name"
    ]
    read = extensions.read_custom_resource_definition_status(name)
    assert read.status.accepted_names.plural == "noxus"
    condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "set by a test"}

    def replaced() -> Any:
        body = http.ok("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        body["status"]["conditions"].append(condition)
        answer = http("PUT", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}/status", body)
        return answer.json if answer.status == 200 else None  # its controller may have been faster

    updated = eventually(replaced)
    assert condition.items() <= updated["status"]["conditions"][-1].items()
    patched = extensions.patch_custom_resource_definition_status(
        name,
        {
            "metadata": {"annotations": {"patched": "yes"}},
            "status": {"conditions": [{**condition, "type": "StatusPatch"}]},
        },
    )
    assert "StatusPatch" in [c.type for c in patched.status.conditions]
    assert "StatusPatch" in [c.type for c in extensions.read_custom_resource_definition(name).status.conditions]


def _with_default(schema: dict[str, Any], **defaults: str) -> dict[str, Any]:
    properties = {
        name: {"type": "string", **({"default": defaults[name]} if name in defaults else {})} for name in "ab"
    }
    return {**schema, "properties": properties}


@behaviour(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for requests and from storage works"
)
def test_defaults_of_requests_and_of_what_is_stored(http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    closed = {"type": "object"}
    body = definition(group, "noxus", version("v1", _with_default(closed), storage=True))
    name = define(http, body)["metadata"]["name"]
    crd, path = (
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}",
        f"/apis/{group}/v1/namespaces/{namespace}/noxus",
    )

    def defaults(**values: str) -> None:
        versions = [version("v1", _with_default(closed, **values), storage=True)]
        http.ok("PATCH", crd, {"spec": {"versions": versions}}, content_type="application/merge-patch+json")

    def make(name: str) -> dict[str, Any]:
        answer: dict[str, Any] = http.ok(
            "POST", path, {"apiVersion": f"{group}/v1", "kind": "Noxu", "metadata": {"name": name}}
        )
        return answer

    assert "a" not in make("first")
    defaults(a="A")
    eventually(lambda: http.ok("GET", f"{path}/first").get("a") == "A")
    assert make("second")["a"] == "A"
    defaults(b="B")
    eventually(lambda: http.ok("GET", f"{path}/second").get("b") == "B")
    assert http.ok("GET", f"{path}/second")["a"] == "A", "what was given in a request is stored"
    assert "a" not in http.ok("GET", f"{path}/first"), "what was given in a read is not"


def test_pruning_and_preserving(http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"kept": {"type": "integer"}, "open": OPEN}}},
    }
    define(http, definition(group, "noxus", version("v1", schema, storage=True)))
    spec = {"kept": 1, "lost": 2, "open": {"any": {"thing": [1]}}}
    made = http.ok(
        "POST",
        f"/apis/{group}/v1/namespaces/{namespace}/noxus",
        {"apiVersion": f"{group}/v1", "kind": "Noxu", "metadata": {"name": "a"}, "spec": spec, "lost": 1},
    )
    assert made["spec"] == {"kept": 1, "open": {"any": {"thing": [1]}}}
    assert "lost" not in made


def test_status_and_scale_of_objects(http: Http, namespace: str) -> None:
    """Generations count changes of the spec alone; a scale reads and writes by the paths that the definition names."""
    group = f"{namespace}.example.com"
    paths = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    define(http, definition(group, "noxus", version("v1", storage=True, subresources={"status": {}, "scale": paths})))
    path = f"/apis/{group}/v1/namespaces/{namespace}/noxus"
    merge = {"content_type": "application/merge-patch+json"}
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "Noxu",
        "metadata": {"name": "a"},
        "spec": {"replicas": 2},
        "status": {"replicas": 9},
    }
    made = http.ok("POST", path, body)
    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    status = http.ok(
        "PATCH", f"{path}/a/status", {"status": {"replicas": 1, "selector": "a=b"}, "spec": {"replicas": 7}}, **merge
    )
    assert (status["spec"]["replicas"], status["metadata"]["generation"]) == (2, 1)
    scale = http.ok("GET", f"{path}/a/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "a=b"})
    http.ok("PATCH", f"{path}/a/scale", {"spec": {"replicas": 5}}, **merge)
    read = http.ok("GET", f"{path}/a")
    assert (read["spec"]["replicas"], read["metadata"]["generation"]) == (5, 2)


def _host_port(obj: dict[str, Any], wanted: str) -> None:
    """v1 has `hostPort: host:port`, v2 has host and port apart."""
    if wanted.endswith("/v2") and "hostPort" in obj:
        obj["host"], obj["port"] = obj.pop("hostPort").split(":")
    elif wanted.endswith("/v1") and "host" in obj:
        obj["hostPort"] = f"{obj.pop('host')}:{obj.pop('port')}"


def strings(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}}


STRINGS = strings("host", "port", "hostPort")


@behaviour(
    "[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert from CR v1 to CR v2"
)
@behaviour(
    "[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert a non homogeneous list of CRs"
)
def test_a_webhook_converts(cluster: Cluster, http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    paths = {v: f"/apis/{group}/{v}/namespaces/{namespace}/tests" for v in ("v1", "v2")}
    with converting(cluster, _host_port) as webhook:
        one, two = version("v1", STRINGS, storage=True), version("v2", STRINGS)
        crd = define(http, definition(group, "tests", one, two, conversion=webhook.conversion))
        body = {"kind": "Test", "metadata": {"name": "stored-as-v1"}, "hostPort": "localhost:8080"}
        http.ok("POST", paths["v1"], {"apiVersion": f"{group}/v1", **body})
        read = http.ok("GET", f"{paths['v2']}/stored-as-v1")
        assert (read["apiVersion"], read["host"], read["port"]) == (f"{group}/v2", "localhost", "8080")
        assert "hostPort" not in read
        one["storage"], two["storage"] = False, True
        change = {"spec": {"versions": [one, two]}}
        http.ok(
            "PATCH",
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}",
            change,
            content_type="application/merge-patch+json",
        )
        body = {"kind": "Test", "metadata": {"name": "stored-as-v2"}, "host": "example.com", "port": "80"}
        http.ok("POST", paths["v2"], {"apiVersion": f"{group}/v2", **body})
        listed = http.ok("GET", paths["v2"])["items"]
        assert [(obj["apiVersion"], obj["host"], obj["port"]) for obj in listed] == [
            (f"{group}/v2", "localhost", "8080"),
            (f"{group}/v2", "example.com", "80"),
        ]
        listed = http.ok("GET", paths["v1"])["items"]
        assert [obj["hostPort"] for obj in listed] == ["localhost:8080", "example.com:80"]
        assert webhook.reviews
        assert {review["kind"] for review in webhook.reviews} == {"ConversionReview"}


@behaviour(
    "[sig-api-machinery] CustomResourceFieldSelectors [Privileged:ClusterAdmin] CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector"
)
def test_selectable_fields(cluster: Cluster, api: ApiClient, http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    objects = CustomObjectsApi(api)
    with converting(cluster, _host_port) as webhook:
        one = version("v1", strings("hostPort"), storage=True, selectableFields=[{"jsonPath": ".hostPort"}])
        two = version("v2", strings("host", "port"), selectableFields=[{"jsonPath": ".host"}, {"jsonPath": ".port"}])
        define(http, definition(group, "tests", one, two, conversion=webhook.conversion))
        first = {"group": group, "version": "v1", "namespace": namespace, "plural": "tests"}
        second = {**first, "version": "v2"}
        start = objects.list_namespaced_custom_object(**second)["metadata"]["resourceVersion"]

        def make(name: str, host_port: str) -> None:
            body = {"apiVersion": f"{group}/v1", "kind": "Test", "metadata": {"name": name}, "hostPort": host_port}
            objects.create_namespaced_custom_object(body=body, **first)

        def names(where: dict[str, str], selector: str) -> list[str]:
            found = objects.list_namespaced_custom_object(**where, field_selector=selector)
            return [item["metadata"]["name"] for item in found["items"]]

        for name, host_port in (("a", "host1:80"), ("b", "host2:80"), ("c", "host1:8080")):
            make(name, host_port)
        assert names(first, "hostPort=host1:80") == ["a"]
        assert names(second, "host=host1") == ["a", "c"]
        assert names(second, "host=host1,port=80") == ["a"]
        assert names(second, "host=host1,port!=80") == ["c"]
        with pytest.raises(ApiException) as caught:
            names(first, "host=host1")
        assert caught.value.status == 400
        objects.patch_namespaced_custom_object(name="b", body={"host": "host1"}, **second)
        objects.patch_namespaced_custom_object(name="a", body={"host": "host3"}, **second)
        objects.delete_namespaced_custom_object(name="c", **second)
        make("last", "host1:1")
        seen = watch_until(
            objects.list_namespaced_custom_object,
            since=start,
            field_selector="host=host1",
            until=lambda _, obj: obj["metadata"]["name"] == "last",
            seconds=SECONDS,
            **second,
        )
        assert [(kind, obj["metadata"]["name"]) for kind, obj in seen] == [
            ("ADDED", "a"),
            ("ADDED", "c"),
            ("ADDED", "b"),
            ("DELETED", "a"),
            ("DELETED", "c"),
            ("ADDED", "last"),
        ]
        assert all(obj["apiVersion"] == f"{group}/v2" and "hostPort" not in obj for _, obj in seen)
