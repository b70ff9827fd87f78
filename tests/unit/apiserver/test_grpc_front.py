"""The gRPC front over real mutual TLS, with a scripted handler behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import grpc
import orjson
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from kubeactors.api import errors
from kubeactors.apiserver.request import ListItems, Request, Response, WatchSink
from kubeactors.pb.api.v1 import api_pb2 as pb
from kubeactors.pb.api.v1 import api_pb2_grpc
from tests.unit.apiserver.conftest import RunningFronts

POD = pb.ObjectKey(version="v1", resource="pods", namespace="a", name="p")
PODS = pb.ObjectKey(version="v1", resource="pods", namespace="a")


def _channel(running: RunningFronts, user: str | None = "alice") -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(
        running.pem("ca.crt"),
        running.pem(f"{user}.key") if user else None,
        running.pem(f"{user}.crt") if user else None,
    )
    return grpc.aio.secure_channel(f"127.0.0.1:{running.fronts.grpc_port}", credentials)


@pytest.fixture
async def stub(running: RunningFronts) -> AsyncIterator[api_pb2_grpc.ResourcesStub]:
    async with _channel(running) as channel:
        yield api_pb2_grpc.ResourcesStub(channel)


async def test_calls_become_requests_of_the_certificates_user(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub
) -> None:
    running.handler.respond = lambda request: Response(200, b'{"kind":"Pod"}', warnings=("careful",))
    answer = await stub.Get(pb.GetRequest(key=POD, resource_version="3"))
    assert (answer.json, list(answer.warnings)) == (b'{"kind":"Pod"}', ["careful"])
    await stub.Patch(pb.PatchRequest(key=POD, content_type="application/merge-patch+json", patch=b"{}"))
    get, patch = running.handler.requests
    assert (get.verb, get.name, get.options.resource_version, get.user.name) == ("get", "p", "3", "alice")
    assert (patch.verb, patch.body, patch.content_type) == ("patch", b"{}", "application/merge-patch+json")


async def test_a_list_carries_items(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    running.handler.respond = lambda request: Response(items=ListItems([b"{}", b"[]"], "9", "next", 4))
    answer = await stub.List(pb.ListRequest(key=PODS, label_selector="a=b", limit=2))
    assert (list(answer.items), answer.resource_version) == ([b"{}", b"[]"], "9")
    assert (getattr(answer, "continue"), answer.remaining_item_count) == ("next", 4)
    (request,) = running.handler.requests
    assert request.items
    assert (request.options.label_selector, request.options.limit) == ("a=b", 2)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.not_found("pods", "p"), grpc.StatusCode.NOT_FOUND),
        (errors.already_exists("pods", "p"), grpc.StatusCode.ALREADY_EXISTS),
        (errors.conflict("pods", "p"), grpc.StatusCode.ABORTED),
        (errors.expired("too old"), grpc.StatusCode.OUT_OF_RANGE),
        (errors.service_unavailable("later"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_failures_carry_the_status(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub, error: errors.StatusError, code: grpc.StatusCode
) -> None:
    def refuse(request: Request) -> Response:
        raise error

    running.handler.respond = refuse
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(pb.GetRequest(key=POD))
    assert caught.value.code() == code
    trailing = {key: value for key, value in caught.value.trailing_metadata()}
    assert orjson.loads(trailing["kubeactors-status-bin"]) == error.status


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (pb.ObjectKey(version="v1", resource="widgets", name="x"), 404),
        (pb.ObjectKey(version="v1", resource="pods", name="x"), 400),
        (pb.ObjectKey(version="v1", resource="nodes", namespace="a", name="x"), 400),
        (pb.ObjectKey(version="v1", resource="pods", namespace="a"), 400),
        (pb.ObjectKey(version="v1", resource="pods", namespace="a", name="x", subresource="binding"), 405),
    ],
)
async def test_keys_that_name_nothing(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub, key: pb.ObjectKey, code: int
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(pb.GetRequest(key=key))
    trailing = {name: value for name, value in caught.value.trailing_metadata()}
    assert orjson.loads(trailing["kubeactors-status-bin"])["code"] == code
    assert not running.handler.requests


@pytest.mark.parametrize(("method", "streams"), [("Get", False), ("Watch", False), ("Session", True)])
async def test_a_message_that_cannot_be_read(
    running: RunningFronts, method: str, streams: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with _channel(running) as channel:
        path = f"/kubeactors.api.v1.Resources/{method}"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            if streams:
                call = channel.stream_stream(path)(iter([b"\xff"]), timeout=5)
                await call.read()
            elif method == "Watch":
                await channel.unary_stream(path)(b"\xff", timeout=5).read()
            else:
                await channel.unary_unary(path)(b"\xff", timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (caught.value.details() or "").startswith("the request is no kubeactors.api.v1.")
    assert not running.handler.requests and not caplog.records


@pytest.mark.parametrize("user", [None, "mallory"])
async def test_clients_without_a_certificate_of_the_cluster_are_nobody(
    running: RunningFronts, user: str | None
) -> None:
    async with _channel(running, user) as channel:
        stub = api_pb2_grpc.ResourcesStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Get(pb.GetRequest(key=POD), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert not running.handler.requests


async def test_a_body_over_the_limit(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Create(pb.CreateRequest(key=PODS, json=b"x" * 100_001))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not running.handler.requests


class ScriptedWatch:
    """A watch that delivers frames and then waits until it is told to end."""

    def __init__(self, request: Request, count: int, size: int = 1) -> None:
        encode, frame = request.watch_encoding.encode, request.watch_encoding.frame
        self._frames = [frame([encode("ADDED", b"%d" % n + b" " * size)]) for n in range(count)]
        self.end = asyncio.Event()
        self.gone = asyncio.Event()
        self.refused = False

    async def run(self, sink: WatchSink) -> None:
        try:
            for frame in self._frames:
                if not sink.deliver(frame):
                    self.refused = True
                    return
            await self.end.wait()
        finally:
            self.gone.set()


async def test_a_watch_joins_what_has_come(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    watches: list[ScriptedWatch] = []

    def respond(request: Request) -> Response:
        watches.append(ScriptedWatch(request, 3))
        return Response(watch=watches[0])

    running.handler.respond = respond
    call = stub.Watch(pb.WatchRequest(key=POD, resource_version="5", timeout_seconds=60))
    frame = await call.read()
    assert [(event.type, event.object.strip()) for event in frame.events] == [
        ("ADDED", b"0"),
        ("ADDED", b"1"),
        ("ADDED", b"2"),
    ]
    (request,) = running.handler.requests
    assert (request.verb, request.name, request.options.field_selector) == ("watch", "", "metadata.name=p")
    watches[0].end.set()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


async def test_a_watch_ends_when_its_client_goes(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    watches: list[ScriptedWatch] = []

    def respond(request: Request) -> Response:
        watches.append(ScriptedWatch(request, 1))
        return Response(watch=watches[0])

    running.handler.respond = respond
    call = stub.Watch(pb.WatchRequest(key=PODS))
    await call.read()
    call.cancel()
    async with asyncio.timeout(30):
        await watches[0].gone.wait()


async def test_a_slow_watcher_is_cut_off(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    running.handler.respond = lambda request: Response(watch=ScriptedWatch(request, 100, size=50_000))
    call = stub.Watch(pb.WatchRequest(key=PODS))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while await call.read() is not grpc.aio.EOF:
            pass
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_logs_stream(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    running.handler.respond = lambda request: Response(stream=lines())
    call = stub.Logs(pb.LogsRequest(namespace="a", pod="p", tail_lines=0))
    assert b"".join([chunk.data async for chunk in call]) == b"one\ntwo\n"
    log = running.handler.requests[0].options.log
    assert log is not None
    assert (log.tail_lines, log.since_seconds) == (0, None)


def _get(number: int, name: str) -> pb.SessionCall:
    key = pb.ObjectKey(version="v1", resource="pods", namespace="a", name=name)
    return pb.SessionCall(id=number, get=pb.GetRequest(key=key))


async def _replies(call: grpc.aio.StreamStreamCall, count: int) -> dict[int, pb.SessionReply]:
    found: dict[int, pb.SessionReply] = {}
    async with asyncio.timeout(30):
        while len(found) < count:
            frame = await call.read()
            found.update({reply.id: reply for reply in frame.replies})
    return found


async def test_a_session_answers_many_calls(running: RunningFronts, stub: api_pb2_grpc.ResourcesStub) -> None:
    def respond(request: Request) -> Response:
        if request.name == "missing":
            raise errors.not_found("pods", request.name)
        if request.verb == "list":
            return Response(items=ListItems([b"{}"], "4"))
        return Response(200, request.name.encode())

    running.handler.respond = respond
    call = stub.Session()
    calls = [_get(n, f"p{n}") for n in range(50)]
    calls += [_get(50, "missing"), pb.SessionCall(id=51, list=pb.ListRequest(key=PODS)), pb.SessionCall(id=52)]
    await call.write(pb.SessionCalls(calls=calls[:30]))
    await call.write(pb.SessionCalls(calls=calls[30:]))
    found = await _replies(call, 53)
    assert all(found[n].object.json == f"p{n}".encode() for n in range(50))
    assert orjson.loads(found[50].status)["reason"] == "NotFound"
    assert found[51].list.resource_version == "4"
    assert orjson.loads(found[52].status)["code"] == 400
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_session_answers_out_of_order_and_bounds_what_runs(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub
) -> None:
    gate, running_now, most = asyncio.Event(), 0, 0

    async def handle(request: Request) -> Response:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        if request.name.startswith("slow"):
            await gate.wait()
        running_now -= 1
        return Response(200, b"{}")

    running.handler.handle = handle  # type: ignore[method-assign]
    call = stub.Session()
    await call.write(pb.SessionCalls(calls=[_get(1, "slow"), _get(2, "quick")]))
    assert set(await _replies(call, 1)) == {2}
    await call.write(pb.SessionCalls(calls=[_get(n, f"slow{n}") for n in range(10, 30)]))
    await call.write(pb.SessionCalls(calls=[_get(40, "quick")]))
    await asyncio.sleep(0.1)
    assert most == 4  # the configured bound; the rest waits in the stream
    gate.set()
    assert set(await _replies(call, 22)) == {1, *range(10, 30), 40}
    assert most == 4


async def test_health_and_reflection(running: RunningFronts) -> None:
    async with _channel(running) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="kubeactors.api.v1.Resources"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
        await reflection.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = await reflection.read()
        names = {service.name for service in listed.list_services_response.service}
        assert "kubeactors.api.v1.Resources" in names
        await reflection.write(
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="kubeactors.api.v1.Resources")
        )
        assert (await reflection.read()).file_descriptor_response.file_descriptor_proto
        await reflection.done_writing()


async def test_streams_end_in_good_order_when_the_server_stops(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub
) -> None:
    gate = asyncio.Event()

    async def handle(request: Request) -> Response:
        if request.verb == "watch":
            return Response(watch=ScriptedWatch(request, 1))
        gate.set()
        await asyncio.sleep(0.05)
        return Response(200, b"{}")

    running.handler.handle = handle  # type: ignore[method-assign]
    watch = stub.Watch(pb.WatchRequest(key=PODS))
    assert (await watch.read()).events
    session = stub.Session()
    await session.write(pb.SessionCalls(calls=[_get(1, "a")]))
    await gate.wait()
    async with asyncio.timeout(30):
        await running.fronts.stop()
        assert set(await _replies(session, 1)) == {1}
        assert await session.read() is grpc.aio.EOF
        assert await watch.read() is grpc.aio.EOF
        assert await watch.code() == grpc.StatusCode.OK


def _token_channel(running: RunningFronts) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(running.pem("ca.crt"))
    return grpc.aio.secure_channel(f"127.0.0.1:{running.fronts.grpc_port}", credentials)


async def test_a_bearer_token_takes_the_certificates_place(running: RunningFronts) -> None:
    async with _token_channel(running) as channel:
        stub = api_pb2_grpc.ResourcesStub(channel)
        request = pb.GetRequest(key=POD)
        await stub.Get(request, metadata=[("authorization", "Bearer right")])
        assert running.handler.requests[-1].user.name == "robot"
        for metadata in ([], [("authorization", "Bearer wrong")], [("authorization", "Basic YTpi")]):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Get(request, metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        for wanted, code in (("impersonate-user", "PERMISSION_DENIED"), ("impersonate-group", "INVALID_ARGUMENT")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Get(request, metadata=[("authorization", "Bearer right"), (wanted, "alice")])
            assert caught.value.code().name == code
    assert len(running.handler.requests) == 1


async def test_a_session_ends_to_answer_when_its_token_ends(running: RunningFronts) -> None:
    async with _token_channel(running) as channel:
        stub = api_pb2_grpc.ResourcesStub(channel)
        call = stub.Session(metadata=[("authorization", "Bearer right")])
        await call.write(pb.SessionCalls(calls=[_get(1, "p")]))
        assert (await _replies(call, 1))[1].object.json
        running.token.ended = True
        await call.write(pb.SessionCalls(calls=[_get(2, "p")]))
        assert b'"Unauthorized"' in (await _replies(call, 1))[2].status
        await call.done_writing()


async def test_a_fault_is_logged_and_counted_and_nothing_of_it_told(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub, caplog: pytest.LogCaptureFixture
) -> None:
    def break_(request: Request) -> Response:
        raise NotImplementedError("somebody forgot this")

    running.handler.respond = break_
    for call in (stub.Get(pb.GetRequest(key=POD)), stub.Watch(pb.WatchRequest(key=PODS)).read()):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "forgot" not in str(caught.value.details())
    assert caplog.text.count("NotImplementedError: somebody forgot this") == 2
    assert "apiserver_grpc_faults_total 2\n" in running.fronts.metrics.render().decode()
    assert "apiserver_grpc_floods_total 0\n" in running.fronts.metrics.render().decode()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xff\xff",  # no message at all
        b"\x0a\x7f",  # ends before it should
        b"\x0b" * 200,  # groups in groups
    ],
)
@pytest.mark.parametrize("method", ["Get", "Batch", "Watch", "Session", "WatchMany", "Exec", "PortForward"])
async def test_bytes_that_are_no_message(
    running: RunningFronts, method: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with _channel(running) as channel:
        path = f"/kubeactors.api.v1.Resources/{method}"
        if method in ("Get", "Batch"):
            call = channel.unary_unary(path)(body)
        elif method == "Watch":
            call = channel.unary_stream(path)(body).read()
        else:
            stream = channel.stream_stream(path)()
            await stream.write(body)
            call = stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with asyncio.timeout(30):
                await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not [record for record in caplog.records if record.exc_info and not _of_another_loop(record)]
    assert not running.handler.requests


def _of_another_loop(record: logging.LogRecord) -> bool:
    """grpc.aio has one thread for all loops: what it has to tell to a call of an earlier test, whose loop is closed by
    now, it hands to the present test's loop, which then logs "Event loop is closed"."""
    return "PollerCompletionQueue._handle_events" in record.getMessage()


async def test_who_shows_nothing_is_refused_before_a_message_is_read(running: RunningFronts) -> None:
    async with _channel(running, None) as channel:
        stub = api_pb2_grpc.ResourcesStub(channel)
        for method in (stub.Session, stub.WatchMany, stub.Exec, stub.PortForward):
            call = method()  # which says nothing
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async with asyncio.timeout(30):
                    await call.read()
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            trailing = {name: value for name, value in caught.value.trailing_metadata()}
            assert orjson.loads(trailing["kubeactors-status-bin"])["reason"] == "Unauthorized"
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING


async def test_many_watches_of_a_client_that_does_not_read(
    running: RunningFronts, stub: api_pb2_grpc.ResourcesStub
) -> None:
    watches: dict[str, ScriptedWatch] = {}
    opened = asyncio.Event()

    def respond(request: Request) -> Response:
        loud = request.namespace == "loud"
        made = watches[request.namespace] = ScriptedWatch(request, 100 if loud else 1, size=50_000 if loud else 1)
        if loud:
            opened.set()
        return Response(watch=made)

    running.handler.respond = respond
    call = stub.WatchMany()
    for number, namespace in enumerate(("loud", "quiet")):
        key = pb.ObjectKey(version="v1", resource="pods", namespace=namespace)
        await call.write(pb.WatchManyRequest(start=pb.StartWatch(id=number, watch=pb.WatchRequest(key=key))))
    async with asyncio.timeout(30):
        await opened.wait()
        await watches["loud"].gone.wait()
        assert watches["loud"].refused
        found: dict[int, list[pb.WatchUpdate]] = {0: [], 1: []}
        while not (found[0] and found[0][-1].HasField("ended") and any(each.events for each in found[1])):
            for update in (await call.read()).updates:
                found[update.id].append(update)
    assert found[0][-1].ended.failure.code == 429
    assert not any(each.HasField("ended") for each in found[1])
