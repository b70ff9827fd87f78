"""Clients that send headers without an end, slowly, or nothing at all."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from kubeactors.apiserver.http import connection, resources
from kubeactors.apiserver.http.negotiate import MediaForm, parse_accept
from kubeactors.apiserver.request import Response
from tests.unit.apiserver.conftest import RunningFronts

POD = "/api/v1/namespaces/a/pods/p"
PODS = "/api/v1/namespaces/a/pods"
SOON = 0.3


async def _open(running: RunningFronts) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = "127.0.0.1"
    return await asyncio.open_connection(host, running.fronts.https_port, ssl=running.tls(), server_hostname=host)


def _header(number: int, size: int) -> bytes:
    return b"X-%d: %b\r\n" % (number, b"x" * size)


async def test_all_headers_together_are_bounded(running: RunningFronts) -> None:
    reader, writer = await _open(running)
    writer.write(b"GET %b HTTP/1.1\r\nHost: a\r\n" % POD.encode())
    async with asyncio.timeout(30):
        for number in range(30):
            writer.write(_header(number, 60_000))
        # More is sent than what is taken; what is said about it can be read all the same.
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert answer.endswith(b"\r\n\r\n431 Request Header Fields Too Large")
    assert not running.handler.requests
    writer.close()


async def test_many_headers_below_the_bound_are_taken(running: RunningFronts) -> None:
    running.handler.respond = lambda request: Response(200, b"{}")
    reader, writer = await _open(running)
    head = b"GET %b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n" % POD.encode()
    async with asyncio.timeout(30):
        for _ in range(3):  # the count begins anew with every request
            writer.write(head + b"".join(_header(number, 60_000) for number in range(15)) + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            assert await reader.readexactly(3) == b"{}\n"
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /ver", b"GET /version HTTP/1.1\r\nHost: a\r\n"])
async def test_headers_come_in_time(running: RunningFronts, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connection, "HEADER_TIMEOUT", SOON)
    reader, writer = await _open(running)
    writer.write(sent)
    async with asyncio.timeout(20):
        assert await reader.read() == b"", "closed without a word, as Go's server does"
    writer.close()


async def test_the_next_request_of_a_connection_has_its_own_time(
    running: RunningFronts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEADER_TIMEOUT", SOON)
    head = b"GET /version HTTP/1.1\r\nHost: a\r\n"
    reader, writer = await _open(running)
    async with asyncio.timeout(20):
        writer.write(head + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(2 * SOON)  # idle is not slow
        writer.write(head)
        assert (await reader.read()).startswith(b"{"), "the rest of the first answer, and the end"
    writer.close()


async def test_a_slow_body_is_no_slow_header(running: RunningFronts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADER_TIMEOUT", SOON)
    running.handler.respond = lambda request: Response(200, request.body)
    reader, writer = await _open(running)
    async with asyncio.timeout(20):
        writer.write(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{" % PODS.encode())
        for part in (b"  ", b"}"):
            await asyncio.sleep(SOON)
            writer.write(part)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()


def test_an_accept_header_is_read_so_far() -> None:
    assert len(parse_accept("a," * 30_000)) == 256


@pytest.mark.parametrize("form", ["application/yaml", "application/vnd.kubernetes.protobuf"])
async def test_long_answers_in_other_forms_are_made_beside_the_loop(
    running: RunningFronts, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    threads: list[str] = []
    made = resources.render

    def render(body: bytes, media: MediaForm, *, pretty: bool) -> tuple[bytes, str]:
        threads.append(threading.current_thread().name)
        return made(body, media, pretty=pretty)

    monkeypatch.setattr(resources, "render", render)
    running.handler.respond = lambda request: Response(
        200, b'{"kind":"ConfigMap","apiVersion":"v1","data":{"a":"%b"}}' % (b"x" * int(request.name))
    )
    connector = aiohttp.TCPConnector(ssl=running.tls())
    async with aiohttp.ClientSession(running.url, connector=connector) as client:
        for size in (10, 70_000):
            path = f"/api/v1/namespaces/a/configmaps/{size}"
            async with client.get(path, headers={"Accept": form}) as answer:
                assert (answer.status, answer.headers["Content-Type"]) == (200, form)
    assert threads[0] == threading.current_thread().name
    assert threads[1] != threads[0]
