"""What a client learns before it knows anything: version, groups, resources, health."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import ApiClient, ApisApi, VersionApi

from tests.conformance.clients import Http, eventually
from tests.conformance.registry import behaviour

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
BUILT_IN = {
    "pods": ("", "v1"),
    "deployments": ("apps", "v1"),
    "jobs": ("batch", "v1"),
    "validatingwebhookconfigurations": ("admissionregistration.k8s.io", "v1"),
    "customresourcedefinitions": ("apiextensions.k8s.io", "v1"),
    "apiservices": ("apiregistration.k8s.io", "v1"),
    "tokenreviews": ("authentication.k8s.io", "v1"),
    "subjectaccessreviews": ("authorization.k8s.io", "v1"),
    "horizontalpodautoscalers": ("autoscaling", "v2"),
    "certificatesigningrequests": ("certificates.k8s.io", "v1"),
    "leases": ("coordination.k8s.io", "v1"),
    "endpointslices": ("discovery.k8s.io", "v1"),
    "ingresses": ("networking.k8s.io", "v1"),
    "runtimeclasses": ("node.k8s.io", "v1"),
    "poddisruptionbudgets": ("policy", "v1"),
    "roles": ("rbac.authorization.k8s.io", "v1"),
    "priorityclasses": ("scheduling.k8s.io", "v1"),
    "storageclasses": ("storage.k8s.io", "v1"),
}


def _resources(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (group["metadata"].get("name", ""), version["version"], resource["resource"])
        for group in document["items"]
        for version in group["versions"]
        for resource in version["resources"]
    }


@behaviour("[sig-api-machinery] server version should find the server version")
def test_version(api: ApiClient) -> None:
    version = VersionApi(api).get_code()
    assert version.major.isdecimal()
    assert version.minor.isdecimal()
    assert version.git_version.startswith(f"v{version.major}.{version.minor}.")


@behaviour("[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup")
def test_each_group_leads_to_resources(api: ApiClient, http: Http) -> None:
    groups = ApisApi(api).get_api_versions().groups
    assert groups
    for group in groups:
        assert group.preferred_version.group_version in [version.group_version for version in group.versions]
        alone = http.ok("GET", f"/apis/{group.name}")
        assert alone["kind"] == "APIGroup"
        for version in group.versions:
            assert version.group_version == f"{group.name}/{version.version}"
            assert version.group_version in [entry["groupVersion"] for entry in alone["versions"]]
            listed = http.ok("GET", f"/apis/{version.group_version}")
            assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", version.group_version)
            assert all(resource["name"] and resource["verbs"] for resource in listed["resources"])
            assert listed["resources"]


def test_preferred_versions_come_with_each_group(http: Http) -> None:
    """Discovery should validate PreferredVersion for each APIGroup."""
    for group in http.ok("GET", "/apis")["groups"]:
        assert group["preferredVersion"] == group["versions"][0]


@behaviour("[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface")
def test_aggregated_discovery_has_all_built_in_kinds(http: Http) -> None:
    found: set[tuple[str, str, str]] = set()
    for root in ("/api", "/apis"):
        document = http.ok("GET", root, accept=AGGREGATED.format("v2"))
        assert (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
        found |= _resources(document)
    assert {(group, served, resource) for resource, (group, served) in BUILT_IN.items()} <= found


@behaviour("[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers")
def test_the_accept_header_chooses_the_document(http: Http) -> None:
    for accept, kind, content in (
        (AGGREGATED.format("v2"), "APIGroupDiscoveryList", AGGREGATED.format("v2")),
        (f"{AGGREGATED.format('v2beta1')},{AGGREGATED.format('v2')},application/json", "APIGroupDiscoveryList", None),
        (f"{AGGREGATED.format('v2beta1')},application/json", "APIGroupList", "application/json"),
        (f"application/json,{AGGREGATED.format('v2')}", "APIGroupList", "application/json"),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", "APIGroupList", None),
        ("application/json", "APIGroupList", "application/json"),
        ("*/*", "APIGroupList", "application/json"),
    ):
        answer = http("GET", "/apis", accept=accept)
        assert (answer.status, answer.json["kind"]) == (200, kind), accept
        assert content in (None, answer.headers["Content-Type"]), accept
    first = http("GET", "/apis", accept=AGGREGATED.format("v2"))
    again = http("GET", "/apis", accept=AGGREGATED.format("v2"), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@behaviour("[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs")
def test_a_definition_appears_in_discovery_and_goes_from_it(http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    resource = (group, "v1", "gadgets")
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["ggt"], "categories": ["all"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
    accept = AGGREGATED.format("v2")
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert resource not in _resources(http.ok("GET", "/apis", accept=accept))
    http.ok("POST", path, body)
    http.ok("GET", f"/apis/{group}/v1/gadgets")  # is answered when the definition is served
    found = http.ok("GET", "/apis", accept=accept)
    [served] = [
        entry
        for item in found["items"]
        if item["metadata"].get("name") == group
        for version in item["versions"]
        for entry in version["resources"]
    ]
    assert served["responseKind"] == {"group": group, "version": "v1", "kind": "Gadget"}
    assert (served["scope"], served["shortNames"], served["categories"]) == ("Namespaced", ["ggt"], ["all"])
    assert [sub["subresource"] for sub in served["subresources"]] == ["status"]
    http.ok("DELETE", f"{path}/gadgets.{group}")
    eventually(lambda: http("GET", f"/apis/{group}/v1/gadgets").status == 404)
    eventually(lambda: resource not in _resources(http.ok("GET", "/apis", accept=accept)))


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health(http: Http, path: str) -> None:
    assert http("GET", path).body == b"ok"
    named = http("GET", f"{path}?verbose=1").body.decode()
    assert "[+]ping ok" in named
    assert named.rstrip().endswith("check passed")
    assert http("GET", f"{path}/ping").body == b"ok"


def test_metrics(http: Http) -> None:
    """MetricsGrabber should grab all metrics from API Server."""
    http.ok("GET", "/api/v1/namespaces")
    text = http("GET", "/metrics", accept="text/plain").body.decode()
    for name in ("apiserver_request_total", "apiserver_request_duration_seconds_bucket", "apiserver_storage_objects"):
        assert f"\n{name}{{" in text, name
