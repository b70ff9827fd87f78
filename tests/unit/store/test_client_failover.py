"""The client with several endpoints, against members that do as a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from kubeactors.pb.etcd import kv_pb2, rpc_pb2, rpc_pb2_grpc
from kubeactors.pb.store.v1 import session_pb2, session_pb2_grpc
from kubeactors.store.client import StoreClient, StoreUnavailable
from kubeactors.store.client.channel import WANT_LEADER
from kubeactors.store.config import MemberConfig
from kubeactors.store.errors import UNAVAILABLE
from tests.support.store import running_member

Frames = Callable[["Session"], Awaitable[None]]


class Session:
    """One caller's session, from the member's side."""

    def __init__(self, member: Member, context: grpc.aio.ServicerContext) -> None:
        self.member = member
        self._context = context

    async def calls(self) -> list[session_pb2.Call]:
        frame = await self._context.read()
        if frame is grpc.aio.EOF:
            raise EOFError
        self.member.asked += len(frame.calls)
        return list(frame.calls)

    async def write(self, frame: session_pb2.ReplyFrame) -> None:
        await self._context.write(frame)

    async def refuse(self, call: session_pb2.Call, message: str, *, unknown: bool = False) -> None:
        error = session_pb2.Error(code=UNAVAILABLE, message=message, outcome_unknown=unknown)
        await self.write(session_pb2.ReplyFrame(replies=[session_pb2.Reply(id=call.id, error=error)]))

    async def answer(self, call: session_pb2.Call) -> None:
        """With the member's name as the value that was found or replaced."""
        kv = kv_pb2.KeyValue(value=self.member.name.encode())
        reply = session_pb2.Reply(id=call.id)
        if call.HasField("put"):
            reply.put.prev_kv.CopyFrom(kv)
        else:
            reply.range.kvs.append(kv)
        await self.write(session_pb2.ReplyFrame(replies=[reply]))


async def obliging(session: Session) -> None:
    while True:
        for call in await session.calls():
            await session.answer(call)


class Member(session_pb2_grpc.SessionServicer):
    """`behave` is what it does with each session after the welcome; `silent`: it never says even that."""

    def __init__(self, name: str, behave: Frames = obliging, *, silent: bool = False, no_leader: bool = False) -> None:
        self.name = name
        self.behave = behave
        self.silent = silent
        self.no_leader = no_leader
        self.sessions = 0
        self.asked = 0
        self.url = ""

    async def Open(self, requests: object, context: grpc.aio.ServicerContext) -> None:  # type: ignore[override]
        self.sessions += 1
        if self.silent:
            await asyncio.Event().wait()
        welcome = session_pb2.Welcome(window=64, max_request_bytes=1 << 20)
        await context.write(session_pb2.ReplyFrame(welcome=welcome, no_leader=self.no_leader))
        try:
            await self.behave(Session(self, context))
        except EOFError:
            return


@asynccontextmanager
async def members(*all_: Member) -> AsyncIterator[StoreClient]:
    """They and a client of them all."""
    servers = []
    for member in all_:
        server = grpc.aio.server()
        session_pb2_grpc.add_SessionServicer_to_server(member, server)
        member.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        servers.append(server)
    client = StoreClient([member.url for member in all_], timeout=30)
    try:
        yield client
    finally:
        await client.close()
        await asyncio.gather(*(server.stop(None) for server in servers))


async def where(client: StoreClient) -> str:
    """Which member a write got to."""
    result = await client.put(b"k", b"v", prev_kv=True)
    assert result.prev_kv is not None
    return result.prev_kv.value.decode()


async def test_the_first_that_answers_is_used() -> None:
    async with members(Member("a"), Member("b")) as client:
        assert await where(client) == "a"
    silent = Member("a", silent=True)
    async with members(silent, Member("b")) as client:
        started = time.monotonic()
        assert await where(client) == "b"
        assert time.monotonic() - started < 15
        assert await where(client) == "b" and silent.sessions == 1


async def test_one_that_is_down_costs_no_time() -> None:
    up = Member("b")
    async with members(up) as other:
        client = StoreClient(["http://127.0.0.1:1", "http://127.0.0.1:2", up.url], timeout=30)
        started = time.monotonic()
        assert await where(client) == "b"
        assert time.monotonic() - started < 10
        await client.close()
        assert await where(other) == "b"


async def test_one_without_a_leader_is_asked_only_when_all_are() -> None:
    async with members(Member("a", no_leader=True), Member("b")) as client:
        assert await where(client) == "b"
    async with members(Member("a", no_leader=True), Member("b", no_leader=True)) as client:
        assert await where(client) in "ab"


async def test_what_is_surely_not_applied_is_asked_again() -> None:
    refusals = 0

    async def fickle(session: Session) -> None:
        nonlocal refusals
        while True:
            for call in await session.calls():
                if refusals < 3:
                    refusals += 1
                    await session.refuse(call, "etcdserver: leader changed")
                else:
                    await session.answer(call)

    async with members(Member("a", fickle), Member("b")) as client:
        assert await where(client) == "a", "it has a leader again, and stays"
        assert refusals == 3


async def test_a_stopping_member_is_left_for_another() -> None:
    async def stopping(session: Session) -> None:
        while True:
            for call in await session.calls():
                await session.refuse(call, "etcdserver: server stopped")

    async with members(Member("a", stopping), Member("b")) as client:
        assert [await where(client) for _ in range(3)] == ["b", "b", "b"]


async def test_an_unknown_outcome_is_not_repeated() -> None:
    async def unsure(session: Session) -> None:
        while True:
            for call in await session.calls():
                await session.refuse(call, "etcdserver: request timed out", unknown=True)

    b = Member("b")
    async with members(Member("a", unsure), b) as client:
        with pytest.raises(StoreUnavailable) as refused:
            await where(client)
        assert refused.value.outcome_unknown
        assert not b.asked


@pytest.mark.parametrize("frame", [{"no_leader": True}, {"going_away": True}])
async def test_what_was_asked_of_a_member_that_is_left_is_still_answered_there(frame: dict[str, bool]) -> None:
    left = asyncio.Event()

    async def leaving(session: Session) -> None:
        (write,) = await session.calls()
        (read,) = await session.calls()
        await session.write(session_pb2.ReplyFrame(**frame))  # type: ignore[arg-type]
        await left.wait()
        await session.answer(write)
        await session.answer(read)
        await obliging(session)

    a, b = Member("a", leaving), Member("b")
    async with members(a, b) as client:
        write = asyncio.create_task(where(client))
        await asyncio.sleep(0.2)
        read = asyncio.create_task(client.get(b"k"))
        found = await read
        assert found is not None and found.value == b"b", "a read is asked again at once"
        assert await where(client) == "b"
        assert not write.done()
        left.set()
        assert await write == "a", "a write is not"
        assert a.asked == 2


async def test_going_away_counts_for_the_only_member_too() -> None:
    lives = 0

    async def short_lived(session: Session) -> None:
        nonlocal lives
        lives += 1
        for call in await session.calls():
            await session.answer(call)
        await session.write(session_pb2.ReplyFrame(going_away=True))
        await obliging(session)

    async with members(Member("a", short_lived)) as client:
        for _ in range(3):
            assert await where(client) == "a"
            await asyncio.sleep(0.1)
        assert lives == 3


async def test_no_call_is_lost_with_a_session() -> None:
    """Callers that ask again in the turn in which their call failed: none may go into what has just ended."""

    async def breaking(session: Session) -> None:
        await session.calls()

    async with members(Member("a", breaking), Member("b", breaking), Member("c")) as client:

        async def insist() -> str:
            while True:
                try:
                    return await where(client)
                except StoreUnavailable as error:
                    assert error.outcome_unknown

        async with asyncio.timeout(30):
            assert set(await asyncio.gather(*(insist() for _ in range(20)))) == {"c"}


async def test_reads_survive_a_broken_session() -> None:
    async def breaking(session: Session) -> None:
        await session.calls()

    async with members(Member("a", breaking), Member("b")) as client:
        found = await client.get(b"k")
        assert found is not None and found.value == b"b"


async def test_nobody_there() -> None:
    client = StoreClient(["http://127.0.0.1:1", "http://127.0.0.1:2"], timeout=0.5)
    with pytest.raises(StoreUnavailable, match="refused") as refused:
        await client.put(b"k", b"")
    assert not refused.value.outcome_unknown
    await client.close()


async def test_a_member_without_a_leader_turns_away_who_wants_one(tmp_path: Path) -> None:
    """One of three, alone: etcd's `hasleader`."""
    initial = {"m0": ("http://127.0.0.1:1",), "m1": ("http://127.0.0.1:2",), "m2": ("http://127.0.0.1:3",)}
    config = MemberConfig(
        "m0",
        tmp_path,
        ("http://127.0.0.1:0",),
        listen_peer_urls=("http://127.0.0.1:0",),
        advertise_peer_urls=initial["m0"],
        initial_cluster=initial,
        heartbeat_ms=20,
        election_ms=100,
    )
    async with running_member(config) as member:
        url = member.client_urls[0]
        async with grpc.aio.insecure_channel(url.removeprefix("http://")) as channel:
            kv, watch = rpc_pb2_grpc.KVStub(channel), rpc_pb2_grpc.WatchStub(channel)
            for call in (
                kv.Put(rpc_pb2.PutRequest(key=b"k"), metadata=WANT_LEADER, timeout=5),
                kv.Range(rpc_pb2.RangeRequest(key=b"k"), metadata=WANT_LEADER, timeout=5),
                watch.Watch(metadata=WANT_LEADER, timeout=5).read(),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call
                assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
                assert refused.value.details() == "etcdserver: no leader"
            # Who does not ask for it is held, or answered from the state that is there.
            answer = await kv.Range(rpc_pb2.RangeRequest(key=b"k", serializable=True), timeout=5)
            assert answer.count == 0
            with pytest.raises(grpc.aio.AioRpcError) as held:
                await kv.Put(rpc_pb2.PutRequest(key=b"k"), timeout=0.5)
            assert held.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            patient = watch.Watch()
            await patient.write(rpc_pb2.WatchRequest(create_request=rpc_pb2.WatchCreateRequest(key=b"k")))
            assert (await patient.read()).created
            patient.cancel()
        unary = StoreClient([url, url], timeout=1, transport="unary")
        with pytest.raises(StoreUnavailable, match="no leader") as error:
            await unary.put(b"k", b"")
        assert not error.value.outcome_unknown
        await unary.close()
