"""Services and what points to their pods, as the API and its controllers keep them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException, CoreV1Api, DiscoveryV1Api

from tests.conformance.clients import Http, eventually, watch_until
from tests.conformance.registry import behaviour
from tests.conformance.samples import TEMPLATE

MERGE = "application/merge-patch+json"


def _service(name: str = "s", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


EXTERNAL = {
    "type": "ExternalName",
    "externalName": "foo.example.com",
    "ports": None,
    "clusterIP": None,
    "clusterIPs": None,
}


@behaviour("[sig-network] Services should be able to change the type from ExternalName to ClusterIP")
@behaviour("[sig-network] Services should be able to change the type from ExternalName to NodePort")
@behaviour("[sig-network] Services should be able to change the type from ClusterIP to ExternalName")
@behaviour("[sig-network] Services should be able to change the type from NodePort to ExternalName")
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_changes_of_type(http: Http, namespace: str, kind: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    external = {"metadata": {"name": "s"}, "spec": {"type": "ExternalName", "externalName": "foo.example.com"}}
    made = http.ok("POST", path, external)
    assert "clusterIP" not in made["spec"]
    ports = [{"port": 80, "name": "http", "protocol": "TCP"}]
    change = {"spec": {"type": kind, "externalName": None, "ports": ports}}
    changed = http.ok("PATCH", f"{path}/s", change, content_type=MERGE)["spec"]
    assert changed["clusterIP"] == changed["clusterIPs"][0]
    assert ("nodePort" in changed["ports"][0]) == (kind == "NodePort")
    back = http.ok("PATCH", f"{path}/s", {"spec": EXTERNAL}, content_type=MERGE)["spec"]
    assert (back["type"], back["externalName"]) == ("ExternalName", "foo.example.com")
    assert not {"clusterIP", "clusterIPs", "ports"} & back.keys()
    again = {
        "metadata": {"name": "other"},
        "spec": {"ports": changed["ports"], "clusterIP": changed["clusterIP"], "type": kind},
    }
    http.ok("POST", path, again)  # what the other had is free


@behaviour("[sig-network] API Server should provide secure master service")
@behaviour("[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server")
def test_the_api_server_is_a_service(api: ApiClient, core: CoreV1Api) -> None:
    service = core.read_namespaced_service("kubernetes", "default")
    assert [(port.name, port.port) for port in service.spec.ports] == [("https", 443)]
    endpoints = core.read_namespaced_endpoints("kubernetes", "default")
    addresses = {a.ip for subset in endpoints.subsets for a in subset.addresses}
    [endpoint_slice] = (
        DiscoveryV1Api(api)
        .list_namespaced_endpoint_slice("default", label_selector="kubernetes.io/service-name=kubernetes")
        .items
    )
    assert {a for e in endpoint_slice.endpoints for a in e.addresses} == addresses
    assert endpoint_slice.ports[0].port == endpoints.subsets[0].ports[0].port


@behaviour(
    "[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods"
)
def test_a_service_without_pods(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """Should create Endpoints and EndpointSlices for Pods matching a Service, of which there are none here."""
    core.create_namespaced_service(namespace, _service(selector={"does-not-match-anything": "x"}))
    slices = DiscoveryV1Api(api)

    def made() -> Any:
        return slices.list_namespaced_endpoint_slice(namespace, label_selector="kubernetes.io/service-name=s").items

    assert eventually(made)[0].endpoints in (None, [])
    eventually(lambda: core.list_namespaced_endpoints(namespace).items)
    core.delete_namespaced_service("s", namespace)
    eventually(lambda: not made())
    eventually(lambda: not core.list_namespaced_endpoints(namespace).items)


@behaviour("[sig-network] EndpointsController should create Endpoints for Pods matching a Service")
@behaviour(
    "[sig-network] EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices"
)
def test_endpoints_of_pods(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """A hand-made slice of the same service stays beside the controller's."""
    slices = DiscoveryV1Api(api)
    core.create_namespaced_service(namespace, _service(selector={"app": "a"}))
    spec = {**TEMPLATE["spec"], "terminationGracePeriodSeconds": 0}
    for name in ("p", "q"):
        core.create_namespaced_pod(namespace, {"metadata": {"name": name, "labels": {"app": "a"}}, "spec": spec})

    def addresses() -> set[str]:
        found = slices.list_namespaced_endpoint_slice(namespace, label_selector="kubernetes.io/service-name=s").items
        return {
            a for item in found for e in item.endpoints or () for a in e.addresses if e.conditions.ready is not False
        }

    def of_endpoints() -> set[str]:
        subsets = core.read_namespaced_endpoints("s", namespace).subsets or ()
        return {a.ip for subset in subsets for a in subset.addresses or ()}

    eventually(lambda: len(addresses()) == 2)
    eventually(lambda: of_endpoints() == addresses())
    labels = {"kubernetes.io/service-name": "s", "endpointslice.kubernetes.io/managed-by": "by-hand"}
    by_hand = {"metadata": {"name": "by-hand", "labels": labels}, "addressType": "IPv4", "ports": [{"port": 80}]}
    slices.create_namespaced_endpoint_slice(namespace, {**by_hand, "endpoints": [{"addresses": ["192.0.2.77"]}]})
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)
    eventually(lambda: len(addresses()) == 2 and len(of_endpoints()) == 1)
    assert "192.0.2.77" in addresses()


@behaviour("[sig-network] Service endpoints latency should not be very high")
def test_endpoints_come_soon(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """A hundred services have their endpoints within ten seconds from the first one's creation."""
    spec = {**TEMPLATE["spec"], "terminationGracePeriodSeconds": 0}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "p", "labels": {"app": "a"}}, "spec": spec})
    eventually(lambda: core.read_namespaced_pod("p", namespace).status.pod_ip)
    slices = DiscoveryV1Api(api)
    since = slices.list_namespaced_endpoint_slice(namespace).metadata.resource_version
    begin = time.monotonic()
    wanted = {f"s{n}" for n in range(100)}
    for name in wanted:
        core.create_namespaced_service(namespace, _service(name, selector={"app": "a"}))
    ready: set[str] = set()

    def all_there(_: str, found: Any) -> bool:
        if any(endpoint.conditions.ready for endpoint in found.endpoints or ()):
            ready.add(found.metadata.labels["kubernetes.io/service-name"])
        return ready == wanted

    watch_until(slices.list_namespaced_endpoint_slice, namespace, since=since, until=all_there)
    assert time.monotonic() - begin < 30


def test_addresses_and_ports_are_given_once(core: CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_service(namespace, _service("a", type="NodePort")).spec
    for taken in (
        {"clusterIP": first.cluster_ip},
        {"type": "NodePort", "ports": [{"port": 1, "nodePort": first.ports[0].node_port}]},
    ):
        with pytest.raises(ApiException) as caught:
            core.create_namespaced_service(namespace, _service("b", **taken))
        assert caught.value.status == 422
        assert "already allocated" in caught.value.body
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_service(
            "a", namespace, {"spec": {"clusterIP": "10.96.77.77", "clusterIPs": ["10.96.77.77"]}}
        )
    assert "may not change once set" in caught.value.body
