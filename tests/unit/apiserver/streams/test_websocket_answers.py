"""Logs and watches as WebSocket messages, through real sockets."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web

from kubeactors.apiserver.http.connection import ConnectionServer
from kubeactors.apiserver.request import WatchSink
from kubeactors.apiserver.streams.websocket_answers import WEBSOCKET_EVENTS, send_log, send_watch


class Served:
    """A server whose every request is answered by a log of two pieces, or on /watch by events of several sizes."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.url = ""

    async def __aenter__(self) -> "Served":
        self._connections = ConnectionServer(self._handle)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connections, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._connections.end_streams()
        await self._connections.shutdown(1)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/watch":
            return await send_watch(request, self, 10_000_000)
        return await send_log(request, self._log(request.path == "/follow"))

    async def _log(self, follow: bool) -> AsyncIterator[bytes]:
        try:
            yield b"one\n"
            yield b"two\n"
            if follow:
                await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def run(self, sink: WatchSink) -> None:
        for size in (1, 200, 70_000):
            event = WEBSOCKET_EVENTS.encode("ADDED", b'"' + b"x" * size + b'"')
            sink.deliver(WEBSOCKET_EVENTS.frame([event, event]))
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("protocols", "messages"),
    [
        ((), [b"", b"one\n", b"two\n"]),
        (("binary.k8s.io",), [b"", b"one\n", b"two\n"]),
        (("base64.binary.k8s.io",), ["", "b25lCg==", "dHdvCg=="]),
    ],
)
async def test_a_log(protocols: tuple[str, ...], messages: list[object]) -> None:
    async with (
        Served() as served,
        aiohttp.ClientSession() as session,
        session.ws_connect(served.url, protocols=protocols) as socket,
    ):
        assert [message.data async for message in socket] == messages


async def test_an_unknown_protocol() -> None:
    async with Served() as served, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(served.url, protocols=("other",))
    assert raised.value.status == 403


async def test_a_log_ends_with_its_client() -> None:
    async with Served() as served, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{served.url}/follow") as socket:
            await socket.receive()
            await socket.send_str("ignored")
        async with asyncio.timeout(30):
            await served.ended.wait()


async def test_a_watch() -> None:
    async with (
        Served() as served,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{served.url}/watch") as socket,
    ):
        found = [orjson.loads(message.data)["object"] async for message in socket]
    assert [len(each) for each in found] == [1, 1, 200, 200, 70_000, 70_000]
