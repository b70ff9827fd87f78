"""SPDY as Kubernetes' clients speak it: frames in any pieces, headers, streams, and what does not belong to it."""

import asyncio
import contextlib
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.apiserver.streams.spdy import frames
from kubeactors.apiserver.streams.spdy.connection import STREAM_BUFFER, SpdyConnection, SpdyStream
from kubeactors.apiserver.streams.spdy.frames import Control, Data, FrameReader, SpdyError
from kubeactors.apiserver.streams.spdy.headers import DICTIONARY, MAX_BLOCK, HeaderReader, HeaderWriter


class Wire:
    """Both directions of a connection in memory."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._reader = FrameReader()
        self.sent: list[Data | Control] = []

    async def read(self) -> bytes:
        return await self._incoming.get()

    async def write(self, data: bytes) -> None:
        self.sent += self._reader.feed(data)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._incoming.put_nowait(piece)


class Client:
    """The client's end: opens streams on a wire."""

    def __init__(self) -> None:
        self.wire = Wire()
        self._headers = HeaderWriter()

    def open(self, number: int, *, fin: bool = False, **headers: str) -> None:
        payload = struct.pack(">IIBB", number, 0, 0, 0) + self._headers.write(headers)
        self.wire.send(frames.control(frames.SYN_STREAM, payload, frames.FLAG_FIN if fin else 0))

    def types(self) -> list[int]:
        return [frame.type for frame in self.wire.sent if isinstance(frame, Control)]

    def data(self, number: int) -> bytes:
        return b"".join(f.data for f in self.wire.sent if isinstance(f, Data) and f.stream == number)


@contextlib.asynccontextmanager
async def connected(client: Client) -> AsyncIterator[tuple[SpdyConnection, "asyncio.Task[None]"]]:
    connection = SpdyConnection(client.wire, lambda headers: "no" if headers.get("bad") else None)
    running = asyncio.create_task(connection.run())
    try:
        yield connection, running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def accepted(connection: SpdyConnection) -> SpdyStream:
    async with asyncio.timeout(30):
        stream = await connection.accept()
    assert stream is not None
    return stream


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_dictionary_is_the_specifications() -> None:
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def test_headers_go_through_one_compressed_stream() -> None:
    writer, reader = HeaderWriter(), HeaderReader()
    for headers in ({"StreamType": "error", "Port": "80"}, {}, {"streamtype": "data", "port": "80"}):
        expected = {name.lower(): value for name, value in headers.items()}
        assert reader.read(writer.write(headers)) == expected


@pytest.mark.parametrize("plain", [b"", b"\0\0\0\1", struct.pack(">II", 1, 99) + b"x", struct.pack(">I", 10**6)])
def test_damaged_headers_are_refused(plain: bytes) -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    with pytest.raises(SpdyError):
        HeaderReader().read(deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH))


def test_headers_that_swell_are_refused() -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    block = deflate.compress(b"\0" * (50 * MAX_BLOCK)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert len(block) < frames.MAX_CONTROL
    with pytest.raises(SpdyError, match="more than"):
        HeaderReader().read(block)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.binary(max_size=300), st.booleans()), max_size=8),
    st.lists(st.integers(0, 400), max_size=30),
)
def test_frames_come_in_any_pieces(sent: list[tuple[int, bytes, bool]], cuts: list[int]) -> None:
    wire = b"".join(frames.data(number, data, fin=fin) for number, data, fin in sent) + frames.ping(7)
    reader = FrameReader()
    found: list[Data | Control] = []
    start = 0
    for cut in [*sorted(cuts), len(wire)]:
        found += reader.feed(wire[start:cut])
        start = max(start, cut)
    *pieces, last = found
    assert last == Control(frames.PING, 0, struct.pack(">I", 7))
    assert b"".join(p.data for p in pieces if isinstance(p, Data)) == b"".join(data for _, data, _ in sent)
    ends = [p.stream for p in pieces if isinstance(p, Data) and p.fin]
    assert ends == [number for number, _, fin in sent if fin]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_end_in_frames_or_a_spdy_error(pieces: list[bytes]) -> None:
    reader, headers = FrameReader(), HeaderReader()
    with contextlib.suppress(SpdyError):
        for piece in pieces:
            for frame in reader.feed(piece):
                if isinstance(frame, Control) and frame.type == frames.SYN_STREAM:
                    headers.read(frames.syn_stream(frame).block)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_connection_survives_any_frames(data: st.DataObject) -> None:
    """Whatever frames come: the connection ends with an SpdyError or goes on; nothing else is raised."""

    async def scenario() -> None:
        client = Client()
        async with connected(client) as (_, running):
            for _ in range(data.draw(st.integers(1, 8))):
                kind = data.draw(st.integers(0, 10))
                payload = data.draw(st.binary(max_size=40))
                number = data.draw(st.integers(0, 9))
                if kind == 0:
                    client.wire.send(frames.data(number, payload, fin=data.draw(st.booleans())))
                elif kind == 1:
                    client.open(number, streamtype="data")
                else:
                    client.wire.send(frames.control(kind, payload, data.draw(st.integers(0, 3))))
            await settle()
            if running.done():
                assert isinstance(running.exception(), SpdyError)

    asyncio.run(scenario())


def test_too_long_a_control_frame_is_refused() -> None:
    with pytest.raises(SpdyError, match="too long"):
        FrameReader().feed(struct.pack(">HHI", 0x8003, frames.SYN_STREAM, frames.MAX_CONTROL + 1))


def test_another_version_is_refused() -> None:
    with pytest.raises(SpdyError, match="version 2"):
        FrameReader().feed(struct.pack(">HHI", 0x8002, frames.PING, 4))


async def test_a_stream_there_and_back() -> None:
    client = Client()
    async with connected(client) as (connection, _):
        client.open(1, StreamType="data", Port="80")
        stream = await accepted(connection)
        assert stream.headers == {"streamtype": "data", "port": "80"}
        client.wire.send(frames.data(1, b"to"), frames.data(1, b" you", fin=True))
        received = b""
        while piece := await stream.read():
            received += piece
        assert received == b"to you"
        await stream.write(b"and back")
        await stream.close()
        await stream.write(b"never")
        assert client.data(1) == b"and back"
        assert client.types() == [frames.SYN_REPLY]
        assert [f.fin for f in client.wire.sent if isinstance(f, Data)] == [False, True]


async def test_pings_are_answered_and_what_is_not_known_is_passed_over() -> None:
    client = Client()
    async with connected(client) as (connection, running):
        client.wire.send(
            frames.ping(1),
            frames.ping(2),
            frames.control(frames.SETTINGS, struct.pack(">I", 0)),
            frames.control(frames.WINDOW_UPDATE, struct.pack(">II", 1, 65536)),
            frames.control(77, b"what"),
        )
        client.open(1)
        await accepted(connection)
        assert client.types() == [frames.PING, frames.SYN_REPLY]
        assert not running.done()


async def test_a_stream_that_nobody_reads_holds_up_the_connection() -> None:
    client = Client()
    async with connected(client) as (connection, _):
        client.open(1)
        stream = await accepted(connection)
        client.wire.send(*(frames.data(1, b"x" * 32768) for _ in range(20)), frames.ping(1))
        await settle()
        assert frames.PING not in client.types()
        received = len(await stream.read())
        assert received < STREAM_BUFFER + 32768
        while received < 20 * 32768:
            received += len(await stream.read())
        await settle()
        assert frames.PING in client.types()


async def test_a_reset_ends_both_directions() -> None:
    client = Client()
    async with connected(client) as (connection, _):
        client.open(1)
        stream = await accepted(connection)
        client.wire.send(frames.rst_stream(1, frames.CANCEL))
        assert await stream.read() == b""
        await stream.write(b"nobody")
        assert client.data(1) == b""
        # What was on its way is passed over.
        client.wire.send(frames.data(1, b"late"), frames.ping(1))
        await settle()
        assert client.types() == [frames.SYN_REPLY, frames.PING]


async def test_streams_with_bad_headers_and_after_the_last_are_refused() -> None:
    client = Client()
    async with connected(client) as (connection, _):
        client.open(1, bad="yes")
        client.open(3)
        await accepted(connection)
        connection.refuse_streams()
        client.open(5)
        await settle()
        assert client.types() == [frames.RST_STREAM, frames.SYN_REPLY, frames.RST_STREAM]
        assert await connection.accept() is None


@pytest.mark.parametrize("number", [2, 1, 0])
async def test_a_wrong_stream_number_ends_the_connection(number: int) -> None:
    client = Client()
    async with connected(client) as (connection, running):
        client.open(1)
        await accepted(connection)
        client.open(number)
        with pytest.raises(SpdyError):
            await running
        assert client.types()[-1] == frames.GOAWAY


async def test_the_end_of_the_client_ends_its_streams() -> None:
    client = Client()
    async with connected(client) as (connection, running):
        client.open(1)
        stream = await accepted(connection)
        client.wire.send(b"")
        assert await stream.read() == b""
        await running
        assert await connection.accept() is None
