"""What exec, attach, port-forward and proxy refuse before they give a connection away, in Kubernetes' words."""

import time
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.apiserver.authz import Attributes
from kubeactors.apiserver.authz.authorizer import ALLOWED, NO_OPINION, Decision, Rules
from kubeactors.apiserver.node.connections import NodeConnections
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import ConnectOptions, Request, UserInfo
from kubeactors.apiserver.streams.pods import PodStreams
from kubeactors.apiserver.watchcache.cache import ResourceCache
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore


async def refusal(
    api: Api, verb: Any, subresource: str, name: str, resource: str = "pods", **query: str
) -> StatusError:
    connect = ConnectOptions(tuple(query.items()))
    namespace = "" if resource == "nodes" else "ns"
    with pytest.raises(StatusError) as raised:
        await api.request(verb, resource, namespace=namespace, name=name, subresource=subresource, connect=connect)
    return raised.value


async def test_refusals_of_commands() -> None:
    async with running_core(FakeStore()) as api:
        await api.pod("p")
        two = [{"name": "a", "image": "example/a:1"}, {"name": "b", "image": "example/b:1"}]
        await api.pod("two", containers=two, initContainers=[{"name": "i", "image": "example/i:1"}])
        await api.pod("q", nodeName="missing")
        for verb in ("get", "create"):
            for kind in ("exec", "attach"):
                assert (await refusal(api, verb, kind, "zz")).message == 'pods "zz" not found'
                assert (await refusal(api, verb, kind, "p")).message == "pod p does not have a host assigned"
                found = await refusal(api, verb, kind, "p", container="zz")
                assert (found.code, found.message) == (400, "container zz is not valid for pod p")
                assert (await refusal(api, verb, kind, "two")).message == (
                    "a container name must be specified for pod two, choose one of: [i a b]"
                )
                assert (await refusal(api, verb, kind, "q")).message == 'nodes "missing" not found'
            assert (await refusal(api, verb, "portforward", "p")).code == 400
            assert "unable to parse" in (await refusal(api, verb, "portforward", "p", ports="x")).message


async def test_refusals_of_proxies() -> None:
    async with running_core(FakeStore()) as api:
        await api.pod("p")
        assert (await refusal(api, "get", "proxy", "a:b:c:d")).message == 'invalid pod request "a:b:c:d"'
        assert (await refusal(api, "delete", "proxy", "https:zz:1")).message == 'pods "zz" not found'
        assert (await refusal(api, "update", "proxy", "p:80")).message == "address not allowed"
        assert (await refusal(api, "get", "proxy", "zz", "services")).message == 'services "zz" not found'
        assert (await refusal(api, "get", "proxy", "x:y:z", "services")).message == 'invalid service request "x:y:z"'
        assert (await refusal(api, "get", "proxy", "zz", "nodes")).message == 'nodes "zz" not found'


class OnlyReading:
    """Allows what reads."""

    async def authorize(self, attributes: Attributes) -> Decision:
        return ALLOWED if attributes.verb in ("get", "list", "watch") else NO_OPINION

    async def rules(self, user: UserInfo, namespace: str) -> Rules:
        return Rules()


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
async def test_who_may_only_read_runs_nothing_by_websocket(subresource: str) -> None:
    async def find(namespace: str, name: str) -> Object:
        raise AssertionError("authorization comes first")

    streams = PodStreams(NodeConnections(None), find, find, OnlyReading())
    kind = registry.lookup("pods")
    request = Request(
        verb="get",
        kind=kind,
        user=UserInfo("u", ("system:authenticated",)),
        namespace="ns",
        name="p",
        subresource=subresource,
        connect=ConnectOptions(),
    )
    serve = {"exec": streams.exec, "attach": streams.attach, "portforward": streams.port_forward}[subresource]
    with pytest.raises(StatusError) as raised:
        await serve(Resource(kind, ResourceCache("/", True, lambda obj: {}, now=time.monotonic)), request)
    assert raised.value.code == 403
    assert f'cannot create resource "pods/{subresource}"' in raised.value.message
