"""The forwarder between real sockets: it leads to a server that is ready, and lets go of one that is not."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeactors.pki.authority import Authority, Identity
from nodeagent.forwarder import check
from nodeagent.forwarder import forwarder as forwarder_module
from nodeagent.forwarder.choice import Backend
from nodeagent.forwarder.forwarder import Forwarder, ForwarderConfig, Route
from tests.support.eventually import eventually
from tests.support.ports import free_port

HOSTS = ("127.0.1.1", "127.0.1.2")


class Files:
    """A throwaway authority and one certificate for everybody."""

    def __init__(self, directory: Path) -> None:
        authority = Authority.create("test", datetime.now(UTC))
        pair = authority.issue(Identity("any", names=HOSTS, server=True, client=True), datetime.now(UTC))
        self.ca, self.certificate, self.key = (directory / name for name in ("ca.crt", "any.crt", "any.key"))
        self.ca.write_bytes(authority.certificate)
        self.certificate.write_bytes(pair.certificate)
        self.key.write_bytes(pair.key)


class Api:
    """An API server as far as the forwarder knows one: /readyz over TLS, and a port that says which server it is."""

    def __init__(self, host: str, check_port: int, port: int, files: Files) -> None:
        self._place = (host, check_port, port)
        self._files = files
        self.ready = True
        self.hangs = False
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        host, check_port, port = self._place
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._files.ca)
        context.load_cert_chain(self._files.certificate, self._files.key)
        self._servers = [
            await asyncio.start_server(self._check, host, check_port, ssl=context),
            await asyncio.start_server(self._serve, host, port),
        ]

    async def kill(self) -> None:
        for server in self._servers:
            server.close()
        for writer in [*self._writers]:
            writer.transport.abort()
        self._writers.clear()
        self._servers = []

    async def _check(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, OSError):
                return
            except asyncio.CancelledError:
                return  # the loop closes
            if self.hangs:
                continue
            status = b"200 OK" if self.ready else b"500 Internal Server Error"
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nok" % status)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        writer.write(self._place[0].encode() + b"\n")
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
            writer.close()
        except OSError:
            return


@pytest.fixture
async def apis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[list[Api], Forwarder]]:
    """Two API servers, the second of them local, and a forwarder that asks more often than a real one."""
    monkeypatch.setattr(forwarder_module, "USED_PERIOD", 0.3)
    monkeypatch.setattr(forwarder_module, "SPARE_PERIOD", 1.0)
    files = Files(tmp_path)
    check_port, port = free_port(), free_port()
    servers = [Api(host, check_port, port, files) for host in HOSTS]
    forwarder = Forwarder(
        ForwarderConfig("node", (Route(0, port),), check_port, files.ca, files.certificate, files.key)
    )
    for server in servers:
        await server.start()
    await forwarder.start([Backend(HOSTS[0]), Backend(HOSTS[1], local=True)])
    try:
        await eventually(lambda: set(forwarder.states().values()) == {"ready"})
        yield servers, forwarder
    finally:
        await forwarder.stop()
        for server in servers:
            await server.kill()


@asynccontextmanager
async def connection(forwarder: Forwarder) -> AsyncIterator[tuple[str, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection, and which server is at its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.ports[0])
    try:
        yield (await reader.readline()).decode().strip(), reader, writer
    finally:
        writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> float:
    """Until the connection ends; returns how long that took, in seconds."""
    started = time.monotonic()
    async with asyncio.timeout(30):
        try:
            while await reader.read(100):
                pass
        except ConnectionResetError:
            pass
    return time.monotonic() - started


async def test_it_prefers_the_local_server_and_forwards_both_ways(apis: tuple[list[Api], Forwarder]) -> None:
    _, forwarder = apis
    assert forwarder.health() == "ok"
    async with connection(forwarder) as (host, reader, writer):
        assert host == HOSTS[1]
        sent = bytes(range(256)) * 40_000  # more than every buffer on the way
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.write_eof()
        assert await reader.read() == b"bye"


async def test_a_dead_server_s_connections_end_at_once_and_the_next_goes_elsewhere(
    apis: tuple[list[Api], Forwarder],
) -> None:
    servers, forwarder = apis
    async with connection(forwarder) as (host, reader, _):
        assert host == HOSTS[1]
        await servers[1].kill()
        assert await ended(reader) < 10
    async with connection(forwarder) as (host, _, _):
        assert host == HOSTS[0]
    await eventually(lambda: forwarder.states()[HOSTS[1]] == "dead")
    await servers[1].start()
    await eventually(lambda: forwarder.states()[HOSTS[1]] == "ready")
    async with connection(forwarder) as (host, _, _):
        assert host == HOSTS[1]


@pytest.mark.parametrize("fault", ["hangs", "not ready"])
async def test_a_server_that_is_of_no_use_is_left(
    fault: str, apis: tuple[list[Api], Forwarder], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers, forwarder = apis
    monkeypatch.setattr(check, "ANSWER_TIMEOUT", 0.5)
    async with connection(forwarder) as (host, reader, _):
        assert host == HOSTS[1]
        servers[1].hangs, servers[1].ready = fault == "hangs", fault == "hangs"
        await ended(reader)
    async with connection(forwarder) as (host, _, _):
        assert host == HOSTS[0]


async def test_without_a_ready_server_connections_stay_and_the_reason_is_told(
    apis: tuple[list[Api], Forwarder],
) -> None:
    servers, forwarder = apis
    async with connection(forwarder) as (_, reader, writer):
        for server in servers:
            server.ready = False
        await eventually(lambda: forwarder.states()[HOSTS[1]] == "unready")
        writer.write(b"still there")
        assert await reader.readexactly(11) == b"still there"
    await eventually(lambda: "not ready (HTTP 500)" in forwarder.health())


async def test_it_follows_a_change_of_servers(apis: tuple[list[Api], Forwarder]) -> None:
    _, forwarder = apis
    async with connection(forwarder) as (host, reader, _):
        assert host == HOSTS[1]
        forwarder.set_backends([Backend(HOSTS[0])])
        assert await ended(reader) < 10
    async with connection(forwarder) as (host, _, _):
        assert host == HOSTS[0]
