"""What a new cluster is given, against a handler that keeps objects in a dictionary."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from kubeactors.api import errors
from kubeactors.api.kinds import registry
from kubeactors.apiserver.bootstrap import Bootstrap, service_address
from kubeactors.apiserver.request import Request, Response


class DictHandler:
    """Keeps what is written, and adds a default as a real server does."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Any] = {}
        self.writes: list[str] = []

    async def handle(self, request: Request) -> Response:
        plural = request.kind.plural
        if request.verb == "get":
            if (plural, request.name) not in self.objects:
                raise errors.not_found(plural, request.name)
            return Response(200, orjson.dumps(self.objects[plural, request.name]))
        document = orjson.loads(request.body)
        self.objects[plural, document["metadata"]["name"]] = {"defaulted": True, **document}
        self.writes.append(f"{request.verb} {plural}/{document['metadata']['name']}")
        return Response(201, request.body)


async def _run(handler: DictHandler, *addresses: str) -> None:
    bootstrap = Bootstrap(handler, registry)
    await bootstrap.run(port=6443, service_cidr="10.96.0.0/12")
    await bootstrap.publish(addresses or ["192.0.2.1"], 6443)


async def test_everything_is_made_once() -> None:
    handler = DictHandler()
    await _run(handler)
    assert {name for kind, name in handler.objects if kind == "namespaces"} == {
        "default",
        "kube-system",
        "kube-public",
        "kube-node-lease",
    }
    assert handler.objects["priorityclasses", "system-node-critical"]["value"] == 2000001000
    assert handler.objects["priorityclasses", "system-cluster-critical"]["value"] == 2000000000
    assert handler.objects["services", "kubernetes"]["spec"]["clusterIP"] == "10.96.0.1"
    assert handler.objects["servicecidrs", "kubernetes"]["spec"] == {"cidrs": ["10.96.0.0/12"]}
    assert handler.objects["prioritylevelconfigurations", "exempt"]["spec"]["type"] == "Exempt"
    assert handler.objects["flowschemas", "catch-all"]["spec"]["matchingPrecedence"] == 10000
    assert handler.objects["apiservices", "v1."]["spec"]["groupPriorityMinimum"] == 18000
    assert handler.objects["apiservices", "v1.apps"]["spec"]["groupPriorityMinimum"] == 17800
    assert ("apiservices", "v1.apiregistration.k8s.io") not in handler.objects
    handler.writes.clear()
    await _run(handler)
    assert handler.writes == []


async def test_a_new_address_replaces_the_endpoints() -> None:
    handler = DictHandler()
    await _run(handler)
    handler.writes.clear()
    await _run(handler, "192.0.2.2")
    assert handler.writes == ["update endpoints/kubernetes", "update endpointslices/kubernetes"]
    assert handler.objects["endpointslices", "kubernetes"]["endpoints"][0]["addresses"] == ["192.0.2.2"]
    assert handler.objects["endpointslices", "kubernetes"]["defaulted"]


async def test_all_servers_are_endpoints() -> None:
    handler = DictHandler()
    await _run(handler, "192.0.2.1", "192.0.2.2")
    (subset,) = handler.objects["endpoints", "kubernetes"]["subsets"]
    assert subset["addresses"] == [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]
    endpoints = handler.objects["endpointslices", "kubernetes"]["endpoints"]
    assert [endpoint["addresses"] for endpoint in endpoints] == [["192.0.2.1"], ["192.0.2.2"]]


@pytest.mark.parametrize(("cidr", "first"), [("10.96.0.0/12", "10.96.0.1"), ("fd00::/108", "fd00::1")])
def test_the_first_address_of_the_range(cidr: str, first: str) -> None:
    assert service_address(cidr) == first
