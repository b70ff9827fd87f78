"""AsyncClient over a real gRPC connection to the in-memory API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import uvloop

from kubeactors.api.errors import StatusError, Unauthorized
from kubeactors.client import ApiUnavailable, AsyncClient, Informer, OutcomeUnknown, TlsConfig
from kubeactors.client.grpc_transport import GrpcTransport
from kubeactors.client.kubeconfig import ClientConfig
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.fake_grpc_server import FakeGrpcServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.throwaway_pki import ThrowawayPki


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture
async def server() -> AsyncIterator[FakeGrpcServer]:
    server = FakeGrpcServer(FakeApi())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: FakeGrpcServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient([server.endpoint], timeout=5) as client:
        yield client


async def test_verbs_and_errors_cross_the_wire(client: AsyncClient, server: FakeGrpcServer) -> None:
    made = await client.create("configmaps", config_map("a", x="1"))
    assert made["metadata"]["resourceVersion"]
    assert (await client.get("cm", "a"))["data"] == {"x": "1"}
    made["data"]["x"] = "2"
    await client.update("configmaps", made)
    with pytest.raises(StatusError) as conflict:
        await client.update("configmaps", made)
    assert conflict.value.reason == "Conflict"
    assert (await client.patch("configmaps", "a", {"data": {"y": "3"}}))["data"] == {"x": "2", "y": "3"}
    listed = await client.list("configmaps", label_selector="!missing")
    assert [item["kind"] for item in listed] == ["ConfigMap"]
    assert server.lists == 1
    await client.delete("configmaps", "a")
    with pytest.raises(StatusError) as missing:
        await client.get("configmaps", "a")
    assert (missing.value.code, missing.value.message) == (404, 'configmaps "a" not found')
    with pytest.raises(StatusError) as bad:
        await client.list("pods", continue_="x")
    assert bad.value.reason == "BadRequest"


async def test_calls_made_together_share_frames(client: AsyncClient, server: FakeGrpcServer) -> None:
    await client.create("configmaps", config_map("a"))
    server.frames.clear()
    await asyncio.gather(*(client.get("configmaps", "a") for _ in range(100)))
    assert sum(server.frames) == 100
    assert len(server.frames) <= 3


async def test_a_call_without_answer_ends_at_its_deadline(client: AsyncClient, server: FakeGrpcServer) -> None:
    await client.create("configmaps", config_map("a"))
    server.hold.clear()
    with pytest.raises(ApiUnavailable, match="no answer within"):
        await client.get("configmaps", "a", timeout=0.2)
    with pytest.raises(OutcomeUnknown, match="may have taken effect"):
        await client.create("configmaps", config_map("b"), timeout=0.2)
    server.hold.set()
    assert await client.get("configmaps", "a")


async def test_watch_and_logs_stream(client: AsyncClient, server: FakeGrpcServer) -> None:
    server.api.seed({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}})
    server.api.set_log("default", "p", "", b"one\ntwo\n")
    assert [line async for line in client.logs("p", tail_lines=1)] == ["two"]
    with pytest.raises(StatusError) as missing:
        [line async for line in client.logs("q")]
    assert missing.value.code == 404
    seen = []
    async with aclosing(client.watch("pods")) as events:
        async for event in events:
            seen.append(event.type)
            if len(seen) == 1:
                server.api.modify("pods", "p", lambda pod: pod["metadata"].update(labels={"a": "b"}))
            elif len(seen) == 2:
                server.api.remove("pods", "p")
            else:
                break
    assert seen == ["ADDED", "MODIFIED", "DELETED"]
    await eventually(lambda: server.api.watch_count == 0)


async def test_a_restarted_server_is_found_again(server: FakeGrpcServer, client: AsyncClient) -> None:
    informer = Informer(client, "configmaps")
    await client.create("configmaps", config_map("a"))
    await informer.start()
    await informer.wait_synced(30)
    await server.stop()
    reading = asyncio.create_task(client.get("configmaps", "a"))
    with pytest.raises(ApiUnavailable):
        await client.get("configmaps", "a", timeout=0.1)
    with pytest.raises(ApiUnavailable, match="no API server answers"):
        await client.create("configmaps", config_map("c"), timeout=0.3)
    assert not reading.done()
    again = FakeGrpcServer(server.api, port=server.port)
    await again.start()
    try:
        assert (await reading)["metadata"]["name"] == "a"
        await client.create("configmaps", config_map("b"))
        await eventually(lambda: informer.lister.get("default", "b") is not None)
    finally:
        await informer.stop()
        await again.stop()


async def test_a_write_under_way_when_the_server_dies_has_an_unknown_outcome(
    server: FakeGrpcServer, client: AsyncClient
) -> None:
    await client.create("configmaps", config_map("a"))
    server.hold.clear()
    writing = asyncio.create_task(client.create("configmaps", config_map("b")))
    reading = asyncio.create_task(client.get("configmaps", "a"))
    await eventually(lambda: sum(server.frames) == 3)
    await server.stop()
    with pytest.raises(OutcomeUnknown):
        await writing
    again = FakeGrpcServer(server.api, port=server.port)
    await again.start()
    try:
        assert await reading
    finally:
        await again.stop()


async def test_the_next_endpoint_takes_over(server: FakeGrpcServer) -> None:
    other = FakeGrpcServer(server.api)
    await other.start()
    async with AsyncClient(["127.0.0.1:1", server.endpoint, other.endpoint], timeout=5) as client:
        await client.create("configmaps", config_map("a"))
        used = server if server.sessions else other
        left = other if used is server else server
        await used.stop()
        assert await client.get("configmaps", "a")
        assert left.sessions == 1
    await other.stop()


async def test_nothing_is_left_after_close(server: FakeGrpcServer) -> None:
    client = AsyncClient([server.endpoint])
    before = asyncio.all_tasks()
    watching = asyncio.create_task(anext(client.watch("pods")))
    await client.list("pods")
    await asyncio.sleep(0.05)
    await client.close()
    with pytest.raises(ApiUnavailable, match="closed"):
        await client.get("pods", "a", timeout=0.1)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    assert [task for task in left if "kubeactors/client" in task.get_coro().cr_code.co_filename] == []  # type: ignore[union-attr]


async def test_a_server_that_falls_silent_is_left_for_another(
    server: FakeGrpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubeactors.client.grpc_transport.KEEPALIVE_TIME", 1.0)
    monkeypatch.setattr("kubeactors.client.grpc_transport.KEEPALIVE_TIMEOUT", 0.5)
    proxy = TcpProxy(server.port)
    await proxy.start()
    silent = f"127.0.0.1:{proxy.port}"
    transport = GrpcTransport([silent, server.endpoint], ClientConfig(()), "test", rand=lambda: 0.0)
    async with AsyncClient(transport=transport, timeout=60) as client:
        server.api.seed(config_map("a"))
        informer = Informer(client, "configmaps")
        await informer.start()
        await informer.wait_synced(30)
        proxy.freeze()
        started = asyncio.get_running_loop().time()
        assert await client.get("configmaps", "a")
        server.api.seed(config_map("b"))
        await eventually(lambda: informer.lister.get("default", "b"))
        assert asyncio.get_running_loop().time() - started < 30
        await informer.stop()
    await proxy.stop()


async def test_mutual_tls_and_renewed_certificates(tmp_path: Path) -> None:
    pki = ThrowawayPki(tmp_path)
    server = FakeGrpcServer(FakeApi(), credentials=pki.grpc_credentials())
    await server.start()
    async with AsyncClient([server.endpoint], TlsConfig(ca_file=pki.ca_file), timeout=0.5) as anonymous:
        with pytest.raises(ApiUnavailable):
            await anonymous.get("configmaps", "a")
    async with AsyncClient([server.endpoint], pki.tls(), timeout=5) as client:
        await client.create("configmaps", config_map("a"))
        await server.stop()
        pki.renew()
        again = FakeGrpcServer(server.api, port=server.port, credentials=pki.grpc_credentials())
        await again.start()
        assert await client.get("configmaps", "a")
        await again.stop()
    async with AsyncClient([server.endpoint], TlsConfig(ca_file=tmp_path / "no.crt"), timeout=0.3) as broken:
        with pytest.raises(ApiUnavailable, match=r"No such file or directory.*no\.crt"):
            await broken.get("configmaps", "a")


def test_uvloop_carries_it_too() -> None:
    async def use() -> str:
        server = FakeGrpcServer(FakeApi())
        await server.start()
        async with AsyncClient([server.endpoint], timeout=5) as client:
            await client.create("configmaps", config_map("a"))
            found = await client.wait("configmaps", "a", condition="create", timeout=5)
        await server.stop()
        return str(found and found["metadata"]["name"])

    assert uvloop.run(use()) == "a"


async def test_a_fault_of_the_server_is_not_taken_for_a_lost_connection(
    client: AsyncClient, server: FakeGrpcServer
) -> None:
    def fault(call: object) -> None:
        raise ZeroDivisionError

    server.api.handle = fault  # type: ignore[method-assign,assignment]
    with pytest.raises(StatusError) as error:
        await client.list("configmaps")
    assert error.value.code == 500


async def test_a_renewed_token_is_taken_up_when_the_old_one_ends(server: FakeGrpcServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    server.token = "first"
    async with AsyncClient(config=ClientConfig((server.endpoint,), token_file=token), timeout=20) as client:
        await client.create("configmaps", config_map("a"))
        token.write_text("second\n")
        await client.get("configmaps", "a")
        assert server.sessions == 1
        server.token = "second"
        await client.create("configmaps", config_map("b"))
        assert server.sessions == 2
        server.token = "third"
        with pytest.raises(Unauthorized):
            await client.get("configmaps", "a")
