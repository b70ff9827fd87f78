"""Bytes between two connections, as fast as the slower side takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Side(asyncio.Protocol):
    """One end of a pipe. What comes in goes out at `other`; a side that cannot send stops the other's reading."""

    def __init__(self, on_made: Callable[[Side], None] | None = None) -> None:
        self._on_made = on_made
        self.other: Side | None = None
        self.transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.closed:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Half of it is closed; the other half goes on."""
        other = self.other
        if other is None or other.transport is None or other.closed or not other.transport.can_write_eof():
            return False
        other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.closed:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.closed:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()  # what is on its way to it still goes out

    def abort(self) -> None:
        """Close at once; what waits to be sent is dropped."""
        if self.transport is not None:
            self.transport.abort()


class Pipe:
    """A client's connection and the one made for it."""

    def __init__(self, client: Side, server: Side) -> None:
        self.client = client
        self.server = server
        client.other, server.other = server, client

    def start(self) -> None:
        """Let bytes flow; the client's side was held until now."""
        if self.client.closed:
            self.server.abort()
        elif self.client.transport is not None:
            self.client.transport.resume_reading()

    @property
    def open(self) -> bool:
        """Whether either side is."""
        return not (self.client.closed and self.server.closed)

    def abort(self) -> None:
        """Close both sides at once, so that the client knows and connects anew."""
        self.client.abort()
        self.server.abort()
