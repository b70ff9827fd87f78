"""A small HTTP/1.1 client: what it costs itself must not drown what it measures."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

#: Longer bodies than this are counted and not kept: what is measured is the server.
KEPT = 1024 * 1024


class Wire(asyncio.BufferedProtocol):
    """One kept-open connection, one request at a time. Understands Content-Length answers only."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        # Decrypted bytes come straight in here, which spares an object for each read.
        self._space = memoryview(bytearray(256 * 1024))
        self._buffer = bytearray()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        #: What the answer is in all, what of it is the head, and what has come.
        self._need, self._head, self._have = -1, 0, 0
        #: Bytes of the last body.
        self.size = 0

    @classmethod
    async def open(cls, host: str, port: int, context: ssl.SSLContext) -> Wire:
        """Connect."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(cls, host, port, ssl=context, server_hostname=host)
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self._have += nbytes
        if self._need < 0:
            self._buffer += self._space[:nbytes]
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            start = head.index(b"content-length:") + 15
            length = int(head[start : head.find(b"\r", start) if head.find(b"\r", start) > 0 else len(head)])
            self._need = end + 4 + length
            self._head = end + 4
        elif self._need < KEPT:
            self._buffer += self._space[:nbytes]
        if self._have >= self._need and self._waiting is not None:
            status, body = int(self._buffer[9:12]), bytes(self._buffer[self._head : self._need])
            self.size = self._need - self._head
            self._buffer.clear()
            self._need, self._have = -1, 0
            waiting, self._waiting = self._waiting, None
            waiting.set_result((status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("closed by the server"))

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: str = "", *, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Status and body of one exchange. `headers` are whole lines, each with its line end. Of one longer
        than `KEPT` only the beginning is given."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}"
        if body:
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        self._transport.write(head.encode() + b"\r\n" + body)
        return await self._waiting

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class WatchWire(asyncio.BufferedProtocol):
    """A watch: calls `seen` with what was read, a part of `space`, which all watches may share."""

    def __init__(self, path: str, seen: Callable[[bytearray, int], None], space: bytearray) -> None:
        self._path = path
        self._seen = seen
        self._space = space
        self._view = memoryview(space)
        self._transport: asyncio.Transport | None = None
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(f"GET {self._path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
        self._seen(self._space, nbytes)

    def close(self) -> None:
        """End the watch."""
        if self._transport is not None:
            self._transport.close()
