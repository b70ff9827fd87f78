"""Bytes between two connections, as fast as the slower side takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Side(asyncio.Protocol):
    """One end of a pipe. What comes in goes out at `other`; a side that cannot send stops the other's reading."""

    def __init__(self, on_made: Callable[[Side], None] | None = None) -> None:
        self._on_made = on_made
        self.other: Side | None = None
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self._early = bytearray()
        self._early_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its type
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            # uvloop reads once more after a transport was paused in connection_made.
            self._early += data
            self._pause()
        elif self.other.transport is not None and not self.other.closed:
            self.other.transport.write(data)

    def join(self, other: Side) -> None:
        """From now on what comes in goes to `other`."""
        self.other = other
        if other.transport is not None and self._early:
            other.transport.write(bytes(self._early))
        if other.transport is not None and self._early_end:
            other.transport.write_eof()
        self._early.clear()

    def _pause(self) -> None:
        if self.transport is not None and self.transport.is_reading():
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Half of it is closed; the other half goes on."""
        if self.other is None:
            self._early_end = True
            return True
        other = self.other
        if other.transport is None or other.closed or not other.transport.can_write_eof():
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
        server.join(client)

    def start(self) -> None:
        """Let bytes flow; the client's side was held until now."""
        if self.client.closed:
            self.server.abort()
            return
        self.client.join(self.server)
        if self.client.transport is not None:
            self.client.transport.resume_reading()

    @property
    def open(self) -> bool:
        """Whether either side is."""
        return not (self.client.closed and self.server.closed)

    def abort(self) -> None:
        """Close both sides at once, so that the client knows and connects anew."""
        self.client.abort()
        self.server.abort()
