"""What is decided of other API servers: availability, addresses, identity, documents, trust."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from multidict import CIMultiDict

from kubeactors.api.kinds import KindRegistry, registry
from kubeactors.apiserver.aggregation import remote_discovery, remote_openapi
from kubeactors.apiserver.aggregation.availability import Verdict, judge
from kubeactors.apiserver.aggregation.forwarding import _patience
from kubeactors.apiserver.aggregation.identity import identity_headers
from kubeactors.apiserver.aggregation.kinds import kinds_of
from kubeactors.apiserver.aggregation.locations import Unresolvable, locations
from kubeactors.apiserver.aggregation.registration import KEPT, to_write
from kubeactors.apiserver.aggregation.remote import Discovered, Remote, remote_of
from kubeactors.apiserver.aggregation.remote_discovery import Unreadable
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.aggregation.trust import Trust, combined
from kubeactors.apiserver.authn.request_header import FrontProxies, named_user
from kubeactors.apiserver.authn.x509 import X509Authenticator
from kubeactors.apiserver.discovery.documents import RemoteVersion, api_group_list, group_versions
from kubeactors.apiserver.http.query import split_target
from kubeactors.apiserver.local_apis import AUTOMANAGED, api_service, local_api_services
from kubeactors.apiserver.openapi.merging import merged
from kubeactors.apiserver.options import parse_query, query_of
from kubeactors.apiserver.request import UserInfo
from kubeactors.controllers.remote_kinds import split
from kubeactors.pki.authority import AUTHORITY_LIFETIME, Authority, Identity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REMOTE = Remote("v1.example.com", "example.com", "v1", "ns", "api", 443, "", False, 1000, 10)


def _service(**spec: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 443, "name": "https"}], **spec}}


def _slice(*addresses: str, name: str = "https", **conditions: bool) -> dict[str, Any]:
    endpoints = [{"addresses": [address], "conditions": conditions} for address in addresses]
    return {"endpoints": endpoints, "ports": [{"name": name, "port": 6443}]}


# --- APIServices


def test_which_api_services_are_of_other_servers() -> None:
    service = {"namespace": "ns", "name": "api"}
    spec = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10}
    named = {"metadata": {"name": "v1.example.com"}}
    assert remote_of({**named, "spec": {**spec, "service": service}}) == REMOTE
    assert REMOTE.server_name == "api.ns.svc"
    assert remote_of({**named, "spec": spec}) is None
    assert remote_of({"metadata": {"name": "v1."}, "spec": {**spec, "group": "", "service": service}}) is None


@pytest.mark.parametrize(
    ("service", "slices", "reason", "message"),
    [
        (None, [], "ServiceNotFound", 'service/api in "ns" is not present'),
        (
            _service(ports=[{"port": 80}]),
            [_slice("10.0.0.1")],
            "ServicePortError",
            'service/api in "ns" is not listening on port 443',
        ),
        (_service(), [], "EndpointsNotFound", 'cannot find endpointslices for service/api in "ns"'),
        (
            _service(),
            [_slice("10.0.0.1", ready=False), _slice("10.0.0.1", name="other")],
            "MissingEndpoints",
            'endpointslices for service/api in "ns" have no addresses with port name "https"',
        ),
    ],
)
def test_what_keeps_a_version_from_being_available(service: Any, slices: Any, reason: str, message: str) -> None:
    assert judge(REMOTE, service, slices) == Verdict(False, reason, message)


def test_otherwise_the_server_is_asked() -> None:
    assert judge(REMOTE, _service(), [_slice("10.0.0.1", ready=False), _slice("10.0.0.2")]) is None
    # What is reached by another way than endpoints is not looked at before.
    assert judge(REMOTE, _service(type="ExternalName", ports=[]), []) is None


def test_addresses() -> None:
    found = locations(REMOTE, _service(), [_slice("10.0.0.1", ready=False), _slice("10.0.0.2", "fd00::1")])
    assert [each.authority for each in found] == ["10.0.0.2:6443", "[fd00::1]:6443"]
    (outside,) = locations(REMOTE, _service(type="ExternalName", externalName="api.example"), [])
    assert (outside.scheme, outside.authority) == ("https", "api.example:443")
    for service in (None, _service(ports=[]), _service()):
        with pytest.raises(Unresolvable):
            locations(REMOTE, service, [])


@pytest.mark.parametrize(
    ("path", "patience"),
    [
        ("/apis/example.com/v1", 5),
        ("/apis/example.com/v1/things", 60),
        ("/apis/example.com/v1/things?watch=0", 60),
        ("/apis/example.com/v1/things?watch=true", None),
        ("/apis/example.com/v1/watch/things", None),
        ("/apis/example.com/v1/namespaces/a/things/b/exec", None),
        ("/apis/example.com/v1/namespaces/a/things/b/status", 60),
    ],
)
def test_how_long_an_answer_may_take(path: str, patience: float | None) -> None:
    assert _patience(split_target(path)) == patience


# --- who asks


def test_a_user_goes_through_headers_and_comes_back() -> None:
    user = UserInfo("jané", ("a", "system:authenticated"), "u-1", {"example.com/Area %": ("x", "y"), "plain": ("z",)})
    headers = identity_headers(user)
    assert ("X-Remote-Extra-example.com%2FArea%20%25", "x") in headers
    extra = {"example.com/area %": ("x", "y"), "plain": ("z",)}  # keys are lower-case, as headers' names
    assert named_user(headers) == UserInfo(user.name, user.groups, user.uid, extra)


@pytest.mark.parametrize("name", ["a\r\nX-Remote-Group: system:masters", "a\x00", "a\n"])
def test_no_header_hides_in_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="invalid header field value"):
        identity_headers(UserInfo("u", (name,)))


def test_whom_headers_name() -> None:
    assert named_user([("X-Remote-Group", "a")]) is None
    named = named_user([("x-remote-user", "u"), ("X-REMOTE-GROUP", "a"), ("X-Remote-Group", ""), ("Other", "b")])
    assert named == UserInfo("u", ("a", "system:authenticated"))
    nobody = named_user([("X-Remote-User", "system:anonymous"), ("X-Remote-Group", "system:unauthenticated")])
    assert nobody == UserInfo("system:anonymous", ("system:unauthenticated",))


def test_only_front_proxies_speak_for_others() -> None:
    authority = Authority.create("proxies", NOW)
    authenticator = X509Authenticator([x509.load_pem_x509_certificate(authority.certificate)], NOW.timestamp)

    def chain(name: str, signer: Authority = authority) -> list[bytes]:
        pem = signer.issue(Identity(name, client=True), NOW).certificate
        return [x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)]

    headers: CIMultiDict[str] = CIMultiDict({"X-Remote-User": "jane"})
    proxies = FrontProxies(authenticator, ["front"])
    found = proxies.user(chain("front"), headers)
    assert found is not None
    assert found.name == "jane"
    assert proxies.user(chain("front"), CIMultiDict()) is None
    assert proxies.user(chain("other"), headers) is None
    assert proxies.user(chain("front", Authority.create("mallory", NOW)), headers) is None
    assert FrontProxies(authenticator, []).user(chain("other"), headers) is not None


# --- discovery


def test_discovery_of_a_server_without_aggregation() -> None:
    listed = {
        "kind": "APIResourceList",
        "resources": [
            {"name": "things", "singularName": "thing", "namespaced": True, "kind": "Thing", "verbs": ["get", 7]},
            {"name": "things/status", "kind": "Thing", "namespaced": True, "verbs": ["get"]},
            {"name": "things/scale", "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get"]},
            "nonsense",
        ],
    }
    document = remote_discovery.from_resource_list(json.dumps(listed).encode(), REMOTE)
    kind = {"group": "example.com", "version": "v1", "kind": "Thing"}
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    (thing,) = document["resources"]
    assert (thing["responseKind"], thing["scope"], thing["verbs"]) == (kind, "Namespaced", ["get"])
    assert [each["responseKind"] for each in thing["subresources"]] == [kind, scale]
    route = Route(REMOTE)
    route.discovered = Discovered(document, True)
    (made,) = kinds_of(route)
    assert (made.qualified_resource, made.singular, made.namespaced) == ("things.example.com", "thing", True)
    assert made.url("a", "b", "status") == "/apis/example.com/v1/namespaces/a/things/b/status"


def test_aggregated_discovery_of_strangers_is_taken_field_by_field() -> None:
    things = {"resource": "things", "scope": "Cluster", "verbs": ["list"], "evil": {"$ref": "x"}, "shortNames": "no"}
    groups = [{"metadata": {"name": "example.com"}, "versions": [{"version": "v1", "resources": [things]}]}]
    body = json.dumps({"kind": "APIGroupDiscoveryList", "items": groups}).encode()
    document = remote_discovery.from_aggregated(body, REMOTE)
    assert document is not None
    (thing,) = document["resources"]
    assert set(thing) == {"resource", "responseKind", "scope", "singularResource", "verbs"}
    assert remote_discovery.from_aggregated(b'{"kind":"APIGroupList"}', REMOTE) is None
    assert remote_discovery.from_aggregated(b'{"kind":"APIGroupDiscoveryList"}', REMOTE) == {"version": "v1"}
    for body in (b"[]", b"<html>"):
        with pytest.raises(Unreadable):
            remote_discovery.from_aggregated(body, REMOTE)


def test_groups_stand_in_the_order_of_their_priorities() -> None:
    def remote(group: str, version: str, high: int, of_version: int) -> RemoteVersion:
        return RemoteVersion(group, version, high, of_version, {"version": version})

    more = [
        remote("low.example", "v1", 100, 10),
        remote("high.example", "v1", 19000, 10),
        remote("high.example", "v2", 50, 5),
        remote("apps", "v9", 10, 999),
    ]
    own = [name for name in group_versions(registry) if name]
    found = group_versions(registry, more)
    names = list(found)
    assert names[:2] == ["apiregistration.k8s.io", "high.example"]
    assert names[-1] == "low.example"
    assert (found["high.example"], found["apps"]) == (["v1", "v2"], ["v9", "v1"])
    assert [name for name in names if name and not name.endswith(".example")] == own
    listed = api_group_list(KindRegistry(), more)["groups"]
    assert listed[0]["preferredVersion"] == {"groupVersion": "high.example/v1", "version": "v1"}


# --- OpenAPI


def test_the_part_of_a_swagger_document() -> None:
    schema = {"type": "object", "nullable": True, "x-a": 1, "properties": {"b": {"$ref": "#/definitions/B"}}}
    answers = {"200": {"description": "OK", "schema": {"$ref": "#/definitions/A"}}}
    document = {
        "paths": {
            "/apis/example.com/v1/things": {"get": {"responses": answers}},
            "/apis/example.com/v10/things": {},
            "/api/v1/pods": {},
        },
        "definitions": {"A": schema, "B": {"type": "string"}, "C": {"type": "string"}},
    }
    part = remote_openapi.swagger_part(json.dumps(document).encode(), REMOTE)
    assert part is not None
    assert list(part["paths"]) == ["/apis/example.com/v1/things"]
    assert set(part["definitions"]) == {"A", "B"}
    assert "nullable" not in part["definitions"]["A"]
    for body in (b"[]", b"{", b'{"paths":{}}'):
        assert remote_openapi.swagger_part(body, REMOTE) is None


def test_parts_are_merged_and_what_differs_is_renamed() -> None:
    common = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    own = {"swagger": "2.0", "paths": {"/a": 1}, "definitions": {"A": {"type": "object"}, common: {"type": "object"}}}
    refers = {"properties": {"a": {"$ref": "#/definitions/A"}, "m": {"$ref": f"#/definitions/{common}"}}}
    part = {
        "paths": {"/a": 2, "/b": {"schema": {"$ref": "#/definitions/A"}}},
        "definitions": {"A": {"type": "string"}, "B": refers, common: {"type": "string"}},
    }
    found = merged(own, part)
    assert found["paths"] == {"/a": 1, "/b": {"schema": {"$ref": "#/definitions/A_v2"}}}
    assert found["definitions"]["A"] == {"type": "object"}
    assert found["definitions"]["A_v2"] == {"type": "string"}
    assert found["definitions"]["B"]["properties"]["a"] == {"$ref": "#/definitions/A_v2"}
    assert found["definitions"]["B"]["properties"]["m"] == {"$ref": f"#/definitions/{common}"}
    assert found["definitions"][common] == {"type": "object"}


@pytest.mark.parametrize(
    ("index", "found"),
    [
        ('{"paths":{"apis/example.com/v1":{"serverRelativeURL":"/openapi/v3/apis/example.com/v1?hash=AB"}}}', "AB"),
        ('{"paths":{"apis/example.com/v1":{}}}', ""),
        ('{"paths":[]}', ""),
        ("no", ""),
    ],
)
def test_the_hash_of_a_document(index: str, found: str) -> None:
    assert remote_openapi.v3_hash(index.encode(), REMOTE) == found


# --- the rest


def test_servers_add_what_they_trust_to_what_others_do() -> None:
    one, two = (Authority.create(name, NOW).certificate for name in ("one", "two"))
    first = combined({}, Trust(one, one, ["front"]), NOW)
    assert json.loads(first["requestheader-username-headers"]) == ["X-Remote-User"]
    assert json.loads(first["requestheader-uid-headers"]) == ["X-Remote-Uid"]
    assert combined(first, Trust(one, one, ["front"]), NOW) == first
    both = combined(first, Trust(two, two, ["front", "other"]), NOW)
    assert both["client-ca-file"].encode() == one + two
    assert json.loads(both["requestheader-allowed-names"]) == ["front", "other"]
    later = NOW + AUTHORITY_LIFETIME + timedelta(days=1)
    fresh = Authority.create("three", later).certificate
    assert combined(both, Trust(fresh, fresh, ["front"]), later)["client-ca-file"].encode() == fresh
    assert set(combined({}, Trust(one), NOW)) == {"client-ca-file"}
    names = "requestheader-group-headers"
    for broken in ({"client-ca-file": "-"}, {**first, names: "{"}, {**first, names: "[{}]"}, {**first, names: "5"}):
        with pytest.raises(ValueError):
            combined(broken, Trust(one, one), NOW)


def test_what_is_done_to_the_api_services_of_custom_resources() -> None:
    wanted = api_service("example.com", "v1", KEPT)
    assert to_write(None, None) is None
    assert to_write(None, wanted) == ("create", wanted)
    present = {**wanted, "spec": {**wanted["spec"], "service": None}}
    assert to_write(present, wanted) is None
    assert to_write(present, None) == ("delete", present)
    moved = {**wanted, "spec": {**wanted["spec"], "versionPriority": 5}}
    assert to_write(moved, wanted) == ("update", wanted)
    foreign = {**moved, "metadata": {"name": "v1.example.com"}}
    assert to_write(foreign, wanted) is to_write(foreign, None) is None
    assert local_api_services(registry)[0]["metadata"]["labels"] == {AUTOMANAGED: "onstart"}


def test_options_and_queries_say_the_same() -> None:
    query = [
        ("dryRun", "All"),
        ("labelSelector", "a=b"),
        ("limit", "5"),
        ("sendInitialEvents", "false"),
        ("force", "true"),
        ("gracePeriodSeconds", "0"),
    ]
    assert sorted(query_of(parse_query(query))) == sorted(query)
    assert query_of(parse_query([])) == []


def test_which_group_versions_the_controllers_cannot_see() -> None:
    def remote(version: str, available: str, **spec: Any) -> dict[str, Any]:
        conditions = [{"type": "Available", "status": available}]
        return {"spec": {"group": "g", "version": version, **spec}, "status": {"conditions": conditions}}

    services = [
        remote("v1", "True", service={}),
        remote("v2", "False", service={}),
        remote("v3", "False"),
    ]
    assert split(services) == ({"g/v1"}, ["g/v2"])
