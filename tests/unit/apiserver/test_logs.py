"""pods/log: the container that is meant, the agent that has its log, and the words of refusals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.node.connections import agent_address
from kubeactors.apiserver.node.containers import choose_container
from kubeactors.apiserver.node.logs import check_log_options
from kubeactors.apiserver.request import LogOptions, Options
from kubeactors.pb.node.v1 import node_pb2
from kubeactors.pb.node.v1.node_pb2_grpc import NodeServicer, add_NodeServicer_to_server
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

POD = {
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]},
}


def test_the_only_container_is_meant() -> None:
    assert choose_container({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}, "") == "a"
    assert choose_container(POD, "i") == "i"


def test_of_several_containers_one_must_be_named() -> None:
    with pytest.raises(StatusError) as raised:
        choose_container(POD, "")
    assert raised.value.code == 400
    assert raised.value.message == ("a container name must be specified for pod p, choose one of: [i a b]")
    with pytest.raises(StatusError, match=r"^container zz is not valid for pod p"):
        choose_container(POD, "zz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (LogOptions(tail_lines=-1), "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        (LogOptions(limit_bytes=0), "limitBytes: Invalid value: 0: must be greater than 0"),
        (LogOptions(since_seconds=0), "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (LogOptions(since_seconds=5, since_time="2026-01-01T00:00:00Z"), "at most one of"),
    ],
)
def test_options_that_are_refused(options: LogOptions, message: str) -> None:
    with pytest.raises(StatusError) as raised:
        check_log_options("p", options)
    assert raised.value.message.startswith('PodLogOptions "p" is invalid: ')
    assert message in raised.value.message


def test_agent_address() -> None:
    addresses = [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": "10.0.0.7"}]
    assert agent_address({"status": {"addresses": addresses}}) == "10.0.0.7:10250"
    endpoints = {"kubeletEndpoint": {"Port": 1234}}
    assert agent_address({"status": {"addresses": addresses, "daemonEndpoints": endpoints}}) == "10.0.0.7:1234"
    assert agent_address({"status": {"addresses": [{"type": "InternalIP", "address": "fd00::1"}]}}) == "[fd00::1]:10250"
    assert agent_address({}) is None


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (LogOptions(stream="Stdout"), 422, "stream: Forbidden: may not be specified"),
        (LogOptions(since_time="yesterday"), 400, 'parsing time "yesterday"'),
    ],
)
def test_what_is_not_taken_as_an_option(options: LogOptions, code: int, message: str) -> None:
    with pytest.raises(StatusError, match=message) as raised:
        check_log_options("p", options)
    assert raised.value.code == code


async def test_pods_without_a_log() -> None:
    async with running_core(FakeStore()) as api:
        await api.pod("p")
        response = await api.request("get", "pods", namespace="ns", name="p", subresource="log")
        assert (response.status, response.body) == (204, b"")
        with pytest.raises(StatusError, match='pods "zz" not found'):
            await api.request("get", "pods", namespace="ns", name="zz", subresource="log")
        await api.pod("q", nodeName="missing")
        with pytest.raises(StatusError, match='nodes "missing" not found'):
            await api.request("get", "pods", namespace="ns", name="q", subresource="log")
        with pytest.raises(StatusError) as raised:
            await api.request("create", "pods", namespace="ns", name="p", subresource="exec")
        assert raised.value.message == "Upgrade request required"


class Agent(NodeServicer):
    """A node agent that plays what a test scripts."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.chunks: list[bytes] = []
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.more = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.requests.append(request)
        if self.refusal is not None:
            await context.abort(*self.refusal)
        for chunk in self.chunks:
            yield node_pb2.LogsChunk(data=chunk)
        if request.follow:
            try:
                await self.more.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
            yield node_pb2.LogsChunk(data=b"later\n")


@contextlib.asynccontextmanager
async def pod_on_agent(agent: Agent) -> AsyncIterator[Api]:
    """A core that knows one pod, p, on a node whose agent is the given one."""
    server = grpc.aio.server()
    add_NodeServicer_to_server(agent, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with running_core(FakeStore()) as api:
            status = {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            }
            await api.create("nodes", {"metadata": {"name": "n"}})
            await api.patch("nodes", "n", {"status": status}, subresource="status")
            await api.pod("p", nodeName="n")
            yield api
    finally:
        await server.stop(None)


async def log(api: Api, **options: Any) -> AsyncIterator[bytes]:
    response = await api.request(
        "get", "pods", namespace="ns", name="p", subresource="log", options=Options(log=LogOptions(**options))
    )
    assert response.content_type == "text/plain"
    assert response.stream is not None
    return response.stream


async def test_a_log_comes_from_the_agent() -> None:
    agent = Agent()
    agent.chunks = [b"one\n", b"two\n"]
    async with pod_on_agent(agent) as api:
        stream = await log(api, tail_lines=5, timestamps=True)
        assert [chunk async for chunk in stream] == [b"one\n", b"two\n"]
        (request,) = agent.requests
        assert (request.namespace, request.pod, request.container, request.tail_lines) == ("ns", "p", "c", 5)
        assert request.timestamps
        assert request.uid == (await api.get("pods", "p", "ns"))["metadata"]["uid"]
        assert not request.HasField("since_seconds")


async def test_a_log_is_followed_until_the_client_goes() -> None:
    agent = Agent()
    async with pod_on_agent(agent) as api:
        stream = await log(api, follow=True)
        agent.more.set()
        assert await anext(stream) == b"later\n"
        agent.more.clear()
        quiet = await log(api, follow=True)
        waiting = asyncio.ensure_future(anext(quiet))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await quiet.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(30):
            await agent.cancelled.wait()


@pytest.mark.parametrize(
    ("code", "status"),
    [(grpc.StatusCode.FAILED_PRECONDITION, 400), (grpc.StatusCode.NOT_FOUND, 404), (grpc.StatusCode.INTERNAL, 500)],
)
async def test_the_agent_s_words_reach_the_user(code: grpc.StatusCode, status: int) -> None:
    agent = Agent()
    message = 'container "c" in pod "p" is waiting to start: ContainerCreating'
    agent.refusal = (code, message)
    async with pod_on_agent(agent) as api:
        with pytest.raises(StatusError) as raised:
            await log(api)
        assert raised.value.code == status
        if status == 400:
            assert raised.value.message == message


async def test_an_agent_that_is_away() -> None:
    async with running_core(FakeStore()) as api:
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}},
        }
        await api.create("nodes", {"metadata": {"name": "n"}})
        await api.patch("nodes", "n", {"status": status}, subresource="status")
        await api.pod("p", nodeName="n")
        with pytest.raises(StatusError, match=r'Get "https://127\.0\.0\.1:1/containerLogs/ns/p') as raised:
            await log(api)
        assert raised.value.code == 500
