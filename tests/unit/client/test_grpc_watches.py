"""Many watches of a client on one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from kubeactors.api.errors import Expired, Forbidden, StatusError
from kubeactors.client import AsyncClient, Informer
from kubeactors.client.calls import Target, WatchCall
from kubeactors.client.grpc_watches import MAX_WATCHES, WINDOW, SharedWatches
from kubeactors.client.resource import Resource
from kubeactors.client.transport import ConnectionLost
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.fake_grpc_server import FakeGrpcServer


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


async def test_informers_and_watches_share_a_stream(client: AsyncClient, server: FakeGrpcServer) -> None:
    informers = [Informer(client, kind) for kind in ("configmaps", "secrets", "services")]
    for informer in informers:
        await informer.start()
        await informer.wait_synced()
    server.api.seed(config_map("a"))
    async with aclosing(client.watch("configmaps")) as events:
        assert (await anext(events)).object["metadata"]["name"] == "a"
        await eventually(lambda: informers[0].lister.get("default", "a") is not None)
        assert (server.watch_streams, server.api.watch_count) == (1, 4)
    await eventually(lambda: server.api.watch_count == 3)
    for informer in informers:
        await informer.stop()
    await eventually(lambda: server.api.watch_count == 0)


async def test_a_reader_that_is_slow_holds_up_nobody(client: AsyncClient, server: FakeGrpcServer) -> None:
    async with (
        aclosing(client.watch_batches("configmaps")) as slow,
        aclosing(client.watch_batches("secrets")) as other,
    ):
        assert [await anext(slow), await anext(other)] == [[], []]
        versions = []
        for number in range(3 * WINDOW):
            made = await client.create("configmaps", config_map(f"a{number}"))
            versions.append(made["metadata"]["resourceVersion"])
        await client.create("secrets", {"metadata": {"name": "s"}})
        async with asyncio.timeout(20):
            assert [event.object["metadata"]["name"] for event in await anext(other)] == ["s"]
        waiting = client._transport._current._watches[0]._watches[1]  # type: ignore[attr-defined]
        assert len(waiting.batches) <= WINDOW
        seen: list[str] = []
        async with asyncio.timeout(20):
            while len(seen) < len(versions):
                seen += [event.object["metadata"]["resourceVersion"] for event in await anext(slow)]
        assert seen == versions


async def test_what_ends_one_watch_leaves_the_others_alone(client: AsyncClient, server: FakeGrpcServer) -> None:
    async with asyncio.timeout(20), aclosing(client.watch("configmaps")) as events:
        server.api.seed(config_map("a"), config_map("c"))
        assert (await anext(events)).type == (await anext(events)).type == "ADDED"
        server.api.compact()
        with pytest.raises(Expired):
            await anext(client.watch("configmaps", resource_version="1"))
        server.api.fail(Forbidden({"code": 403, "reason": "Forbidden", "message": "not for you"}), verb="watch")
        with pytest.raises(Forbidden, match="not for you"):
            await anext(client.watch("secrets"))
        server.api.seed(config_map("b"))
        assert (await anext(events)).object["metadata"]["name"] == "b"
    assert server.watch_streams == 1


async def test_a_stream_that_breaks_is_gone_on_from(client: AsyncClient, server: FakeGrpcServer) -> None:
    informer = Informer(client, "configmaps")
    await informer.start()
    await informer.wait_synced()
    async with aclosing(client.watch_batches("secrets")) as batches:
        await anext(batches)
        server.api.break_watches()
        with pytest.raises(ConnectionLost):
            await anext(batches)
    server.api.seed(config_map("a"))
    await eventually(lambda: informer.lister.get("default", "a") is not None)
    assert server.watch_streams == 2
    await informer.stop()


async def test_too_slow_for_the_server_is_a_lost_connection(client: AsyncClient, server: FakeGrpcServer) -> None:
    slow = StatusError({"code": 429, "reason": "TooManyRequests", "message": "too slow"})
    server.api.fail(slow, verb="watch")
    server.api.seed(config_map("a"))
    async with asyncio.timeout(20), aclosing(client.watch("configmaps")) as events:
        assert (await anext(events)).object["metadata"]["name"] == "a"


async def test_more_watches_than_a_stream_takes(client: AsyncClient, server: FakeGrpcServer) -> None:
    watches = [client.watch_batches("configmaps") for _ in range(MAX_WATCHES + 1)]
    async with asyncio.timeout(20):
        assert await asyncio.gather(*(anext(watch) for watch in watches)) == [[]] * len(watches)
    assert server.watch_streams == 2
    await asyncio.gather(*(watch.aclose() for watch in watches))
    await eventually(lambda: server.api.watch_count == 0)


async def test_closing_the_client_ends_its_watches(server: FakeGrpcServer) -> None:
    async with AsyncClient([server.endpoint], timeout=5) as client:
        batches = client.watch_batches("configmaps")
        await anext(batches)
        reading = asyncio.create_task(anext(batches))
        await asyncio.sleep(0)
    with pytest.raises(ConnectionLost):
        await reading
    await eventually(lambda: server.api.watch_count == 0)


async def test_a_stream_that_is_closed_before_it_began_ends_its_watches() -> None:
    shared = SharedWatches(None, "here:1")
    await shared.close()  # before its task has had a turn
    assert not shared.usable
    with pytest.raises(ConnectionLost, match="here:1"):
        async with asyncio.timeout(20):
            await anext(shared.watch(WatchCall(Target(Resource("", "v1", "secrets", "Secret", True)))))
