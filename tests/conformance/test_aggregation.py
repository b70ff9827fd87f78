"""Group versions that an extension API server answers for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes
import pytest
from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi

from kubeactors.api.errors import StatusError
from kubeactors.client import AsyncClient
from tests.conformance.clients import Http, eventually, watch_until
from tests.conformance.cluster import Cluster
from tests.conformance.kubectl import Kubectl
from tests.conformance.registry import behaviour
from tests.support.extension_server import GROUP, NAME, ROOT, VERSION, ExtensionServer, Seen, flunder
from tests.support.ports import machine_address

ADMIN = "kubernetes-admin"
SECONDS = 20
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


class Sample:
    """A running extension server behind the Service sample-api, and its APIService."""

    def __init__(self, server: ExtensionServer, namespace: str, http: Http) -> None:
        self.server = server
        self.namespace = namespace
        self._http = http

    def register(self, **spec: Any) -> Any:
        bundle = base64.b64encode(self.server.ca).decode()
        wanted = {
            "group": GROUP,
            "version": VERSION,
            "service": {"namespace": self.namespace, "name": "sample-api"},
            "caBundle": bundle,
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            **spec,
        }
        return self._http.ok("POST", SERVICES, {"metadata": {"name": NAME}, "spec": wanted})

    def condition(self) -> tuple[str, str, str]:
        """Status, reason and message of the APIService's Available."""
        found = self._http.ok("GET", f"{SERVICES}/{NAME}")
        for each in found["status"].get("conditions", ()):
            if each["type"] == "Available":
                return each["status"], each["reason"], each["message"]
        return "Unknown", "", ""

    def until(self, reason: str) -> str:
        """The condition's message once it has this reason."""
        eventually(lambda: self.condition()[1] == reason, SECONDS)
        return self.condition()[2]


@pytest.fixture
def sample(cluster: Cluster, core: CoreV1Api, http: Http, namespace: str, tmp_path: Path) -> Iterator[Sample]:
    known = core.read_namespaced_config_map("extension-apiserver-authentication", "kube-system").data
    server = ExtensionServer(tmp_path, f"sample-api.{namespace}.svc", known)
    cluster.call(server.start(machine_address()))
    try:
        yield Sample(server, namespace, http)
    finally:
        http("DELETE", f"{SERVICES}/{NAME}")
        cluster.call(server.stop())


def _service(core: CoreV1Api, sample: Sample, port: int = 443) -> None:
    ports = [{"port": port, "name": "https"}]
    core.create_namespaced_service(sample.namespace, {"metadata": {"name": "sample-api"}, "spec": {"ports": ports}})


def _slice(http: Http, sample: Sample, ready: bool = True, verb: str = "POST") -> None:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{sample.namespace}/endpointslices"
    http.ok(
        verb,
        path + ("/sample-api" if verb == "PUT" else ""),
        {
            "metadata": {"name": "sample-api", "labels": {"kubernetes.io/service-name": "sample-api"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [machine_address()], "conditions": {"ready": ready}}],
            "ports": [{"name": "https", "port": sample.server.port, "protocol": "TCP"}],
        },
    )


def _asked_by_users(server: ExtensionServer) -> list[Seen]:
    """The requests but for the aggregator's own, which asks for documents when it likes."""
    return [each for each in server.seen if each.user != "system:kube-aggregator"]


@pytest.fixture
def flunders(sample: Sample, core: CoreV1Api, http: Http) -> Sample:
    """The same, available."""
    _service(core, sample)
    _slice(http, sample)
    sample.register()
    assert sample.until("Passed") == "all checks passed"
    return sample


@behaviour(
    "[sig-api-machinery] Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator "
    "[LinuxOnly]"
)
def test_sample_api_server(flunders: Sample, api: ApiClient, http: Http, cluster: Cluster, namespace: str) -> None:
    kubectl = Kubectl(cluster, namespace)
    objects = CustomObjectsApi(api)
    where = (GROUP, VERSION, namespace, "flunders")

    created = http("POST", f"{ROOT}/namespaces/{namespace}/flunders", flunder("one", colour="red"))
    assert created.status == 201
    listed = objects.list_namespaced_custom_object(*where)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["one"]
    objects.create_namespaced_custom_object(*where, flunder("two", colour="blue"))
    seen = watch_until(
        objects.list_namespaced_custom_object,
        *where,
        until=lambda kind, obj: obj["metadata"]["name"] == "two",
        since=listed["metadata"]["resourceVersion"],
        seconds=SECONDS,
    )
    assert [kind for kind, _ in seen] == ["ADDED"]

    assert kubectl("get", "flunders").split()[::2][1:] == ["one", "two"]
    assert kubectl.names("fl", "-l", "colour=red") == ["flunder.wardle.example.com/one"]
    patch = ("--type=merge", "-p", '{"metadata":{"labels":{"colour":"green"}}}')
    kubectl("patch", "flunder", "one", *patch)
    assert kubectl.get("flunder", "one")["metadata"]["labels"] == {"colour": "green"}
    assert "Flunder is an example kind." in kubectl("explain", "flunders")
    assert 'flunders.wardle.example.com "none" not found' in kubectl.refused("get", "flunder", "none")
    kubectl("delete", "flunder", "one")
    objects.delete_collection_namespaced_custom_object(*where, label_selector="colour=blue")
    assert not kubectl.names("flunders")

    asked = _asked_by_users(flunders.server)
    assert {each.user for each in asked} == {ADMIN}
    assert all(each.groups == ["system:masters", "system:authenticated"] for each in asked)

    # The APIService itself: its status, a patch, a change of the status, deletion by label.
    services = kubernetes.client.ApiregistrationV1Api(api)
    assert any(each.type == "Available" for each in services.read_api_service_status(NAME).status.conditions)
    kubectl("patch", "apiservice", NAME, "-p", '{"spec":{"versionPriority":400}}')
    found = {each.metadata.name: each for each in services.list_api_service().items}
    assert found[NAME].spec.version_priority == 400
    condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set by a test"}
    services.patch_api_service_status(NAME, {"status": {"conditions": [condition]}})
    assert "StatusUpdate" in {each.type for each in services.read_api_service(NAME).status.conditions}
    services.patch_api_service(NAME, {"metadata": {"labels": {"e2e": "yes"}}})
    services.delete_collection_api_service(label_selector="e2e=yes")
    eventually(lambda: NAME not in {each.metadata.name for each in services.list_api_service().items}, SECONDS)
    eventually(lambda: http("GET", f"{ROOT}/namespaces/{namespace}/flunders").status == 404, SECONDS)
    assert GROUP not in json.dumps(http.ok("GET", "/apis"))


def test_what_is_told_of_an_api_service(sample: Sample, core: CoreV1Api, http: Http, cluster: Cluster) -> None:
    where = f'service/sample-api in "{sample.namespace}"'
    sample.register()
    assert sample.until("ServiceNotFound") == f"{where} is not present"
    refused = http("GET", f"{ROOT}/flunders")
    assert (refused.status, refused.body) == (503, b"service unavailable\n")
    (row,) = [line for line in cluster.kubectl("get", "apiservices").stdout.splitlines() if line.startswith(NAME)]
    assert row.split()[1:4] == [f"{sample.namespace}/sample-api", "False", "(ServiceNotFound)"]

    _service(core, sample, port=8443)
    assert sample.until("ServicePortError") == f"{where} is not listening on port 443"
    core.patch_namespaced_service(
        "sample-api", sample.namespace, [{"op": "replace", "path": "/spec/ports/0/port", "value": 443}]
    )
    assert sample.until("EndpointsNotFound") == f"cannot find endpointslices for {where}"
    _slice(http, sample, ready=False)
    assert sample.until("MissingEndpoints") == f'endpointslices for {where} have no addresses with port name "https"'
    sample.server.broken = True
    _slice(http, sample, verb="PUT")
    url = f"https://{machine_address()}:{sample.server.port}{ROOT}"
    assert sample.until("FailedDiscoveryCheck") == (
        f"failing or missing response from {url}: bad status from {url}: 500"
    )
    (version,) = _aggregated(http)["versions"]
    assert version == {"version": VERSION, "freshness": "Stale"}
    sample.server.broken = False
    sample.until("Passed")
    assert http("GET", f"{ROOT}/flunders").status == 200
    # Whoever cannot show that it is the server gets no requests, available or not.
    http.ok(
        "PATCH",
        f"{SERVICES}/{NAME}",
        {"spec": {"caBundle": base64.b64encode(cluster.plane.pki.ca.read_bytes()).decode()}},
        content_type="application/merge-patch+json",
    )
    said = b"tls: failed to verify certificate: x509: certificate signed by unknown authority"
    refused = eventually(lambda: _not(200, http("GET", f"{ROOT}/flunders")), SECONDS)
    assert refused.status == 503
    assert said in refused.body


def _not(status: int, answer: Any) -> Any:
    return None if answer.status == status else answer


def _aggregated(http: Http) -> Any:
    """The group in aggregated discovery."""
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = http.ok("GET", "/apis", accept=accept)["items"]
    return next(group for group in groups if group["metadata"]["name"] == GROUP)


@pytest.mark.parametrize("aggregated", [True, False], ids=["aggregated", "legacy"])
def test_discovery_and_documents(
    sample: Sample, core: CoreV1Api, http: Http, cluster: Cluster, aggregated: bool
) -> None:
    sample.server.aggregated = aggregated
    _service(core, sample)
    _slice(http, sample)
    sample.register()
    sample.until("Passed")
    groups = [group["name"] for group in http.ok("GET", "/apis")["groups"]]
    assert groups[0] == "apiregistration.k8s.io"
    assert groups.index("storage.k8s.io") < groups.index(GROUP)
    only = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    group = http.ok("GET", f"/apis/{GROUP}")
    assert (group["versions"], group["preferredVersion"]) == ([only], only)
    assert http.ok("GET", ROOT)["resources"][0]["name"] == "flunders"
    (version,) = _aggregated(http)["versions"]
    (resource,) = version["resources"]
    assert (version["freshness"], resource["resource"], resource["scope"]) == ("Current", "flunders", "Namespaced")
    assert resource["responseKind"] == {"group": GROUP, "version": VERSION, "kind": "Flunder"}
    assert (resource["shortNames"], resource["singularResource"]) == (["fl"], "flunder")

    index = eventually(
        lambda: [link for path, link in http.ok("GET", "/openapi/v3")["paths"].items() if path == ROOT.strip("/")],
        SECONDS,
    )
    assert index == [{"serverRelativeURL": f"/openapi/v3{ROOT}?hash=F1"}]
    assert "com.example.wardle.v1alpha1.Flunder" in http.ok("GET", f"/openapi/v3{ROOT}")["components"]["schemas"]
    swagger = http.ok("GET", "/openapi/v2")
    assert f"{ROOT}/namespaces/{{namespace}}/flunders/{{name}}" in swagger["paths"]
    assert "com.example.wardle.v1alpha1.Flunder" in swagger["definitions"]
    assert "io.k8s.api.core.v1.Pod" in swagger["definitions"]
    protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    assert b"com.example.wardle.v1alpha1.Flunder" in http("GET", "/openapi/v2", accept=protobuf).body


def test_the_server_learns_who_asks_and_no_credentials(
    flunders: Sample, http: Http, core: CoreV1Api, cluster: Cluster
) -> None:
    path = f"{ROOT}/namespaces/{flunders.namespace}/flunders"
    forged = {"X-Remote-User": "root", "X-Remote-Group": "system:masters", "X-Remote-Extra-A": "b"}
    assert http("GET", path, headers={**forged, "Authorization": "Bearer secret"}).status == 200
    (told,) = _asked_by_users(flunders.server)
    assert told.user == ADMIN
    assert not {name.lower() for name, _ in told.headers} & {"authorization", "x-remote-extra-a"}

    acting = {"Impersonate-User": "jane", "Impersonate-Group": "dev", "Impersonate-Extra-Team%2FArea": "x"}
    assert http("GET", path, headers={**acting, "Impersonate-Uid": "u1"}).status == 200
    told = _asked_by_users(flunders.server)[-1]
    assert (told.user, told.groups) == ("jane", ["dev", "system:authenticated"])
    given = {name.lower(): value for name, value in told.headers}
    assert (given["x-remote-extra-team%2farea"], given["x-remote-uid"]) == ("x", "u1")
    assert not any(name.startswith("impersonate-") for name in given)

    nobody = Http(cluster, None)
    assert nobody("GET", path).status == 401
    nobody.close()
    refused = http("GET", f"{path}/one/elsewhere")
    assert refused.status == 502
    assert b"redirect" in refused.body


def test_an_upgrade_passes(flunders: Sample, cluster: Cluster) -> None:
    async def talk() -> str:
        url = f"{cluster.url}{ROOT}/namespaces/{flunders.namespace}/flunders/one/echo"
        connector = aiohttp.TCPConnector(ssl=cluster.plane.ssl_context())
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession(connector=connector) as session,
            session.ws_connect(url) as socket,
        ):
            await socket.send_str("hello")
            return str((await socket.receive()).data)

    assert cluster.call(talk()) == f"{ADMIN}: hello"


def test_a_front_proxy_speaks_for_users(cluster: Cluster) -> None:
    def review(user: str, headers: dict[str, str]) -> Any:
        client = Http(cluster, user)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = client("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, headers=headers)
        client.close()
        return answer

    named = {"X-Remote-User": "jane", "X-Remote-Group": "dev", "X-Remote-Uid": "u1", "X-Remote-Extra-Team%2FArea": "x"}
    told = review("front-proxy-client", named).json["status"]["userInfo"]
    assert told == {
        "username": "jane",
        "uid": "u1",
        "groups": ["dev", "system:authenticated"],
        "extra": {"team/area": ["x"]},
    }
    assert review("front-proxy-client", {}).status == 401
    assert review("admin", named).json["status"]["userInfo"]["username"] == ADMIN


def test_the_trust_is_kept(core: CoreV1Api, cluster: Cluster) -> None:
    name, space = "extension-apiserver-authentication", "kube-system"
    before = core.read_namespaced_config_map(name, space).data
    assert before["client-ca-file"] == cluster.plane.pki.ca.read_text()
    assert json.loads(before["requestheader-extra-headers-prefix"]) == ["X-Remote-Extra-"]
    core.delete_namespaced_config_map(name, space)

    def again() -> Any:
        found = core.list_namespaced_config_map(space, field_selector=f"metadata.name={name}").items
        return found and found[0].data

    assert eventually(again, SECONDS) == before


def test_a_namespace_takes_its_flunders_along_and_waits_for_a_server_that_is_away(
    flunders: Sample, http: Http, core: CoreV1Api, new_namespace: Any
) -> None:
    gone, held = new_namespace(), new_namespace()
    for space in (gone, held):
        http.ok("POST", f"{ROOT}/namespaces/{space}/flunders", flunder("one"))
    core.delete_namespace(gone)
    eventually(lambda: http("GET", f"/api/v1/namespaces/{gone}").status == 404, SECONDS)
    assert (gone, "one") not in flunders.server.flunders

    _slice(http, flunders, ready=False, verb="PUT")
    flunders.until("MissingEndpoints")
    core.delete_namespace(held)

    def told() -> Any:
        conditions = core.read_namespace(held).status.conditions or ()
        return [each for each in conditions if each.type == "NamespaceDeletionDiscoveryFailure"]

    (condition,) = eventually(told, SECONDS)
    assert (condition.status, condition.reason) == ("True", "DiscoveryFailed")
    assert condition.message == (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        f"{GROUP}/{VERSION}: stale GroupVersion discovery: {GROUP}/{VERSION}"
    )
    http("DELETE", f"{SERVICES}/{NAME}")  # what the server had is nobody's business any more
    eventually(lambda: http("GET", f"/api/v1/namespaces/{held}").status == 404, SECONDS)


def test_the_sdk_over_both_transports(flunders: Sample, cluster: Cluster, namespace: str) -> None:
    async def use(client: AsyncClient) -> list[str]:
        async with client:
            await client.create("flunders", flunder("sdk"), namespace)
            await client.patch("flunders", "sdk", {"metadata": {"labels": {"a": "b"}}}, namespace)
            names = [item["metadata"]["name"] for item in (await client.list("flunders", namespace)).items]
            assert (await client.get("flunders", "sdk", namespace))["metadata"]["labels"] == {"a": "b"}
            await client.delete("flunders", "sdk", namespace)
            with pytest.raises(StatusError, match='"sdk" not found'):
                await client.get("flunders", "sdk", namespace)
            return names

    plane = cluster.plane
    for endpoint in (plane.url, plane.grpc_endpoint):
        assert cluster.call(use(AsyncClient([endpoint], plane.tls()))) == ["sdk"]


def test_custom_resources_have_api_services(http: Http) -> None:
    group = "registered.example"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": [version]}
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    http.ok("POST", definitions, {"metadata": {"name": f"things.{group}"}, "spec": spec})

    def registered() -> Any:
        answer = http("GET", f"{SERVICES}/v1.{group}")
        return answer.json if answer.status == 200 else None

    found = eventually(registered, SECONDS)
    assert found["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
    assert (found["spec"]["groupPriorityMinimum"], found["spec"]["versionPriority"]) == (1000, 100)
    assert found["status"]["conditions"][0]["reason"] == "Local"
    http.ok("DELETE", f"{definitions}/things.{group}")
    eventually(lambda: registered() is None, SECONDS)
