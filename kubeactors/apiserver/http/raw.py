"""A connection after its upgrade: no longer HTTP, only bytes in both directions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeactors.apiserver.http.connection import Connection

#: Unread bytes at which reading from the client pauses.
_BUFFER = 128 * 1024


class RawStream:
    """The bytes of a connection that `Connection.take_over` gave."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self._paused = False
        self._changed = asyncio.Event()

    async def read(self) -> bytes:
        """Some bytes; empty when the client has gone."""
        while not self._pieces:
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        transport = self._connection.transport
        if self._paused and transport is not None:
            self._paused = False
            transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send; waits while the client is slow. Raises ConnectionError when it is gone."""
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        transport.write(data)
        await self._connection._drain_helper()

    # --- what the connection calls

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        self._changed.set()
        transport = self._connection.transport
        if self._size > _BUFFER and not self._paused and transport is not None:
            self._paused = True
            transport.pause_reading()

    def end(self) -> None:
        self._ended = True
        self._changed.set()
