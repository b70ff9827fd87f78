"""The bytes of a SPDY connection in the binary messages of a WebSocket (KEP-4006)."""

from __future__ import annotations

from aiohttp import WSMsgType, web


class Tunnel:
    """Implements `ByteStream` on a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse[bool]) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while True:
            message = await self._socket.receive()
            if message.type is not WSMsgType.BINARY:
                return b""
            if message.data:
                data: bytes = message.data
                return data

    async def write(self, data: bytes) -> None:
        await self._socket.send_bytes(data)
