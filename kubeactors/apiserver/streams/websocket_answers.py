"""Logs and watches as the messages of a WebSocket, as browsers ask for them (k8s.io/streaming, wsstream.Reader)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import struct
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, cast

from aiohttp import WSMsgType, web

from kubeactors.apiserver.http.connection import Connection
from kubeactors.apiserver.http.stream import TransportSink, cancelled_when_lost
from kubeactors.apiserver.request import JSON_LINES, WatchEncoding, WatchStream
from kubeactors.apiserver.streams import channels, upgrade

#: How a log's bytes may be written; the empty name is a client that asks for none.
PROTOCOLS = ("", "binary.k8s.io", "base64.binary.k8s.io")


def _text_frames(events: Sequence[bytes]) -> bytes:
    """Each event as a text message (RFC 6455 section 5.2); a server's frames have no mask."""
    return b"".join(_text_frame(event) for event in events)


def _text_frame(data: bytes) -> bytes:
    if len(data) < 126:
        return struct.pack(">BB", 0x81, len(data)) + data
    if len(data) < 65536:
        return struct.pack(">BBH", 0x81, 126, len(data)) + data
    return struct.pack(">BBQ", 0x81, 127, len(data)) + data


#: A watch's events as messages.
WEBSOCKET_EVENTS = WatchEncoding("websocket-json", JSON_LINES.encode, _text_frames)


async def send_log(http: web.BaseRequest, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send what an iterator yields as messages, after an empty one, until it or the client ends."""
    protocol = channels.choose(upgrade.websocket_protocols(http), PROTOCOLS)
    if protocol is None:
        return upgrade.text_answer(403, "")

    async def send(socket: web.WebSocketResponse[bool]) -> None:
        await _send(socket, protocol, b"")
        async with aclosing(cast(Any, chunks)):  # the agent's call ends with it
            async for piece in chunks:
                await _send(socket, protocol, piece)

    return await _serve(http, protocol, send)


async def send_watch(http: web.BaseRequest, watch: WatchStream, max_buffer: int) -> web.StreamResponse:
    """Run a watch, whose encoding is `WEBSOCKET_EVENTS`, until it or the client ends."""
    wanted = upgrade.websocket_protocols(http)
    sink = TransportSink(cast(Connection, http.protocol), max_buffer)

    async def send(socket: web.WebSocketResponse[bool]) -> None:
        await watch.run(sink)
        if sink.overrun and http.transport is not None:
            http.transport.abort()

    return await _serve(http, wanted[0] if wanted else "", send)


async def _serve(http: web.BaseRequest, protocol: str, send: Any) -> web.StreamResponse:
    socket = upgrade.websocket(protocol)
    answer: web.StreamResponse = upgrade.client_gone()
    with cancelled_when_lost(cast(Connection, http.protocol)):
        try:
            await socket.prepare(http)
        except web.HTTPException as error:
            return upgrade.text_answer(error.status, error.text or "")
        with contextlib.suppress(ConnectionError):
            await _until_gone(socket, send(socket))
            await socket.close()
        answer = socket
    return answer


async def _until_gone(socket: web.WebSocketResponse[bool], work: Coroutine[Any, Any, None]) -> None:
    """Do the work, but no longer than the client is there. What the client sends is ignored."""

    async def ignore() -> None:
        while (await socket.receive()).type in (WSMsgType.BINARY, WSMsgType.TEXT):
            pass

    working, ignoring = asyncio.create_task(work), asyncio.create_task(ignore())
    try:
        await asyncio.wait({working, ignoring}, return_when=asyncio.FIRST_COMPLETED)
        done = working.done()
    finally:
        working.cancel()
        ignoring.cancel()
        await asyncio.gather(working, ignoring, return_exceptions=True)
    if done and (error := working.exception()) is not None:
        raise error


async def _send(socket: web.WebSocketResponse[bool], protocol: str, data: bytes) -> None:
    if protocol.startswith("base64"):
        await socket.send_str(base64.b64encode(data).decode())
    else:
        await socket.send_bytes(data)
