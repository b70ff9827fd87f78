"""The gRPC server against grpcio's client, and against frames written by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import hpack
import pytest

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.rpc import connection as connections
from kubeactors.rpc import flood
from kubeactors.rpc import frames as f
from kubeactors.rpc.frames import ConnectionBroken
from kubeactors.rpc.headers import RequestHeaders, timeout, trailers
from kubeactors.rpc.server import RpcServer
from kubeactors.rpc.stream import Answered, Direct

MAX_MESSAGE = 4 * 1024 * 1024
PUT, KEEP_ALIVE = "/etcdserverpb.KV/Put", "/etcdserverpb.Lease/LeaseKeepAlive"


class Refusal(Exception):
    code = 5
    message = "etcdserver: 100 % \u00fcnknown"


def put(request: rpc_pb2.PutRequest, answered: Answered) -> None:
    if request.key == b"never":
        return
    if request.key == b"broken":
        raise RuntimeError("no idea")
    outcome: object = rpc_pb2.PutResponse(header=rpc_pb2.ResponseHeader(revision=len(request.value)))
    if request.key == b"large":
        outcome = rpc_pb2.PutResponse()
        outcome.prev_kv.value = request.value
    asyncio.get_running_loop().call_soon(answered, Refusal() if request.key == b"bad" else outcome)


class Kv(rpc_pb2_grpc.KVServicer):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def Compact(  # type: ignore[override]
        self, request: rpc_pb2.CompactionRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.CompactionResponse:
        if request.physical:
            rpc_pb2.CompactionRequest.FromString(b"\xff")
        raise NotImplementedError("somebody forgot this")

    async def Range(self, request: rpc_pb2.RangeRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.RangeResponse:
        self.seen.append((context.invocation_metadata(), context.time_remaining(), context.peer()))
        if request.key == b"missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such key")
        return rpc_pb2.RangeResponse(count=7)


class Lease(rpc_pb2_grpc.LeaseServicer):
    async def LeaseKeepAlive(  # type: ignore[override]
        self, requests: AsyncIterator[rpc_pb2.LeaseKeepAliveRequest], context: grpc.aio.ServicerContext
    ) -> None:
        async for request in requests:
            await context.write(rpc_pb2.LeaseKeepAliveResponse(ID=request.ID))


class Flood(rpc_pb2_grpc.WatchServicer):
    def __init__(self) -> None:
        self.written = 0
        self.cancelled = asyncio.Event()

    async def Watch(  # type: ignore[override]
        self, requests: AsyncIterator[rpc_pb2.WatchRequest], context: grpc.aio.ServicerContext
    ) -> None:
        try:
            while True:
                await context.write(rpc_pb2.WatchResponse(cancel_reason="x" * 50_000))
                self.written += 1
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class Running:
    def __init__(self) -> None:
        self.server = RpcServer(MAX_MESSAGE)
        self.kv, self.flood = Kv(), Flood()  # type: ignore[abstract]  # of their services one method is needed
        self.server.add_direct(PUT, Direct(rpc_pb2.PutRequest.FromString, put, Refusal))
        rpc_pb2_grpc.add_KVServicer_to_server(self.kv, self.server)
        rpc_pb2_grpc.add_LeaseServicer_to_server(Lease(), self.server)  # type: ignore[abstract]
        rpc_pb2_grpc.add_WatchServicer_to_server(self.flood, self.server)
        self.port = 0
        self.channel: grpc.aio.Channel

    async def start(self) -> None:
        self.port = await self.server.listen("127.0.0.1", 0, None)
        await self.server.start()
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        self.kv_stub = rpc_pb2_grpc.KVStub(self.channel)
        self.lease_stub = rpc_pb2_grpc.LeaseStub(self.channel)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    running = Running()
    await running.start()
    yield running
    await running.channel.close()
    await running.server.stop(0.1)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


# ---- grpcio's client ----


async def test_unary(running: Running) -> None:
    answers = await asyncio.gather(
        *(running.kv_stub.Put(rpc_pb2.PutRequest(key=b"k", value=b"x" * n), timeout=5) for n in range(300))
    )
    assert [answer.header.revision for answer in answers] == list(range(300))


async def test_large_messages_in_both_directions(running: Running) -> None:
    """Beyond the windows of the stream, and beyond a frame."""
    value = bytes(range(256)) * 12_000
    answer = await running.kv_stub.Put(rpc_pb2.PutRequest(key=b"large", value=value), timeout=10)
    assert answer.prev_kv.value == value
    status, words = await refusal(running.kv_stub.Put(rpc_pb2.PutRequest(value=bytes(MAX_MESSAGE)), timeout=10))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in words
    assert (await running.kv_stub.Put(rpc_pb2.PutRequest(value=b"x"), timeout=5)).header.revision == 1


async def test_errors(running: Running) -> None:
    kv = running.kv_stub
    assert await refusal(kv.Put(rpc_pb2.PutRequest(key=b"bad"))) == (grpc.StatusCode.NOT_FOUND, Refusal.message)
    assert (await refusal(kv.Put(rpc_pb2.PutRequest(key=b"broken"))))[0] is grpc.StatusCode.UNKNOWN
    assert (await refusal(kv.Txn(rpc_pb2.TxnRequest())))[0] is grpc.StatusCode.UNIMPLEMENTED
    unknown = rpc_pb2_grpc.MaintenanceStub(running.channel).Status(rpc_pb2.StatusRequest())
    assert (await refusal(unknown))[0] is grpc.StatusCode.UNIMPLEMENTED
    missing = kv.Range(rpc_pb2.RangeRequest(key=b"missing"), metadata=(("hasleader", "true"),), timeout=9)
    assert await refusal(missing) == (grpc.StatusCode.NOT_FOUND, "no such key")
    metadata, left, peer = running.kv.seen[0]
    assert ("hasleader", "true") in metadata and 8 < left < 10 and peer.startswith("ipv4:127.0.0.1:")
    assert (await kv.Range(rpc_pb2.RangeRequest())).count == 7


async def test_messages_that_cannot_be_read(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"):
        status, words = await refusal(running.channel.unary_unary(path)(b"\xff", timeout=5))
        assert status is grpc.StatusCode.INTERNAL and words.startswith("the message cannot be read")
    assert not caplog.records


async def test_a_mistake_of_ours_is_logged_and_counted(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    # What a servicer lacks is no mistake: generated code answers so.
    assert (await refusal(running.kv_stub.DeleteRange(rpc_pb2.DeleteRangeRequest())))[
        0
    ] is grpc.StatusCode.UNIMPLEMENTED
    assert (running.server.faults, caplog.text) == (0, "")
    for number, (physical, told) in enumerate(((False, "somebody forgot this"), (True, "DecodeError")), 1):
        code, text = await refusal(running.kv_stub.Compact(rpc_pb2.CompactionRequest(physical=physical)))
        assert code is grpc.StatusCode.UNKNOWN
        assert told in text
        assert running.server.faults == number
        (record,) = [record for record in caplog.records if record.exc_info]
        assert record.getMessage() == "/etcdserverpb.KV/Compact failed"
        caplog.clear()
    assert (await refusal(running.kv_stub.Put(rpc_pb2.PutRequest(key=b"broken"))))[0] is grpc.StatusCode.UNKNOWN
    assert running.server.faults == 3


async def test_a_deadline_ends_the_call_for_the_client_only(running: Running) -> None:
    late = running.kv_stub.Put(rpc_pb2.PutRequest(key=b"never"), timeout=0.1)
    assert (await refusal(late))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await running.kv_stub.Put(rpc_pb2.PutRequest(value=b"xy"))).header.revision == 2


async def test_a_compressed_message_is_refused(running: Running) -> None:
    call = running.kv_stub.Put(rpc_pb2.PutRequest(value=bytes(5000)), compression=grpc.Compression.Gzip)
    assert (await refusal(call))[0] is grpc.StatusCode.UNIMPLEMENTED


async def test_streams(running: Running) -> None:
    streams = [running.lease_stub.LeaseKeepAlive() for _ in range(20)]
    for number in range(10, 13):
        for stream in streams:
            await stream.write(rpc_pb2.LeaseKeepAliveRequest(ID=number))
        for stream in streams:
            assert number == (await stream.read()).ID
    for stream in streams:
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK


async def test_a_client_that_does_not_read_holds_up_its_own_stream_only(running: Running) -> None:
    stream = rpc_pb2_grpc.WatchStub(running.channel).Watch()
    flood, before = running.flood, 0
    while not before or flood.written != before:  # until it is blocked
        before = flood.written
        await asyncio.sleep(0.2)
    assert (await running.kv_stub.Put(rpc_pb2.PutRequest(value=b"xyz"), timeout=5)).header.revision == 3
    for _ in range(before + 10):
        assert len((await stream.read()).cancel_reason) == 50_000
    assert before < flood.written < before + 10_000
    stream.cancel()
    async with asyncio.timeout(30):
        await flood.cancelled.wait()


async def test_stop_lets_calls_end_and_takes_no_new_ones(running: Running) -> None:
    stream = running.lease_stub.LeaseKeepAlive()
    await stream.write(rpc_pb2.LeaseKeepAliveRequest(ID=5))
    assert (await stream.read()).ID == 5
    stopping = asyncio.create_task(running.server.stop(5))
    await asyncio.sleep(0.05)
    await stream.write(rpc_pb2.LeaseKeepAliveRequest(ID=6))
    assert (await stream.read()).ID == 6
    late = running.kv_stub.Put(rpc_pb2.PutRequest(), timeout=1)
    assert (await refusal(late))[0] in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert not stopping.done()
    await stream.done_writing()
    async with asyncio.timeout(30):
        await stopping


async def test_stop_breaks_off_what_does_not_end(running: Running) -> None:
    stream = running.lease_stub.LeaseKeepAlive()
    await stream.write(rpc_pb2.LeaseKeepAliveRequest(ID=5))
    assert (await stream.read()).ID == 5
    async with asyncio.timeout(30):
        await running.server.stop(0.1)
    with pytest.raises(grpc.aio.AioRpcError):
        await stream.read()


# ---- by hand ----


class Wire:
    """A client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()

    @classmethod
    async def open(cls, port: int, *settings: tuple[int, int]) -> Wire:
        wire = cls(*await asyncio.open_connection("127.0.0.1", port))
        wire.send(f.PREFACE + f.settings(*settings))
        return wire

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def headers(self, path: str, *more: tuple[str, str], kind: str = "application/grpc") -> bytes:
        fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "here")]
        block: bytes = self._encoder.encode([*fields, ("te", "trailers"), ("content-type", kind), *more])
        return block

    def call(self, stream: int, path: str, message: bytes, *more: tuple[str, str]) -> None:
        self.send(f.frame(f.HEADERS, f.END_HEADERS, stream, self.headers(path, *more)))
        self.send(f.frame(f.DATA, f.END_STREAM, stream, message_frame(message)))

    async def frame(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream, payload."""
        async with asyncio.timeout(30):
            high, low, kind, flags, stream = f.HEAD.unpack(await self._reader.readexactly(9))
            return kind, flags, stream, await self._reader.readexactly(high << 8 | low)

    async def until(self, *kinds: int) -> tuple[int, int, int, bytes]:
        while (found := await self.frame())[0] not in kinds:
            pass
        return found

    async def status(self, stream: int) -> str:
        """What the call's trailers say."""
        while True:
            kind, flags, number, payload = await self.frame()
            if kind == f.HEADERS:
                found: dict[Any, Any] = dict(self._decoder.decode(payload))
                if number == stream and flags & f.END_STREAM:
                    return str(found.get("grpc-status") or found[":status"])

    async def closed(self) -> bool:
        async with asyncio.timeout(30):
            while await self._reader.read(65_536):
                pass
        return True


def message_frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


async def test_headers_in_pieces_and_with_padding_and_priority(running: Running) -> None:
    wire = await Wire.open(running.port)
    block = wire.headers(PUT, ("grpc-timeout", "5S"))
    flags = f.PADDED | f.PRIORITISED
    wire.send(f.frame(f.HEADERS, flags, 1, b"\x03" + bytes(5) + block[:9] + bytes(3)))
    wire.send(f.frame(f.CONTINUATION, 0, 1, block[9:20]) + f.frame(f.CONTINUATION, f.END_HEADERS, 1, block[20:]))
    data = message_frame(rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    wire.send(f.frame(f.DATA, f.PADDED, 1, b"\x02" + data[:3] + bytes(2)))
    wire.send(f.frame(f.DATA, f.END_STREAM, 1, data[3:]))
    assert await wire.status(1) == "0"


async def test_byte_by_byte(running: Running) -> None:
    sent: list[bytes] = []
    wire = await Wire.open(running.port)
    real = wire.send
    wire.send = sent.append  # type: ignore[method-assign,assignment]
    for number in range(1, 8, 2):
        wire.call(number, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    for byte in b"".join(sent):
        real(bytes((byte,)))
        await asyncio.sleep(0)
    assert [await wire.status(number) for number in range(1, 8, 2)] == ["0"] * 4


async def test_a_connections_calls_and_messages_under_way_are_bounded(running: Running) -> None:
    running.server.max_streams, running.server.max_held = 2, 100_000
    wire = await Wire.open(running.port)
    _, _, _, settings = await wire.until(f.SETTINGS)
    assert (f.SETTINGS_MAX_CONCURRENT_STREAMS, 2) in f.SETTING.iter_unpack(settings)
    for number in (1, 3, 5):
        wire.send(f.frame(f.HEADERS, f.END_HEADERS, number, wire.headers(PUT)))
    _, _, number, code = await wire.until(f.RST_STREAM)
    assert (number, f.NUMBER.unpack(code)) == (5, (f.Code.REFUSED_STREAM,))
    begun = message_frame(bytes(60_000))[:-1]
    for number in (1, 3):
        for start in range(0, len(begun), 16_384):
            wire.send(f.frame(f.DATA, 0, number, begun[start : start + 16_384]))
    _, _, _, last = await wire.until(f.GOAWAY)
    assert f.NUMBER.unpack_from(last, 4) == (f.Code.ENHANCE_YOUR_CALM,)
    assert await wire.closed()


async def test_what_was_held_of_a_call_is_forgotten_with_it(running: Running) -> None:
    running.server.max_held = 100_000
    wire = await Wire.open(running.port)
    for number in (1, 3, 5, 7):
        wire.send(f.frame(f.HEADERS, f.END_HEADERS, number, wire.headers(PUT)))
        wire.send(f.frame(f.DATA, 0, number, message_frame(bytes(60_000))[:16_000]) * 3)
        wire.send(f.reset(number, f.Code.CANCEL))
    wire.call(9, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    assert await wire.status(9) == "0"


async def test_windows_of_the_client_are_kept(running: Running) -> None:
    wire = await Wire.open(running.port, (f.SETTINGS_INITIAL_WINDOW_SIZE, 10))
    wire.call(1, PUT, rpc_pb2.PutRequest(key=b"large", value=bytes(100)).SerializeToString())
    got = b""
    for grant in (5, 40, 1000):
        _, _, _, payload = await wire.until(f.DATA)
        got += payload
        assert len(payload) <= 40 or grant == 1000
        wire.send(f.window_update(1, grant))
    while not (found := await wire.frame())[1] & f.END_STREAM:
        got += found[3]
    assert len(got) == 5 + int.from_bytes(got[1:5], "big")


async def test_a_window_that_grows_by_settings(running: Running) -> None:
    wire = await Wire.open(running.port, (f.SETTINGS_INITIAL_WINDOW_SIZE, 0))
    wire.call(1, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    await wire.until(f.HEADERS)
    wire.send(f.settings((f.SETTINGS_INITIAL_WINDOW_SIZE, 1000)))
    kind, flags, _, _ = await wire.until(f.SETTINGS, f.DATA)
    assert (kind, flags) == (f.SETTINGS, f.ACK), "grpcio takes no more than the old window before this"
    assert await wire.status(1) == "0"


async def test_a_reset_call_is_not_answered(running: Running) -> None:
    wire = await Wire.open(running.port)
    wire.call(1, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    wire.send(f.reset(1, f.Code.CANCEL))
    wire.send(f.frame(f.HEADERS, f.END_HEADERS, 3, wire.headers(KEEP_ALIVE)) + f.reset(3, f.Code.CANCEL))
    wire.send(f.frame(f.DATA, 0, 3, b"late") + f.window_update(3, 5))
    wire.send(f.frame(f.PING, 0, 0, b"12345678"))
    while (found := await wire.frame())[0] != f.PING:
        assert found[0] in (f.SETTINGS, f.WINDOW_UPDATE)
    assert found == (f.PING, f.ACK, 0, b"12345678")
    wire.call(5, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    assert await wire.status(5) == "0"


@pytest.mark.parametrize("path", [PUT, KEEP_ALIVE])
async def test_a_client_that_opens_and_resets_calls_is_sent_away(running: Running, path: str) -> None:
    """CVE-2023-44487. No more than 8 may run on after their reset."""
    running.server.max_streams = 2
    wire = await Wire.open(running.port)
    body = message_frame(rpc_pb2.PutRequest(key=b"never").SerializeToString())
    await wire.until(f.SETTINGS)
    sent = [
        f.frame(f.HEADERS, f.END_HEADERS, number, wire.headers(path))
        + (f.frame(f.DATA, f.END_STREAM, number, body) if path == PUT else b"")
        + f.reset(number, f.Code.CANCEL)
        for number in range(1, 2 * 9, 2)
    ]
    wire.send(b"".join(sent[:-1]) + f.frame(f.PING, 0, 0, bytes(8)))
    await wire.until(f.PING)
    wire.send(sent[-1] if path == PUT else b"".join(sent))
    if path == KEEP_ALIVE:  # these have noticed by now; nine at once are too many again
        last = 2 * 9 + 1
        wire.send(
            b"".join(
                f.frame(f.HEADERS, f.END_HEADERS, number, wire.headers(path)) + f.reset(number, f.Code.CANCEL)
                for number in range(last, last + 2 * 9, 2)
            )
        )
    _, _, _, payload = await wire.until(f.GOAWAY)
    assert f.NUMBER.unpack_from(payload, 4) == (f.Code.ENHANCE_YOUR_CALM,)
    assert await wire.closed()
    assert running.server.floods == 1
    assert (await running.kv_stub.Put(rpc_pb2.PutRequest(value=b"x"))).header.revision == 1


async def test_calls_that_are_reset_and_end_are_forgiven(running: Running) -> None:
    running.server.max_streams = 2
    wire = await Wire.open(running.port)
    for number in range(1, 2 * 8, 2):
        wire.call(number, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
        wire.send(f.reset(number, f.Code.CANCEL))
        wire.send(f.frame(f.PING, 0, 0, bytes(8)))
        await wire.until(f.PING)
    wire.call(101, PUT, rpc_pb2.PutRequest(value=b"ab").SerializeToString())
    assert await wire.status(101) == "0"


async def test_answers_that_nobody_reads_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2019-9512."""
    monkeypatch.setattr(flood, "UNREAD_ANSWERS", 100)
    _, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
    writer.write(f.PREFACE + f.settings())
    ping = f.frame(f.PING, 0, 0, bytes(8)) * 1000
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionError):  # the server's answers fill the sockets' buffers, then it gives up
            while True:
                writer.write(ping)
                await writer.drain()
    assert running.server.floods == 1
    writer.close()


def test_resets_are_forgiven_in_time() -> None:
    now = 0.0
    guard = flood.FloodGuard(10, lambda: now)
    for _ in range(40):
        guard.reset(working=False)
    with pytest.raises(ConnectionBroken, match="opened and reset"):
        guard.reset(working=False)
    now = 0.02  # 20 of them are forgiven
    for _ in range(19):
        guard.reset(working=True)
        guard.work_ended()
    with pytest.raises(ConnectionBroken, match="opened and reset"):
        for _ in range(3):
            guard.reset(working=False)
    now = 100.0
    for _ in range(40):
        guard.reset(working=True)
    with pytest.raises(ConnectionBroken, match="41 calls were reset and still run"):
        guard.reset(working=True)


async def test_requests_that_are_none(running: Running) -> None:
    wire = await Wire.open(running.port)
    wire.send(f.frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 1, wire.headers(PUT)))
    assert await wire.status(1) == "13"
    wire.send(f.frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 3, wire.headers(PUT, kind="text/html")))
    assert await wire.status(3) == "415"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", None),
        (f.frame(f.DATA, 0, 1, b"x"), f.Code.PROTOCOL_ERROR),
        (f.frame(f.HEADERS, f.END_HEADERS, 2, b""), f.Code.PROTOCOL_ERROR),
        (f.frame(f.HEADERS, f.END_HEADERS, 1, b"\xff\xff\xff\xff"), f.Code.COMPRESSION_ERROR),
        (f.frame(f.HEADERS, f.END_HEADERS | f.PADDED, 1, b"\x09a"), f.Code.PROTOCOL_ERROR),
        (f.frame(f.HEADERS, 0, 1, b"") + f.frame(f.PING, 0, 0, bytes(8)), f.Code.PROTOCOL_ERROR),
        (f.frame(f.CONTINUATION, f.END_HEADERS, 1, b""), f.Code.PROTOCOL_ERROR),
        (f.frame(f.HEADERS, 0, 1, b"") + f.frame(f.CONTINUATION, 0, 1, b""), f.Code.ENHANCE_YOUR_CALM),
        (f.frame(f.PING, 0, 0, b"short"), f.Code.FRAME_SIZE_ERROR),
        (f.head(f.DATA, 0, 1, connections.FRAME_BYTES + 1), f.Code.FRAME_SIZE_ERROR),
        (f.window_update(0, f.MAX_WINDOW), f.Code.FLOW_CONTROL_ERROR),
        (f.settings((f.SETTINGS_INITIAL_WINDOW_SIZE, 2**31)), f.Code.FLOW_CONTROL_ERROR),
        (f.frame(f.PUSH_PROMISE, 0, 1, b""), f.Code.PROTOCOL_ERROR),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(running: Running, sent: bytes, code: int | None) -> None:
    wire = await Wire.open(running.port)
    if code is None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        wire = Wire(reader, writer)
    wire.send(sent)
    _, _, _, payload = await wire.until(f.GOAWAY)
    if code is not None:
        assert int.from_bytes(payload[4:8], "big") == code
    assert await wire.closed()
    assert (await running.kv_stub.Put(rpc_pb2.PutRequest(value=b"x"))).header.revision == 1


async def test_a_client_that_is_silent_is_asked_and_given_up(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.05)
    wire = await Wire.open(running.port)
    await wire.until(f.PING)
    wire.send(f.frame(f.PING, f.ACK, 0, bytes(8)))
    await wire.until(f.PING)
    assert await wire.closed()


# ---- headers ----


def test_a_known_block_means_the_same_until_the_table_changes() -> None:
    encoder, headers = hpack.Encoder(), RequestHeaders()

    def block(value: str) -> bytes:
        encoded: bytes = encoder.encode([(":path", "/a"), ("user-agent", "me"), ("x", value)])
        return encoded

    assert headers.decode(block("1"))[2] == (b"x", b"1")
    again = block("1")
    assert headers.decode(again) is headers.decode(again)
    assert headers.decode(block("2"))[2] == (b"x", b"2")
    assert headers.decode(block("1"))[2] == (b"x", b"1"), "the same bytes, were they from before, would mean 2"


def test_status_texts_and_timeouts() -> None:
    found: dict[Any, Any] = dict(hpack.Decoder().decode(trailers(5, "100 %\n\u00fc" + "x" * 200)))
    assert found == {"grpc-status": "5", "grpc-message": "100 %25%0A%C3%BC" + "x" * 200}
    assert [timeout(value) for value in (b"5S", b"250m", b"1H", b"", b"S", b"5x")] == [5, 0.25, 3600, None, None, None]
