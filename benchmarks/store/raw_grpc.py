"""Just enough of gRPC over HTTP/2 to load a server with: some 10 µs of a core for a call where grpcio takes 200.

A server is to be measured, so the client beside it on the same machine must not be what is measured. Request headers
are one constant block (literals without indexing, RFC 7541, 6.2.2), answers' headers are not decoded: a call that ends
with a message succeeded, one that ends without failed.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW = 2**31 - 1
REFILL = 256 * 1024 * 1024
SETTINGS_INITIAL_WINDOW = 4

_FRAME = struct.Struct(">HBBBL")
_SETTING = struct.Struct(">HL")

Received = Callable[[bytes | None], None]
"""One message of the answer, or None when the stream has ended."""


class CallFailed(Exception):
    """The server ended the call, or the connection, without an answer."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return _FRAME.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def request_headers(path: str, authority: str, scheme: str) -> bytes:
    """The header block of every call of this method."""

    def text(value: bytes) -> bytes:
        assert len(value) < 127
        return bytes((len(value),)) + value

    block = b"\x83" + (b"\x87" if scheme == "https" else b"\x86")  # :method POST, :scheme
    block += b"\x04" + text(path.encode()) + b"\x01" + text(authority.encode())
    for name, value in ((b"te", b"trailers"), (b"content-type", b"application/grpc")):
        block += b"\x00" + text(name) + text(value)
    return block


class _Stream:
    __slots__ = ("buffer", "received")

    def __init__(self, received: Received) -> None:
        self.received = received
        self.buffer = b""


class RawConnection(asyncio.Protocol):
    """One connection. What is sent in one turn of the loop leaves in one write."""

    def __init__(self, authority: str, scheme: str) -> None:
        self._authority = authority
        self._scheme = scheme
        self._transport: asyncio.WriteTransport | None = None
        self._paths: dict[str, bytes] = {}
        self._streams: dict[int, _Stream] = {}
        self._next = 1
        self._out: list[bytes] = []
        self._held: deque[bytes] = deque()  # DATA frames that the server's window has no room for
        self._window = 65_535
        self._taken = 0
        self._rest = b""
        self._flush_due = False
        self.lost = ""

    @classmethod
    async def open(cls, url: str, context: ssl.SSLContext | None = None) -> RawConnection:
        """Raises OSError."""
        parts = urlsplit(url)
        assert parts.hostname is not None and parts.port is not None
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: cls(parts.netloc, parts.scheme), parts.hostname, parts.port, ssl=context
        )
        return connection

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # ---- calls ----

    def call(self, path: str, message: bytes, received: Received, *, more: bool = False) -> int:
        """Send one message to the method; `more`: leave the request open. Returns the stream's number."""
        if self.lost:
            raise CallFailed(self.lost)
        block = self._paths.get(path)
        if block is None:
            block = self._paths[path] = request_headers(path, self._authority, self._scheme)
        number, self._next = self._next, self._next + 2
        self._streams[number] = _Stream(received)
        self._out.append(frame(HEADERS, END_HEADERS, number, block))
        body = b"\0" + len(message).to_bytes(4, "big") + message
        for start in range(0, len(body), 16_384):
            part = body[start : start + 16_384]
            last = start + 16_384 >= len(body) and not more
            self._data(frame(DATA, END_STREAM if last else 0, number, part))
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)
        return number

    def _data(self, encoded: bytes) -> None:
        size = len(encoded) - 9
        if self._held or size > self._window:
            self._held.append(encoded)
        else:
            self._window -= size
            self._out.append(encoded)

    def _flush(self) -> None:
        self._flush_due = False
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    # ---- what comes ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass
        settings = _SETTING.pack(SETTINGS_INITIAL_WINDOW, WINDOW)
        update = (WINDOW - 65_535).to_bytes(4, "big")
        transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, update))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self.lost or f"the connection broke: {exc}"
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.received(None)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        position, end = 0, len(data)
        unpack = _FRAME.unpack_from
        while end - position >= 9:
            high, low, kind, flags, number = unpack(data, position)
            after = position + 9 + (high << 8 | low)
            if after > end:
                break
            if kind == DATA:
                self._message(number, data[position + 9 : after])
                if flags & END_STREAM:
                    self._ended(number)
            elif kind == HEADERS:
                if flags & END_STREAM:
                    self._ended(number)
            elif kind == RST_STREAM:
                self._ended(number)
            else:
                self._control(kind, flags, number, data[position + 9 : after])
            position = after
        self._rest = data[position:]
        if self._out:
            self._flush()

    def _message(self, number: int, data: bytes) -> None:
        self._taken += len(data)
        if self._taken > REFILL:
            self._out.append(frame(WINDOW_UPDATE, 0, 0, self._taken.to_bytes(4, "big")))
            self._taken = 0
        stream = self._streams.get(number)
        if stream is None:
            return
        if stream.buffer:
            data = stream.buffer + data
        while len(data) >= 5:
            after = 5 + int.from_bytes(data[1:5], "big")
            if len(data) < after:
                break
            stream.received(data[5:after])
            data = data[after:]
        stream.buffer = data

    def _ended(self, number: int) -> None:
        stream = self._streams.pop(number, None)
        if stream is not None:
            stream.received(None)

    def _control(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            self._out.append(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._out.append(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE and number == 0:
            self._window += int.from_bytes(payload, "big")
            while self._held and len(self._held[0]) - 9 <= self._window:
                self._window -= len(self._held[0]) - 9
                self._out.append(self._held.popleft())
        elif kind == GOAWAY:
            self.lost = f"the server sent GOAWAY: {payload[8:]!r}"
