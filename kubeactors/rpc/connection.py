"""One connection: frames in, frames out, windows. What the frames ask for is the server's to say."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol, cast

from kubeactors.rpc import frames as f
from kubeactors.rpc import headers
from kubeactors.rpc.flood import FloodGuard
from kubeactors.rpc.frames import Code, ConnectionBroken
from kubeactors.rpc.headers import RequestHeaders
from kubeactors.rpc.stream import Request, Stream

logger = logging.getLogger(__name__)

STREAM_WINDOW = 1024 * 1024
CONNECTION_WINDOW = 64 * 1024 * 1024
FRAME_BYTES = 1024 * 1024
"""The largest frame that is taken."""
CREDIT_BYTES = 256 * 1024
"""Windows are given back in portions of at least this."""
QUEUE_BYTES = 1024 * 1024
"""Whole messages of one call that may wait for its reader; then the client gets no more window."""
HEADER_BYTES = 64 * 1024
TURN_BYTES = 256 * 1024
SILENCE_SECONDS, ANSWER_SECONDS = 30.0, 3.0

_DATA, _HEADERS = f.DATA, f.HEADERS
_ANSWER = f.head(f.HEADERS, f.END_HEADERS, 0, len(headers.ANSWER))[:5]
_TRAILERS = f.head(f.HEADERS, f.END_HEADERS | f.END_STREAM, 0, len(headers.OK))[:5]
_number = f.NUMBER.pack


class TooLarge(Exception):
    """A message beyond what this server takes."""


class Calls(Protocol):
    """The server. `max_held`: bytes of messages of one connection that have not come whole; `max_streams`: calls of one
    connection. None: as many as come."""

    max_message: int
    max_held: int | None
    max_streams: int | None

    def request(self, found: Sequence[tuple[bytes, bytes]]) -> Request: ...

    def begin(self, connection: Connection, stream: Stream) -> None:
        """The headers of a call have come."""

    def message(self, connection: Connection, stream: Stream, message: bytes) -> None:
        """The next message of its request."""

    def request_ended(self, connection: Connection, stream: Stream) -> None: ...

    def too_large(self, connection: Connection, stream: Stream, error: TooLarge) -> None: ...

    def reset(self, stream: Stream) -> None:
        """The call is over before it was answered; the stream is closed."""

    def connected(self, connection: Connection) -> None: ...

    def broken(self, connection: Connection, error: ConnectionBroken) -> None:
        """The other side is told what it did, and the connection ends."""

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """What is sent in one turn of the loop leaves in one write.

    `silence`: after so many seconds without a byte the other side is asked for a sign of life; `answer` seconds later
    it counts as gone.
    """

    def __init__(self, calls: Calls, silence: float | None = None, answer: float | None = None) -> None:
        self.streams: dict[int, Stream] = {}
        self.transport: asyncio.Transport | None = None
        self._calls = calls
        self._silence = SILENCE_SECONDS if silence is None else silence
        self._answer = ANSWER_SECONDS if answer is None else answer
        self._loop = asyncio.get_running_loop()
        self._headers = RequestHeaders()
        self._requests: dict[int, tuple[object, Request]] = {}
        self._rest = b""
        self._greeted = False
        self._last_stream = 0
        self._draining = False
        self._block: tuple[int, int, bytearray] | None = None  # headers that go on in the next frame
        self._out: list[bytes] = []
        self._out_bytes = 0
        self.urgent = False
        """The next message does not wait for the end of this turn of the loop."""
        self._flush_due = False
        self._reading = False
        self._paused = False
        self._window = f.DEFAULT_WINDOW
        self._stream_window = f.DEFAULT_WINDOW
        self._max_frame = f.DEFAULT_FRAME
        self._taken = 0
        self._held = 0
        self._flood = FloodGuard(calls.max_streams, self._loop.time)
        self.notes: dict[str, Any] = {}
        """What a service knows of this connection and wants to keep. Any: only it knows the types."""
        self._blocked: dict[int, Stream] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._heard = True
        self._watchdog: asyncio.TimerHandle | None = None

    @property
    def tls(self) -> ssl.SSLObject | None:
        """None without TLS, and when the connection is lost."""
        found: ssl.SSLObject | None = (
            self.transport.get_extra_info("ssl_object") if self.transport is not None else None
        )
        return found

    # ---- life ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        settings = [(f.SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW), (f.SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES)]
        if self._calls.max_streams is not None:
            settings.append((f.SETTINGS_MAX_CONCURRENT_STREAMS, self._calls.max_streams))
        self._send(f.settings(*settings) + f.window_update(0, CONNECTION_WINDOW - f.DEFAULT_WINDOW))
        self._watchdog = self._loop.call_later(self._silence, self._look)
        self._calls.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._out.clear()
        for stream in list(self.streams.values()):
            self._gone(stream)
        self._wake_writers()
        self._calls.lost(self)

    def drain(self) -> None:
        """Take no new calls; the client is told so, and may repeat those elsewhere that it makes meanwhile."""
        if not self._draining:
            self._draining = True
            self._send(f.go_away(self._last_stream, Code.NO_ERROR))

    def close(self) -> None:
        if self.transport is not None:
            self._flush()
            self.transport.close()

    def _look(self) -> None:
        if self.transport is None:
            return
        if self._heard:
            self._heard = False
            self._watchdog = self._loop.call_later(self._silence, self._look)
        else:
            self._send(f.frame(f.PING, 0, 0, bytes(8)))
            self._watchdog = self._loop.call_later(self._answer, self._look_again)

    def _look_again(self) -> None:
        if self._heard:
            self._look()
        elif self.transport is not None:
            logger.info("%s is gone without a word", self.transport.get_extra_info("peername"))
            self.transport.abort()

    # ---- frames in ----

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._reading = True
        try:
            self._take(self._rest + data if self._rest else data)
        except ConnectionBroken as error:
            logger.info("connection ended: %s", error)
            self._calls.broken(self, error)
            self._send(f.go_away(self._last_stream, error.code, str(error)))
            self._draining = True
            self._rest = b""
            if self.transport is not None:
                self._flush()
                if self._paused:
                    self.transport.abort()  # it does not read, and would not let the connection end
                else:
                    self.transport.close()
        finally:
            self._reading = False
        if self._out:
            self._flush()

    def _take(self, data: bytes) -> None:
        position, end = 0, len(data)
        if not self._greeted:
            if not f.PREFACE.startswith(data[: len(f.PREFACE)]):
                raise ConnectionBroken(Code.PROTOCOL_ERROR, "this is no HTTP/2")
            if end < len(f.PREFACE):
                self._rest = data
                return
            self._greeted = True
            position = len(f.PREFACE)
        unpack = f.HEAD.unpack_from
        while end - position >= 9:
            high, low, kind, flags, number = unpack(data, position)
            length = high << 8 | low
            if length > FRAME_BYTES:
                raise ConnectionBroken(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            after = position + 9 + length
            if after > end:
                break
            payload = data[position + 9 : after]
            position = after
            if self._block is not None and kind != f.CONTINUATION:
                raise ConnectionBroken(Code.PROTOCOL_ERROR, "headers that do not go on")
            if kind == _DATA:
                self._on_data(number, flags, payload)
            elif kind == _HEADERS:
                if flags & (f.PADDED | f.PRIORITISED):
                    payload = f.without_padding(flags, payload)
                if flags & f.END_HEADERS:
                    self._on_headers(number, flags, payload)
                else:
                    self._block = (number, flags, bytearray(payload))
            else:
                self._on_control(kind, flags, number, payload)
        self._rest = data[position:] if position < end else b""

    def _on_headers(self, number: int, flags: int, block: bytes) -> None:
        found = self._headers.decode(block)  # also of a call that is not taken: the next block depends on it
        stream = self.streams.get(number)
        if stream is not None:
            if flags & f.END_STREAM:
                self._request_ended(stream)
            return
        if not number % 2 or number <= self._last_stream:
            if number % 2 and number <= self._last_stream:
                return  # trailers of a call that is over
            raise ConnectionBroken(Code.PROTOCOL_ERROR, f"stream {number} cannot be opened")
        most = self._calls.max_streams
        if self._paused:
            self._flood.unread_answer()
        if self._draining or (most is not None and len(self.streams) >= most):
            if not self._draining:
                self._last_stream = number
            self._send(f.reset(number, Code.REFUSED_STREAM))
            return
        self._last_stream = number
        # The same list means the same bytes: see RequestHeaders.
        known = self._requests.get(id(found))
        if known is not None and known[0] is found:
            request = known[1]
        else:
            request = self._calls.request(found)
            if len(self._requests) >= headers.MAX_KNOWN:
                self._requests.clear()
            self._requests[id(found)] = (found, request)
        stream = self.streams[number] = Stream(number, request, self._stream_window)
        self._calls.begin(self, stream)
        if flags & f.END_STREAM:
            self._request_ended(stream)

    def _on_data(self, number: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        self._taken += size
        if self._taken >= CONNECTION_WINDOW // 4:
            self._send(f.window_update(0, self._taken))
            self._taken = 0
        if flags & f.PADDED:
            payload = f.without_padding(flags & ~f.PRIORITISED, payload)
        stream = self.streams.get(number)
        if stream is None:
            if number > self._last_stream or not number:
                raise ConnectionBroken(Code.PROTOCOL_ERROR, f"data for stream {number}, which was not opened")
            return  # of a call that is over
        if stream.remote_closed:
            raise ConnectionBroken(Code.STREAM_CLOSED, f"data after the end of stream {number}")
        if flags & f.END_STREAM:
            stream.remote_closed = True
        else:
            stream.uncredited += size
            if stream.uncredited >= CREDIT_BYTES and stream.queued < QUEUE_BYTES:
                self._credit(stream)
        try:
            self._messages(stream, payload)
        except TooLarge as error:
            self._calls.too_large(self, stream, error)
            return
        if flags & f.END_STREAM:
            self._calls.request_ended(self, stream)

    def _messages(self, stream: Stream, data: bytes) -> None:
        parts = stream.parts
        if parts:
            # A long message comes in many pieces, which are put together once.
            parts.append(data)
            stream.missing -= len(data)
            self._hold(len(data))
            if stream.missing > 0:
                return
            data = b"".join(parts)
            parts.clear()
            self._hold(-len(data))
        size = 0
        while len(data) >= 5:
            size = int.from_bytes(data[1:5], "big")
            if size > self._calls.max_message:
                raise TooLarge(f"Received message larger than max ({size} vs. {self._calls.max_message})")
            if len(data) < 5 + size:
                break
            if data[0]:
                raise TooLarge("Messages cannot be compressed here")
            self._calls.message(self, stream, data[5 : 5 + size])
            data = data[5 + size :]
            size = 0
        if data and not stream.closed:
            parts.append(data)
            stream.missing = 5 + size - len(data)
            self._hold(len(data))

    def _hold(self, size: int) -> None:
        """So many bytes more of messages that have not come whole."""
        self._held += size
        if self._calls.max_held is not None and self._held > self._calls.max_held:
            raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, f"messages begun of {self._held} bytes")

    def _request_ended(self, stream: Stream) -> None:
        stream.remote_closed = True
        self._calls.request_ended(self, stream)

    def consumed(self, stream: Stream, size: int) -> None:
        """The call's reader has taken a message of this size."""
        stream.queued -= size
        if stream.uncredited >= CREDIT_BYTES and stream.queued < QUEUE_BYTES and not stream.remote_closed:
            self._credit(stream)

    def _credit(self, stream: Stream) -> None:
        self._send(f.window_update(stream.number, stream.uncredited))
        stream.uncredited = 0

    def _on_control(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == f.WINDOW_UPDATE and len(payload) == 4:
            self._on_window(number, f.NUMBER.unpack(payload)[0] & f.MAX_WINDOW)
        elif kind == f.RST_STREAM and len(payload) == 4:
            stream = self.streams.get(number)
            if stream is not None:
                self._on_reset(stream)
        elif kind == f.PING and len(payload) == 8:
            if not flags & f.ACK:
                if self._paused:
                    self._flood.unread_answer()
                self._send(f.frame(f.PING, f.ACK, 0, payload))
        elif kind == f.SETTINGS and not len(payload) % 6:
            if not flags & f.ACK:
                if self._paused:
                    self._flood.unread_answer()
                self._send(f.frame(f.SETTINGS, f.ACK, 0, b""))  # before anything that a larger window lets go
                self._on_settings(payload)
        elif kind == f.CONTINUATION:
            self._on_continuation(flags, number, payload)
        elif kind in (f.WINDOW_UPDATE, f.RST_STREAM, f.PING, f.SETTINGS):
            raise ConnectionBroken(Code.FRAME_SIZE_ERROR, f"a frame of type {kind} with {len(payload)} bytes")
        elif kind == f.PUSH_PROMISE:
            raise ConnectionBroken(Code.PROTOCOL_ERROR, "a client cannot push")
        # GOAWAY: the client opens no more calls. PRIORITY, and types to come: nothing to do (section 5.5).

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != number:
            raise ConnectionBroken(Code.PROTOCOL_ERROR, "a continuation of nothing")
        first, first_flags, block = self._block
        if not payload and not flags & f.END_HEADERS:
            raise ConnectionBroken(Code.ENHANCE_YOUR_CALM, "a continuation that says nothing")
        block += payload
        if len(block) > HEADER_BYTES:
            raise ConnectionBroken(Code.PROTOCOL_ERROR, f"headers of more than {HEADER_BYTES} bytes")
        if flags & f.END_HEADERS:
            self._block = None
            self._on_headers(first, first_flags, bytes(block))

    def _on_reset(self, stream: Stream) -> None:
        """The client does not want the answer any more."""
        task = stream.task
        begun = stream.messages is not None and stream.trailers is None  # of a direct call, which has no task
        working = begun if task is None else not task.done()
        self._gone(stream)
        stream.abandoned = working
        if working and task is not None:
            task.add_done_callback(lambda _: self._work_ended(stream))
        self._flood.reset(working=working)

    def _work_ended(self, stream: Stream) -> None:
        if stream.abandoned:
            stream.abandoned = False
            self._flood.work_ended()

    def _on_settings(self, payload: bytes) -> None:
        for name, value in f.SETTING.iter_unpack(payload):
            if name == f.SETTINGS_INITIAL_WINDOW_SIZE:
                if value > f.MAX_WINDOW:
                    raise ConnectionBroken(Code.FLOW_CONTROL_ERROR, f"a window of {value}")
                grown, self._stream_window = value - self._stream_window, value
                for stream in self.streams.values():
                    stream.window += grown
                self._unblock()
            elif name == f.SETTINGS_MAX_FRAME_SIZE:
                self._max_frame = max(f.DEFAULT_FRAME, min(value, FRAME_BYTES))

    def _on_window(self, number: int, increment: int) -> None:
        if number:
            stream = self.streams.get(number)
            if stream is not None:
                stream.window += increment
                if stream.held:
                    self._send_held(stream)
            return
        self._window += increment
        if self._window > f.MAX_WINDOW:
            raise ConnectionBroken(Code.FLOW_CONTROL_ERROR, "the window is too large")
        self._unblock()

    # ---- frames out ----

    def answer(self, stream: Stream, message: bytes) -> None:
        """The whole answer of a unary call that went well."""
        if stream.closed:
            self._work_ended(stream)
            return
        size = len(message) + 5
        number = _number(stream.number)
        if size > self._window or size > stream.window or size > self._max_frame or stream.headers_sent:
            self.send_message(stream, message)
            self.finish(stream, headers.OK)
            return
        self._window -= size
        self._out_bytes += size
        self._out.append(
            b"".join(
                (
                    _ANSWER,
                    number,
                    headers.ANSWER,
                    f.head(_DATA, 0, stream.number, size),
                    b"\0",
                    _number(size - 5),
                    message,
                    _TRAILERS,
                    number,
                    headers.OK,
                )
            )
        )
        self._end(stream)
        if not self._flush_due and not self._reading:
            self._flush_soon()

    def send_headers(self, stream: Stream, metadata: bytes = b"") -> None:
        if not stream.headers_sent and not stream.closed:
            stream.headers_sent = True
            self._send(f.frame(_HEADERS, f.END_HEADERS, stream.number, headers.ANSWER + metadata))

    def send_message(self, stream: Stream, message: bytes) -> None:
        """Whether it could leave at once is for `blocked` to say."""
        if stream.closed:
            return
        if not stream.headers_sent:
            self.send_headers(stream)
        size = len(message) + 5
        if stream.held or size > self._window or size > stream.window or size > self._max_frame:
            stream.held = b"".join((stream.held[stream.held_from :], b"\0", _number(size - 5), message))
            stream.held_from = 0
            self._send_held(stream)
        else:
            self._window -= size
            stream.window -= size
            self._send(b"".join((f.head(_DATA, 0, stream.number, size), b"\0", _number(size - 5), message)))
        if self.urgent:
            self.urgent = False
            self._flush()

    def finish(self, stream: Stream, trailers: bytes) -> None:
        """End the call."""
        if stream.closed:
            self._work_ended(stream)
            return
        if stream.held:
            stream.trailers = trailers
            return
        if not stream.headers_sent:
            trailers = headers.ANSWER + trailers
        self._send(f.frame(_HEADERS, f.END_HEADERS | f.END_STREAM, stream.number, trailers))
        self._end(stream)

    def refuse(self, stream: Stream, block: bytes) -> None:
        """End the call with these headers and nothing else."""
        stream.headers_sent = True
        self.finish(stream, block)

    @property
    def full(self) -> bool:
        """So much waits for the end of this turn of the loop that whoever sends more should let it end."""
        return self._out_bytes > TURN_BYTES

    def blocked(self, stream: Stream) -> bool:
        """The client does not read what this call has sent."""
        return bool(stream.held) or self._paused

    def writable(self, stream: Stream) -> bool:
        """`wait_for_room` would not wait."""
        return not self.full and not self.blocked(stream)

    async def wait_for_room(self, stream: Stream) -> None:
        """Until this call may send more, or it is over."""
        if self.full:
            await asyncio.sleep(0)
        while self.blocked(stream) and not stream.closed:
            await self.unblocked(stream)

    def unblocked(self, stream: Stream) -> asyncio.Future[None]:
        """Done when `blocked` is to be asked again, or the stream is closed."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        if stream.closed or self.transport is None:
            waiter.set_result(None)
        elif stream.held:
            stream.writer = waiter
        else:
            self._waiting.append(waiter)
        return waiter

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flood.reads_again()
        self._wake_writers()

    def _wake_writers(self) -> None:
        while self._waiting:
            _set(self._waiting.popleft())

    def _send_held(self, stream: Stream) -> None:
        """As much as the windows allow."""
        held, start = stream.held, stream.held_from
        while start < len(held):
            size = min(len(held) - start, self._window, stream.window, self._max_frame)
            if size <= 0:
                break
            self._window -= size
            stream.window -= size
            self._send(f.frame(_DATA, 0, stream.number, held[start : start + size]))
            start += size
        if start < len(held):
            stream.held_from = start
            self._blocked[stream.number] = stream
            return
        stream.held, stream.held_from = b"", 0
        self._blocked.pop(stream.number, None)
        if stream.writer is not None:
            _set(stream.writer)
            stream.writer = None
        if stream.trailers is not None:
            self.finish(stream, stream.trailers)

    def _unblock(self) -> None:
        for stream in list(self._blocked.values()):
            if self._window <= 0:
                return
            self._send_held(stream)

    def _end(self, stream: Stream) -> None:
        """The answer is complete."""
        if not stream.remote_closed:
            self._send(f.reset(stream.number, Code.NO_ERROR))
        self._forget(stream)

    def _gone(self, stream: Stream) -> None:
        """The client does not want the answer any more, or cannot get it."""
        self._forget(stream)
        self._calls.reset(stream)

    def _forget(self, stream: Stream) -> None:
        stream.closed = True
        self.streams.pop(stream.number, None)
        if stream.parts:
            self._held -= sum(map(len, stream.parts))
            stream.parts.clear()
        if stream.held:
            stream.held = b""
            self._blocked.pop(stream.number, None)
        if stream.writer is not None:
            _set(stream.writer)
            stream.writer = None
        if stream.on_closed is not None:
            for call in stream.on_closed:
                call()

    def _send(self, encoded: bytes) -> None:
        self._out.append(encoded)
        self._out_bytes += len(encoded)
        if not self._flush_due and not self._reading:
            self._flush_soon()

    def _flush_soon(self) -> None:
        self._flush_due = True
        self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flush_due = False
        self._flush()

    def _flush(self) -> None:
        out = self._out
        if out and self.transport is not None:
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        self._out_bytes = 0


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
