"""The other end of a stream: one connection with one call on it, as long as both live."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit

import grpc.aio
from google.protobuf.message import Message

from kubeactors.rpc import frames as f
from kubeactors.rpc import headers
from kubeactors.rpc.connection import Connection, TooLarge
from kubeactors.rpc.frames import ConnectionBroken
from kubeactors.rpc.headers import Metadata
from kubeactors.rpc.stream import Request, Stream

UNAVAILABLE = 14
Sent = TypeVar("Sent", bound=Message)
Got = TypeVar("Got", bound=Message)


class CallEnded(Exception):
    """The call has ended with this gRPC status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Client(Connection):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._greeted = True
        self._send(f.PREFACE)
        super().connection_made(transport)

    def open(self, path: str, authority: str, scheme: str, metadata: Metadata) -> Stream:
        number = self._last_stream = 1
        stream = self.streams[number] = Stream(number, Request(None, path, (), None), self._stream_window)
        stream.messages = deque()
        stream.headers_sent = True
        self._send(f.frame(f.HEADERS, f.END_HEADERS, number, headers.call(path, authority, scheme, metadata)))
        return stream

    def end_request(self, stream: Stream) -> None:
        if not stream.closed:
            self._send(f.frame(f.DATA, f.END_STREAM, stream.number, b""))

    def _on_headers(self, number: int, flags: int, block: bytes) -> None:
        found = self._headers.decode(block)
        stream = self.streams.get(number)
        if stream is not None and flags & f.END_STREAM:
            stream.remote_closed = True
            assert isinstance(self._calls, ClientStream)
            self._calls.trailers(stream, found)


class ClientStream(Generic[Sent, Got]):
    """A call in both directions, in the shape of grpc.aio's. Use `open`, and `close` in the end."""

    max_message = f.MAX_WINDOW
    max_held: int | None = None
    max_streams: int | None = None

    def __init__(self, parse: Callable[[bytes], Got]) -> None:
        self._parse = parse
        self._loop = asyncio.get_running_loop()
        self._connection: _Client
        self._stream: Stream
        self._ended: CallEnded | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        context: ssl.SSLContext | None,
        path: str,
        parse: Callable[[bytes], Got],
        silence: float | None = None,
        answer: float | None = None,
        metadata: Metadata = (),
    ) -> ClientStream[Sent, Got]:
        """`silence`, `answer`: see Connection. Raises OSError."""
        parts = urlsplit(url)
        stream = cls(parse)
        _, stream._connection = await stream._loop.create_connection(
            lambda: _Client(stream, silence, answer), str(parts.hostname), parts.port or 443, ssl=context
        )
        stream._stream = stream._connection.open(path, parts.netloc, parts.scheme, metadata)
        return stream

    async def write(self, message: Sent) -> None:
        """Raises CallEnded."""
        connection, stream = self._connection, self._stream
        if stream.closed or self._ended is not None:
            raise self._ended or CallEnded(UNAVAILABLE, "the call is closed")
        connection.send_message(stream, message.SerializeToString())
        await connection.wait_for_room(stream)

    @property
    def writable(self) -> bool:
        """`write` would not wait."""
        return self._connection.writable(self._stream)

    def put_now(self, message: Sent) -> None:
        """`write` without waiting, while `writable`; it leaves at once and not with what else is written in this turn
        of the loop. Raises CallEnded."""
        connection, stream = self._connection, self._stream
        if stream.closed or self._ended is not None:
            raise self._ended or CallEnded(UNAVAILABLE, "the call is closed")
        connection.urgent = True
        connection.send_message(stream, message.SerializeToString())

    def unblocked(self) -> asyncio.Future[None]:
        """Done when `writable` is to be asked again, or the call is over."""
        return self._connection.unblocked(self._stream)

    def listen(self, received: Callable[[Got], None]) -> None:
        """Have `received` called with every message from now on, as it comes; `read` then only waits for the end."""
        parse = self._parse
        self._stream.listen(lambda data: received(parse(data)))

    async def read(self) -> Got:
        """grpc.aio.EOF when the other side has ended it well. Raises CallEnded."""
        stream = self._stream
        messages = stream.messages
        assert messages is not None
        while not messages:
            if self._ended is not None:
                if self._ended.code:
                    raise self._ended
                eof: Got = grpc.aio.EOF
                return eof
            stream.reader = self._loop.create_future()
            await stream.reader
        message = messages.popleft()
        self._connection.consumed(stream, len(message))
        return self._parse(message)

    async def done_writing(self) -> None:
        self._connection.end_request(self._stream)

    def close(self) -> None:
        """Whatever state it is in."""
        self._end(CallEnded(UNAVAILABLE, "the call was closed"))
        self._connection.close()

    # ---- what the connection tells (connection.Calls) ----

    def request(self, found: Sequence[tuple[bytes, bytes]]) -> Request:
        raise NotImplementedError("a server opens no calls")

    def begin(self, connection: Connection, stream: Stream) -> None:
        raise NotImplementedError("a server opens no calls")

    def message(self, connection: Connection, stream: Stream, message: bytes) -> None:
        stream.deliver(message)

    def request_ended(self, connection: Connection, stream: Stream) -> None:
        self._end(CallEnded(UNAVAILABLE, "the stream was ended without a status"))

    def trailers(self, stream: Stream, found: Sequence[tuple[bytes, bytes]]) -> None:
        fields = dict(found)
        status = fields.get(b"grpc-status", b"")
        text = unquote(fields.get(b"grpc-message", b"").decode("ascii", "replace"))
        if not status.isdigit():
            status, text = b"2", f"the answer is no gRPC: status {fields.get(b':status', b'').decode()}"
        self._end(CallEnded(int(status), text))

    def too_large(self, connection: Connection, stream: Stream, error: TooLarge) -> None:
        self._end(CallEnded(UNAVAILABLE, str(error)))

    def reset(self, stream: Stream) -> None:
        self._end(CallEnded(UNAVAILABLE, "the connection broke"))

    def connected(self, connection: Connection) -> None: ...

    def broken(self, connection: Connection, error: ConnectionBroken) -> None:
        """`reset` follows."""

    def lost(self, connection: Connection) -> None: ...

    def _end(self, how: CallEnded) -> None:
        if self._ended is None:
            self._ended = how
            self._stream.wake()
