"""StoreClient against a member in this process: both transports, reconnecting, deadlines, unknown outcomes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store import errors
from kubeactors.store.client import (
    Compacted,
    FutureRevision,
    LeaseNotFound,
    StoreClient,
    StoreError,
    StoreUnavailable,
    ops,
)
from kubeactors.store.client.session import SessionTransport
from kubeactors.store.client.unary import UnaryTransport
from kubeactors.store.member import StoreMember
from tests.support.ports import free_port
from tests.support.store import member_config, running_member, store_client


@pytest.fixture(params=["session", "unary"])
async def store(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    async with running_member(member_config(tmp_path)) as m, store_client(m, transport=request.param) as client:
        yield client


async def test_calls_and_their_answers(store: StoreClient) -> None:
    put = await store.put(b"k", b"1")
    assert (put.revision, put.prev_kv) == (2, None)
    again = await store.put(b"k", b"2", prev_kv=True)
    assert again.prev_kv is not None and again.prev_kv.value == b"1"
    assert await store.get(b"none") is None
    assert await store.get(b"k") == (b"k", b"2", 2, 3, 2, 0)
    assert (await store.get(b"k", revision=2)).value == b"1"  # type: ignore[union-attr]
    txn = await store.txn([ops.mod_revision(b"k", "=", 3)], [ops.put(b"k", b"3"), ops.get(b"k")], [])
    assert txn.succeeded and txn.revision == 4
    assert txn.responses[1].kvs[0].value == b"3"  # type: ignore[union-attr]
    read = await store.txn([ops.version(b"k", "=", 1)], [], [ops.get(b"k")])
    assert not read.succeeded and read.revision == 4
    deleted = await store.delete_range(b"k", prev_kv=True)
    assert (deleted.deleted, deleted.prev_kvs[0].value) == (1, b"3")
    assert await store.revision() == 5


async def test_scan_reads_one_revision_in_pages(store: StoreClient) -> None:
    await asyncio.gather(*(store.put(b"p/%03d" % n, b"") for n in range(25)))
    pages = []
    async for page in store.scan(b"p/", page_size=10):
        await store.put(b"p/0000", b"meanwhile")
        pages.append(page)
    assert [len(page.kvs) for page in pages] == [10, 10, 5]
    assert len({page.revision for page in pages}) == 1
    assert [kv.key for page in pages for kv in page.kvs] == [b"p/%03d" % n for n in range(25)]


async def test_errors_have_their_classes(store: StoreClient) -> None:
    with pytest.raises(FutureRevision):
        await store.get(b"k", revision=99)
    await store.put(b"k", b"")
    await store.compact(2, physical=True)
    with pytest.raises(Compacted):
        await store.compact(2)
    with pytest.raises(LeaseNotFound):
        await store.put(b"k", b"", lease=1)
    with pytest.raises(LeaseNotFound):
        await store.lease_keep_alive(1)
    with pytest.raises(LeaseNotFound):
        await store.lease_revoke(1)
    with pytest.raises(StoreError, match="key is not provided"):
        await store.put(b"", b"")
    with pytest.raises(StoreError, match="duplicate key"):
        await store.txn([], [ops.put(b"a", b""), ops.put(b"a", b"")])


async def test_leases(store: StoreClient) -> None:
    lease = await store.lease_grant(100)
    assert lease.ttl == 100
    await store.put(b"k", b"", lease=lease.id)
    assert await store.lease_keep_alive(lease.id) == 100
    left = await store.lease_time_to_live(lease.id, keys=True)
    assert left.granted_ttl == 100 and left.keys == [b"k"] and left.ttl in (99, 100)
    assert await store.lease_leases() == [lease.id]
    await store.lease_revoke(lease.id)
    assert await store.get(b"k") is None
    assert (await store.lease_time_to_live(lease.id)).ttl == -1


async def test_concurrent_calls_share_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeactors.pb.store.v1 import session_pb2
    from kubeactors.store.services import session as service

    frames = 0
    take = service._Session.take

    async def counting(self, requests):  # type: ignore[no-untyped-def]
        async def counted():  # type: ignore[no-untyped-def]
            nonlocal frames
            async for frame in requests:
                frames += 1
                assert isinstance(frame, session_pb2.CallFrame)
                yield frame

        await take(self, counted())

    monkeypatch.setattr(service._Session, "take", counting)
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        await asyncio.gather(*(store.put(b"k%d" % n, b"") for n in range(500)))
        assert (await store.prefix(b"k", keys_only=True)).count == 500
    assert frames < 20


async def test_more_calls_than_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeactors.store.services import session as service

    monkeypatch.setattr(service, "WINDOW", 8)
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        await asyncio.gather(*(store.put(b"k%d" % n, b"") for n in range(300)))
        assert (await store.prefix(b"k", keys_only=True)).count == 300


async def test_calls_made_while_the_member_is_away_are_carried_out_later(tmp_path: Path) -> None:
    config = member_config(tmp_path)
    async with running_member(config) as member:
        url = member.client_urls[0]
        store = StoreClient([url], timeout=10)
        await store.put(b"a", b"1")
        watch = store.watch(b"")
        await watch.start()
    calls = [asyncio.create_task(call) for call in (store.put(b"b", b"2"), store.get(b"a"), store.put(b"c", b"3"))]
    await asyncio.sleep(0.2)
    assert not any(call.done() for call in calls)
    async with running_member(member_config(tmp_path, url)):
        await asyncio.gather(*calls)
        events: list[bytes] = []
        while len(events) < 2:
            events += [e.kv.key for e in (await asyncio.wait_for(anext(watch), 30)).events]
        assert sorted(events) == [b"b", b"c"]
        await watch.close()
        await store.close()


async def test_unreachable_means_surely_not_applied() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for transport in ("session", "unary"):
        # Time enough to be refused, also on a busy machine: no answer at all could mean anything.
        store = StoreClient([url], transport=transport, timeout=2.0)  # type: ignore[arg-type]
        with pytest.raises(StoreUnavailable) as caught:
            await store.put(b"k", b"")
        assert not caught.value.outcome_unknown
        await store.close()


class Stuck(StoreMember):
    """Takes proposals and never answers them."""

    async def start(self) -> None:
        await super().start()
        assert self._node is not None
        self._node.replica.work = lambda: None  # type: ignore[method-assign]


@pytest.mark.parametrize("transport", ["session", "unary"])
async def test_a_write_without_an_answer_has_an_unknown_outcome(tmp_path: Path, transport: str) -> None:
    member = Stuck(member_config(tmp_path))
    await member.start()
    store = StoreClient(member.client_urls, transport=transport, timeout=0.3)  # type: ignore[arg-type]
    assert await store.get(b"k") is None
    with pytest.raises(StoreUnavailable) as caught:
        await store.put(b"k", b"")
    assert caught.value.outcome_unknown
    await store.close()
    assert member._node is not None
    member._node.fail("the test ends")
    await member.stop()


async def test_a_store_without_sessions_is_used_by_unary_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeactors.store import member as module

    monkeypatch.setattr(module.session_pb2_grpc, "add_SessionServicer_to_server", lambda *_: None)
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        assert isinstance(store._transport, SessionTransport)
        await asyncio.gather(*(store.put(b"k%d" % n, b"v") for n in range(5)))
        assert isinstance(store._transport, UnaryTransport)
        assert (await store.prefix(b"k")).count == 5


async def test_a_watch_whose_place_was_compacted_away_says_so(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        for _ in range(5):
            await store.put(b"k", b"")
        await store.compact(5)
        watch = store.watch(b"k", 3)
        with pytest.raises(Compacted) as caught:
            await anext(watch)
        assert caught.value.compact_revision == 5


async def test_a_cancelled_wait_on_a_watch_loses_nothing(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        watch = store.watch(b"k", prev_kv=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(watch), 0.2)
        await store.put(b"k", b"1")
        await store.put(b"k", b"2")
        events = []
        while len(events) < 2:
            events += (await asyncio.wait_for(anext(watch), 30)).events
        assert [e.kv.value for e in events] == [b"1", b"2"]
        assert events[1].prev_kv is not None and events[1].prev_kv.value == b"1"
        assert events[0].created and not events[1].created
        await watch.request_progress()
        await store.put(b"other", b"")
        await watch.request_progress()
        progress = [(await asyncio.wait_for(anext(watch), 30)) for _ in range(2)]
        assert progress[-1].revision == 4 and not progress[-1].events
        await watch.close()


async def test_an_exact_key_and_a_range_can_be_watched(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        exact, some, everything = (
            store.watch(b"k", range_end=b""),
            store.watch(b"a", range_end=b"c"),
            store.watch(b""),
        )
        for watch in (exact, some, everything):
            await watch.start()
        for key in (b"kk", b"k", b"b", b"c"):
            await store.put(key, b"")
        assert [e.kv.key for e in (await anext(exact)).events] == [b"k"]
        assert [e.kv.key for e in (await anext(some)).events] == [b"b"]
        keys: list[bytes] = []
        while len(keys) < 4:
            keys += [e.kv.key for e in (await anext(everything)).events]
        assert keys == [b"kk", b"k", b"b", b"c"]
        for watch in (exact, some, everything):
            await watch.close()


async def test_closing_ends_what_waits(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path)) as member:
        url = member.client_urls[0]
    store = StoreClient([url])
    call = asyncio.create_task(store.put(b"k", b""))
    await asyncio.sleep(0.05)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await call
    with pytest.raises(StoreUnavailable):
        await store.get(b"k")


async def test_a_call_that_gives_up_a_member_leaves_those_beside_it_alone() -> None:
    """Unary calls share a channel: the one that goes over to another member must not end those still under way."""
    put_is_there = asyncio.Event()

    class Busy(rpc_pb2_grpc.KVServicer):
        async def Put(self, request: rpc_pb2.PutRequest, context: object) -> rpc_pb2.PutResponse:
            put_is_there.set()
            await asyncio.sleep(0.5)
            return rpc_pb2.PutResponse()

        async def Range(
            self, request: rpc_pb2.RangeRequest, context: grpc.aio.ServicerContext[object, object]
        ) -> rpc_pb2.RangeResponse:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "etcdserver: no leader")

    server = grpc.aio.server()
    rpc_pb2_grpc.add_KVServicer_to_server(Busy(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = StoreClient([f"http://127.0.0.1:{port}"], transport="unary")
    try:
        writing = asyncio.create_task(client.put(b"k", b"", timeout=5))
        await put_is_there.wait()
        with pytest.raises(StoreUnavailable):
            await client.get(b"k", timeout=0.3)
        await writing
    finally:
        await client.close()
        await server.stop(None)


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        (grpc.StatusCode.INTERNAL, True),  # as gRPC ends a call whose stream broke
        (grpc.StatusCode.UNKNOWN, True),
        (grpc.StatusCode.CANCELLED, True),
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, True),
        (grpc.StatusCode.PERMISSION_DENIED, False),
        (grpc.StatusCode.INVALID_ARGUMENT, False),
        (grpc.StatusCode.FAILED_PRECONDITION, False),
    ],
)
def test_a_write_that_ended_without_a_refusal_may_have_been_applied(code: grpc.StatusCode, unknown: bool) -> None:
    error = errors.from_wire(int(code.value[0]), "some text", outcome_unknown=True)
    assert error.outcome_unknown is unknown
    assert not errors.from_wire(int(code.value[0]), "some text", outcome_unknown=False).outcome_unknown
