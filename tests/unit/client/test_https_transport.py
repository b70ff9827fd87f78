"""AsyncClient over real HTTP(S) connections to the in-memory API."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.client import ApiUnavailable, AsyncClient, Informer, OutcomeUnknown, TlsConfig
from kubeactors.client.async_client import WarningLog
from kubeactors.client.https_transport import open_socket
from kubeactors.client.kubeconfig import ClientConfig
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.fake_rest_server import FakeRestServer
from tests.support.throwaway_pki import ThrowawayPki


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture
async def server() -> AsyncIterator[FakeRestServer]:
    server = FakeRestServer(FakeApi())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: FakeRestServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient([server.url], timeout=5, user_agent="test/1") as client:
        yield client


async def test_verbs_and_errors(client: AsyncClient, server: FakeRestServer) -> None:
    made = await client.create("configmaps", config_map("a", x="1"))
    made["data"]["x"] = "2"
    await client.update("configmaps", made)
    with pytest.raises(StatusError) as conflict:
        await client.update("configmaps", made)
    assert conflict.value.reason == "Conflict"
    patched = await client.patch("cm", "a", [{"op": "add", "path": "/data/y", "value": "3"}], patch_type="json")
    assert patched["data"] == {"x": "2", "y": "3"}
    for number in range(3):
        await client.create("configmaps", config_map(f"b{number}"))
    page = await client.list("configmaps", "default", limit=3)
    assert (len(page), page.remaining_item_count) == (3, 1)
    rest = await client.list("configmaps", "default", limit=3, continue_=page.continue_)
    assert [(item["kind"], item["apiVersion"]) for item in rest] == [("ConfigMap", "v1")]
    await client.delete("configmaps", "a", preconditions={"uid": made["metadata"]["uid"]})
    await client.delete_collection("configmaps", label_selector="!x")
    assert len(await client.list("configmaps")) == 0
    with pytest.raises(StatusError) as missing:
        await client.get("configmaps", "a")
    assert missing.value.message == 'configmaps "a" not found'
    assert server.seen[0][2]["User-Agent"] == "test/1"


async def test_watch_lines_may_come_in_pieces(client: AsyncClient, server: FakeRestServer) -> None:
    server.api.seed(config_map("a"))
    seen = []
    async with aclosing(client.watch("configmaps", name="a")) as events:
        async for event in events:
            seen.append((event.type, event.object["metadata"]["name"]))
            if len(seen) == 1:
                server.api.seed(config_map("other"))
                server.api.modify("configmaps", "a", lambda o: o["data"].update(x="}\n{"))
            elif len(seen) == 2:
                server.api.remove("configmaps", "a")
            else:
                break
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    await eventually(lambda: server.api.watch_count == 0)


async def test_an_informer_works_and_survives_broken_connections(client: AsyncClient, server: FakeRestServer) -> None:
    informer = Informer(client, "configmaps")
    await informer.start()
    await informer.wait_synced(30)
    await eventually(lambda: server.api.watch_count)
    server.api.break_watches()
    server.api.seed(config_map("a"))
    await eventually(lambda: informer.lister.get("default", "a"))
    assert informer.lister.list()[0]["kind"] == "ConfigMap"
    await informer.stop()


async def test_logs(client: AsyncClient, server: FakeRestServer) -> None:
    server.api.seed({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}})
    server.api.set_log("default", "p", "", b"one\ntwo\n")
    assert [line async for line in client.logs("p", tail_lines=1)] == ["two"]
    with pytest.raises(StatusError) as missing:
        [line async for line in client.logs("q")]
    assert missing.value.code == 404


async def test_a_server_that_asks_to_wait_is_asked_again(client: AsyncClient, server: FakeRestServer) -> None:
    server.api.fail(errors.too_many_requests("busy", 1), verb="create")
    started = asyncio.get_running_loop().time()
    await client.create("configmaps", config_map("a"))
    assert asyncio.get_running_loop().time() - started >= 1


async def test_warnings_are_logged_once(
    client: AsyncClient, server: FakeRestServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.warning = r"unknown field \"spec.x\""
    with caplog.at_level(logging.WARNING, "kubeactors.client.async_client"):
        await client.create("configmaps", config_map("a"))
        await client.create("configmaps", config_map("b"))
        server.warning = "another"
        await client.create("configmaps", config_map("c"))
    told = [record.getMessage() for record in caplog.records]
    assert told == ['the API server warns: unknown field "spec.x"', "the API server warns: another"]


def test_many_warnings_take_no_more_memory(caplog: pytest.LogCaptureFixture) -> None:
    log = WarningLog()
    for number in range(3 * log.KEPT):
        log(str(number))
    log("0")
    assert len(log._seen) <= log.KEPT
    assert [record.getMessage() for record in caplog.records[:2]] == [
        "the API server warns: 0",
        "the API server warns: 1",
    ]
    assert len(caplog.records) == 3 * log.KEPT + 1


async def test_nobody_listening(server: FakeRestServer) -> None:
    async with AsyncClient(["http://127.0.0.1:1"], timeout=0.3) as client:
        with pytest.raises(ApiUnavailable):
            await client.create("configmaps", config_map("a"))
    async with AsyncClient(["http://127.0.0.1:1", server.url], timeout=5) as client:
        assert await client.create("configmaps", config_map("a"))


async def test_a_write_without_an_answer_has_an_unknown_outcome(client: AsyncClient, server: FakeRestServer) -> None:
    await client.list("configmaps")
    server.api.handle = lambda call: (_ for _ in ()).throw(ConnectionResetError())  # type: ignore[method-assign]
    with pytest.raises(StatusError) as broken:
        await client.create("configmaps", config_map("a"), timeout=1)
    assert broken.value.code == 500
    blackhole = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = blackhole.sockets[0].getsockname()[1]
    async with AsyncClient([f"http://127.0.0.1:{port}"]) as other:
        with pytest.raises(OutcomeUnknown):
            await other.create("configmaps", config_map("a"), timeout=0.2)
        with pytest.raises(ApiUnavailable):
            await other.get("configmaps", "a", timeout=0.2)
    blackhole.close()


async def test_the_kernel_watches_over_silent_connections(
    client: AsyncClient, server: FakeRestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []

    def remember(address: tuple[Any, ...]) -> socket.socket:
        opened.append(open_socket(address))
        return opened[-1]

    monkeypatch.setattr("kubeactors.client.https_transport.open_socket", remember)
    await client.list("configmaps")
    assert opened[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert opened[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 6
    assert opened[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 9000


async def test_mutual_tls_and_tokens(tmp_path: Path) -> None:
    pki = ThrowawayPki(tmp_path)
    server = FakeRestServer(FakeApi(), context=pki.server_context())
    await server.start()
    token = tmp_path / "token"
    token.write_text("secret\n")
    config = ClientConfig((server.url,), pki.tls(), token_file=token)
    async with AsyncClient(config=config, timeout=5) as client:
        await client.create("configmaps", config_map("a"))
    assert server.seen[0][2]["Authorization"] == "Bearer secret"
    data = TlsConfig(
        ca_data=pki.ca_file.read_bytes(),
        cert_data=(tmp_path / "client.crt").read_bytes(),
        key_data=(tmp_path / "client.key").read_bytes(),
    )
    async with AsyncClient([server.url], data, timeout=5) as client:
        assert await client.get("configmaps", "a")
    skipping = TlsConfig(None, pki.tls().cert_file, pki.tls().key_file, insecure_skip_verify=True)
    async with AsyncClient([server.url], skipping, timeout=5) as client:
        assert await client.get("configmaps", "a")
    started = asyncio.get_running_loop().time()
    async with AsyncClient([server.url], TlsConfig(), timeout=5) as client:
        with pytest.raises(ApiUnavailable, match="certificate verify failed"):
            await client.get("configmaps", "a")
    assert asyncio.get_running_loop().time() - started < 2  # no use in trying until the deadline
    missing = TlsConfig(ca_file=tmp_path / "nothing.crt")
    async with AsyncClient([server.url], missing, timeout=5) as client:
        with pytest.raises(ApiUnavailable, match=r"cannot read the credentials.*nothing\.crt"):
            await client.get("configmaps", "a")
    await server.stop()


async def test_renewed_certificates_are_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubeactors.client.https_transport.CREDENTIALS_CHECK", 0.0)
    monkeypatch.setattr("kubeactors.client.https_transport.IDLE_CONNECTION", 0.001)
    pki = ThrowawayPki(tmp_path)
    server = FakeRestServer(FakeApi(), context=pki.server_context())
    await server.start()
    async with AsyncClient([server.url], pki.tls(), timeout=5) as client:
        await client.create("configmaps", config_map("a"))
        pki.renew()
        await server.stop()
        renewed = FakeRestServer(server.api, port=server.port, context=pki.server_context())
        await renewed.start()
        assert await client.get("configmaps", "a")
        await renewed.stop()


async def test_a_proxy_and_somebody_to_act_as(tmp_path: Path) -> None:
    pki = ThrowawayPki(tmp_path)
    server = FakeRestServer(FakeApi(), context=pki.server_context())
    await server.start()
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """CONNECT, and then bytes both ways."""
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        there_reader, there = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pass_on(reader, there), pass_on(there_reader, writer))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    groups = (("impersonate-user", "jane"), ("impersonate-group", "a"), ("impersonate-group", "b"))
    async with AsyncClient(config=ClientConfig((server.url,), pki.tls(), proxy=url, impersonate=groups)) as client:
        await client.create("configmaps", config_map("a"))
        async with aclosing(client.watch("configmaps")) as events:
            assert (await anext(events)).object["metadata"]["name"] == "a"
    assert set(asked) == {f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1".encode()}
    for _, _, headers in server.seen:
        assert headers["impersonate-user"] == "jane"
    proxy.close()
    await server.stop()
