"""Proxied requests and upgrades through real sockets, with a backend of the test's own."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.http.connection import ConnectionServer
from kubeactors.apiserver.http.encode import status_answer
from kubeactors.apiserver.streams.proxy.connector import ProxyConnector
from kubeactors.apiserver.streams.proxy.http import MAX_PAGE, Backends
from kubeactors.apiserver.streams.proxy.urls import Location

PREFIX = "/api/v1/namespaces/n/pods/p/proxy"


class Backend:
    """What runs in the cluster: answers with what it was asked."""

    def __init__(self) -> None:
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/echo":
                body = await request.read()
                headers = [[name, value] for name, value in request.headers.items()]
                return web.json_response(
                    {"method": request.method, "uri": request.raw_path, "headers": headers, "body": body.decode()}
                )
            case "/moved":
                return web.Response(status=302, headers={"Location": request.query["to"]})
            case "/page":
                headers = {"Access-Control-Allow-Origin": "*"}
                return web.Response(text='<a href="/x">x</a>', content_type="text/html", headers=headers)
            case "/packed":
                body = gzip.compress(b'<a href="/x">x</a>')
                return web.Response(body=body, content_type="text/html", headers={"Content-Encoding": "gzip"})
            case "/long":
                return web.Response(body=b"<a href='/x'>" + b"x" * MAX_PAGE, content_type="text/html")
            case "/pieces":
                response = web.StreamResponse(headers={"Set-Cookie": "a=1"})
                response.headers.add("Set-Cookie", "b=2")
                await response.prepare(request)
                for piece in (b"one ", b"two ", b"three"):
                    await response.write(piece)
                    await asyncio.sleep(0.01)
                return response
            case "/broken":
                response = web.StreamResponse()
                await response.prepare(request)
                await response.write(b"half")
                assert request.transport is not None
                request.transport.abort()
                return response
            case "/ws":
                socket = web.WebSocketResponse(protocols=("mine",))
                await socket.prepare(request)
                async for message in socket:
                    await socket.send_str(f"{request.headers.get('Authorization')} {message.data}")
                return socket
            case "/empty":
                return web.Response(status=204)
        return web.Response(status=404, text="no such page")


class Proxy:
    """The API server's end: everything below PREFIX goes to the backend."""

    def __init__(self, port: int) -> None:
        self.backends = Backends()
        self.location = Location("http", "127.0.0.1", port)
        self.port = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        below = request.path.removeprefix(PREFIX).strip("/")
        try:
            return await ProxyConnector(self.backends, self.location, below).serve(request)
        except StatusError as error:
            return status_answer(error)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}{path}"


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    loop = asyncio.get_running_loop()
    backend = Backend()
    runner = web.ServerRunner(web.Server(backend.handle))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made = Proxy(runner.addresses[0][1])
    connections = ConnectionServer(made.handle)
    server = await loop.create_server(connections, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        connections.end_streams()
        await connections.shutdown(1)
        await made.backends.stop()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def fetch(proxy: Proxy, path: str, method: str = "GET", **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, URL(proxy.url(path), encoded=True), allow_redirects=False, **options) as response,
    ):
        yield response


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method(proxy: Proxy, method: str) -> None:
    body = b"" if method in ("GET", "OPTIONS") else b"body"
    headers = {"Authorization": "Bearer secret", "X-Mine": "1"}
    async with fetch(proxy, "/echo?a=%2F&b", method, data=body or None, headers=headers) as response:
        assert response.status == 200
        seen = await response.json()
    assert (seen["method"], seen["uri"], seen["body"]) == (method, "/echo?a=%2F&b", body.decode())
    names = {name.lower(): value for name, value in seen["headers"]}
    assert "authorization" not in names
    assert names["x-mine"] == "1"
    assert names["host"] == f"127.0.0.1:{proxy.port}"
    assert names["x-forwarded-for"] == "127.0.0.1"
    assert names["x-forwarded-uri"] == f"{PREFIX}/echo"


async def test_a_body_of_unknown_length(proxy: Proxy) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    async with fetch(proxy, "/echo", "POST", data=pieces()) as response:
        assert len((await response.json())["body"]) == 500_000


async def test_head_and_empty_answers(proxy: Proxy) -> None:
    async with fetch(proxy, "/page", "HEAD") as response:
        assert (response.status, response.headers["Content-Length"], await response.read()) == (200, "18", b"")
    async with fetch(proxy, "/empty") as response:
        assert (response.status, await response.read()) == (204, b"")
    async with fetch(proxy, "/none") as response:
        assert (response.status, await response.text()) == (404, "no such page")


async def test_the_empty_path_is_redirected(proxy: Proxy) -> None:
    async with fetch(proxy, "?q=1") as response:
        assert (response.status, response.headers["Location"]) == (301, f"{PREFIX}/?q=1")
    async with fetch(proxy, "", "POST", data=b"x") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("to", "expected"),
    [("/a?b=c", f"{PREFIX}/a?b=c"), ("relative", "relative"), ("http://elsewhere/a", "http://elsewhere/a")],
)
async def test_redirects_lead_through_the_proxy(proxy: Proxy, to: str, expected: str) -> None:
    async with fetch(proxy, "/moved", params={"to": to}) as response:
        assert (response.status, response.headers["Location"]) == (302, expected)


async def test_links_of_pages_lead_through_the_proxy(proxy: Proxy) -> None:
    page = f'<a href="{PREFIX}/x">x</a>'.encode()
    async with fetch(proxy, "/page") as response:
        assert await response.read() == page
        assert "Access-Control-Allow-Origin" not in response.headers
    async with fetch(proxy, "/packed") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await response.read()) == page
    async with fetch(proxy, "/long") as response:
        assert len(await response.read()) == MAX_PAGE + 13


async def test_pieces_and_repeated_headers(proxy: Proxy) -> None:
    async with fetch(proxy, "/pieces") as response:
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert await response.read() == b"one two three"


async def test_an_answer_that_breaks_off_is_cut(proxy: Proxy) -> None:
    async with fetch(proxy, "/broken") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_backend_that_is_not_there(proxy: Proxy) -> None:
    proxy.location = Location("http", "127.0.0.1", 1)
    async with fetch(proxy, "/x") as response:
        status = await response.json()
    assert (status["code"], status["reason"]) == (503, "ServiceUnavailable")
    assert status["message"] == ("error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(proxy.url("/ws"))
    assert raised.value.status == 500


async def test_a_websocket_through_the_proxy(proxy: Proxy) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer secret"}) as session,
        session.ws_connect(proxy.url("/ws"), protocols=("mine",)) as socket,
    ):
        assert socket.protocol == "mine"
        for size in (1, 100_000):
            await socket.send_str("x" * size)
            assert await socket.receive_str() == f"None {'x' * size}"


async def test_a_refused_upgrade_is_passed_on(proxy: Proxy) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(proxy.url("/none"))
        assert raised.value.status == 404
        # 200 is no answer to an upgrade.
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(proxy.url("/page"))
        assert raised.value.status == 500
