"""A SPDY connection, the server's side: streams that the client opens, each with a bounded buffer.

Kubernetes' clients send no WINDOW_UPDATE and heed none (spdystream has no flow control), so a stream that is not read
holds up the connection: reading stops until there is room, and TCP slows the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from kubeactors.apiserver.streams.spdy import frames
from kubeactors.apiserver.streams.spdy.frames import Control, Data, FrameReader, SpdyError
from kubeactors.apiserver.streams.spdy.headers import HeaderReader, HeaderWriter

#: Bytes that a stream keeps unread before the connection waits.
STREAM_BUFFER = 128 * 1024
#: Streams that may be open at once.
MAX_STREAMS = 1024
_MAX_FRAME = 64 * 1024


class ByteStream(Protocol):
    """What frames travel on."""

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; the bytes are in order of the calls. Waits while the peer is slow. Raises ConnectionError."""
        ...


class SpdyStream:
    """One stream. Reading and writing end independently."""

    def __init__(self, connection: SpdyConnection, number: int, headers: dict[str, str]) -> None:
        self.number = number
        #: By lower-case name.
        self.headers = headers
        self._connection = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False  # by the peer
        self._closed = False  # by us
        self._discarded = False

    async def read(self) -> bytes:
        """What has come; empty at the end, which a reset is, too."""
        while not self._pieces:
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return data

    async def write(self, data: bytes) -> None:
        """Send; nothing once the stream is closed or reset. Raises ConnectionError."""
        for start in range(0, len(data), _MAX_FRAME):
            if self._closed:
                return
            await self._connection.send(frames.data(self.number, data[start : start + _MAX_FRAME]))

    async def close(self) -> None:
        """The end of what we write. Idempotent."""
        if not self._closed:
            self._closed = True
            self._connection.forget_if_done(self)
            await self._connection.send(frames.data(self.number, b"", fin=True))

    async def reset(self, reason: int = frames.CANCEL) -> None:
        """Break off both directions. Idempotent."""
        if not (self._closed and self._ended):
            self._closed = True
            self.end()
            self._connection.forget_if_done(self)
            await self._connection.send(frames.rst_stream(self.number, reason))

    @property
    def done(self) -> bool:
        """Whether both sides have ended."""
        return self._closed and self._ended

    # --- what the connection calls

    async def feed(self, data: bytes, *, fin: bool) -> None:
        """Data of the peer; waits while there is no room."""
        if self._ended:
            return
        if data and not self._discarded:
            self._pieces.append(data)
            self._size += len(data)
        if fin:
            self.end()
        self._changed.set()
        if self._size >= STREAM_BUFFER and not self._ended:
            self._room.clear()
            await self._room.wait()

    def end(self, *, reset: bool = False) -> None:
        """The peer sends no more; with `reset` it takes no more either."""
        self._ended = True
        if reset:
            self._closed = True
        self._changed.set()
        self._room.set()

    def discard(self) -> None:
        """Nobody reads this stream any more: what comes is dropped."""
        self._discarded = True
        self._pieces.clear()
        self._size = 0
        self._room.set()


#: Whether a stream with these headers is taken: None, or what is wrong with it.
Check = Callable[[dict[str, str]], str | None]


class SpdyConnection:
    """Reads frames in `run`; `accept` gives the streams as the client opens them."""

    def __init__(self, stream: ByteStream, check: Check = lambda headers: None) -> None:
        self._stream = stream
        self._check = check
        self._frames = FrameReader()
        self._headers_in = HeaderReader()
        self._headers_out = HeaderWriter()
        self._streams: dict[int, SpdyStream] = {}
        self._last = 0
        self._opened: asyncio.Queue[SpdyStream | None] = asyncio.Queue()
        self._leaving = False

    async def accept(self) -> SpdyStream | None:
        """The next stream that the client opens; None when there will be no more."""
        if self._leaving and self._opened.empty():
            return None
        return await self._opened.get()

    def refuse_streams(self) -> None:
        """Take no more streams."""
        self._leave()

    async def run(self) -> None:
        """Serve until the client has gone. Raises SpdyError (the client was told) or ConnectionError."""
        try:
            while data := await self._stream.read():
                for frame in self._frames.feed(data):
                    if isinstance(frame, Data):
                        await self._on_data(frame)
                    else:
                        await self._on_control(frame)
        except SpdyError:
            await self.send(frames.goaway(self._last, 1))
            raise
        finally:
            self._end()

    async def send(self, frame: bytes) -> None:
        """Send a frame. Raises ConnectionError."""
        await self._stream.write(frame)

    async def go_away(self) -> None:
        """Tell the client that this is the end."""
        await self.send(frames.goaway(self._last))

    def forget_if_done(self, stream: SpdyStream) -> None:
        if stream.done:
            self._streams.pop(stream.number, None)

    def _end(self) -> None:
        for stream in list(self._streams.values()):
            stream.end(reset=True)
        self._streams.clear()
        self._leave()

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            self._opened.put_nowait(None)

    async def _on_data(self, frame: Data) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            return  # it was reset, and this was on its way
        await stream.feed(frame.data, fin=frame.fin)
        self.forget_if_done(stream)

    async def _on_control(self, frame: Control) -> None:
        if frame.type == frames.SYN_STREAM:
            await self._on_syn_stream(frame)
        elif frame.type == frames.RST_STREAM:
            stream = self._streams.pop(frames.stream_of(frame), None)
            if stream is not None:
                stream.end(reset=True)
        elif frame.type == frames.PING:
            number = frames.stream_of(frame)
            if number % 2:  # ours would be even
                await self.send(frames.ping(number))
        elif frame.type == frames.GOAWAY:
            self._leave()
        elif frame.type in (frames.HEADERS, frames.SYN_REPLY):
            # Their blocks belong to the stream of compressed headers.
            self._headers_in.read(frame.payload[4:])
        # SETTINGS and WINDOW_UPDATE bind nobody here; unknown types are to be ignored (section 2.2.1).

    async def _on_syn_stream(self, frame: Control) -> None:
        opened = frames.syn_stream(frame)
        headers = self._headers_in.read(opened.block)
        number = opened.stream
        if number % 2 == 0 or number <= self._last:
            raise SpdyError(f"stream {number} cannot be opened after stream {self._last}")
        self._last = number
        if self._leaving or len(self._streams) >= MAX_STREAMS:
            await self.send(frames.rst_stream(number, frames.REFUSED_STREAM))
            return
        if self._check(headers) is not None:
            await self.send(frames.rst_stream(number, frames.CANCEL))
            return
        stream = SpdyStream(self, number, headers)
        if opened.fin:
            stream.end()
        self._streams[number] = stream
        await self.send(frames.syn_reply(number, self._headers_out.write({})))
        self._opened.put_nowait(stream)
