"""The client of a cluster, while members die, fall silent, stop and lose their leader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeactors.store.client import StoreClient, StoreUnavailable, WatchBatch
from tests.support.member_net import MemberNet
from tests.support.store_cluster import StoreCluster, StoreMemberProcess


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[StoreCluster]:
    async with StoreCluster(tmp_path, 3, tls=True) as running:
        yield running


class Writers:
    """Each counts a key of its own up, one write after the other. `unknown`: writes that may or may not have come."""

    def __init__(self, store: StoreClient, count: int, prefix: bytes = b"w/") -> None:
        self.store = store
        self.prefix = prefix
        self.acknowledged = dict.fromkeys(range(count), 0)
        self.unknown = 0
        self.errors: set[str] = set()
        self.refused = 0
        self.total = 0
        self.longest = 0.0
        self._stop = False
        self._tasks = [asyncio.create_task(self._write(n)) for n in range(count)]

    async def _write(self, writer: int) -> None:
        number = 0
        while not self._stop:
            number += 1
            started = time.monotonic()
            try:
                await self.store.put(b"%s%d" % (self.prefix, writer), b"%d" % number)
                self.acknowledged[writer] = number
                self.total += 1
                self.longest = max(self.longest, time.monotonic() - started)
            except StoreUnavailable as error:
                self.errors.add(error.message)
                self.unknown += error.outcome_unknown
                self.refused += not error.outcome_unknown

    async def going_on(self, writes: int = 200, timeout: float = 20.0) -> None:
        """Until so many more are acknowledged."""
        wanted = self.total + writes
        async with asyncio.timeout(timeout):
            while self.total < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)
        found = {kv.key: int(kv.value) for kv in (await self.store.prefix(self.prefix)).kvs}
        for writer, number in self.acknowledged.items():
            assert found.get(b"%s%d" % (self.prefix, writer), 0) >= number, "an acknowledged write is gone"


async def test_writes_go_on_after_each_death_of_the_leader(cluster: StoreCluster) -> None:
    writers = Writers(cluster.client(timeout=20), 64)
    await writers.going_on(1000)
    for _ in range(3):
        leader = await cluster.wait_leader()
        await cluster.kill(leader)
        await cluster.wait_leader(besides=leader)
        await writers.going_on()
        await cluster.start(leader)
    await writers.stop()
    assert not writers.refused
    assert writers.unknown <= 3 * 64, "only what was under way when a member died"
    assert writers.longest < 10


async def test_members_that_stop_one_after_the_other_cost_no_request(cluster: StoreCluster) -> None:
    """SIGTERM: what was accepted is answered, leadership handed over, what comes late asked of another member."""
    session, unary = cluster.client(timeout=20), StoreClient(cluster.endpoints, cluster.tls, transport="unary")
    writers, more = Writers(session, 32), Writers(unary, 4, b"unary/")
    for member in cluster.members:
        await writers.going_on()
        assert await cluster.terminate(member) == 0
        await cluster.start(member)
    await writers.going_on()
    await more.going_on(20)
    await writers.stop()
    assert (writers.unknown, writers.refused) == (0, 0), writers.errors
    await more.stop()
    assert not more.refused
    await unary.close()


async def test_a_silent_member_is_left_within_seconds(cluster: StoreCluster) -> None:
    store = cluster.client(timeout=60)
    await store.put(b"k", b"0")
    first = cluster.members[0]
    watch = store.watch(b"k")
    await watch.start()
    cluster.stop(first)
    started = time.monotonic()
    reads = asyncio.create_task(store.get(b"k"))
    found = await reads
    assert found is not None and found.value == b"0"
    assert time.monotonic() - started < 20
    await store.put(b"k", b"1")
    async with asyncio.timeout(20):
        batch = await anext(watch)
    assert [event.kv.value for event in batch.events] == [b"1"]
    await watch.close()
    assert (await store.status(timeout=30)).leader_id, "asks another member"
    assert len(await store.member_list(timeout=30)) == 3
    cluster.cont(first)
    await cluster.serving(first)


async def test_a_watch_goes_on_elsewhere_without_a_gap(cluster: StoreCluster) -> None:
    store = cluster.client(timeout=20)
    watch = store.watch(b"w/", 1)
    seen: dict[bytes, int] = {}
    last = 0

    async def follow() -> None:
        nonlocal last
        batch: WatchBatch
        async for batch in watch:
            for event in batch.events:
                number = int(event.kv.value)
                assert event.kv.mod_revision >= last
                assert number > seen.get(event.kv.key, 0), "a change came twice"
                assert event.kv.version == number or writers.unknown, "a change was lost"
                seen[event.kv.key], last = number, event.kv.mod_revision

    writers = Writers(store, 8)
    follower = asyncio.create_task(follow())
    await writers.going_on()
    for member in cluster.members:
        await cluster.kill(member)
        await writers.going_on()
        await cluster.start(member)
    await writers.stop()
    found = {kv.key: int(kv.value) for kv in (await store.prefix(b"w/")).kvs}
    async with asyncio.timeout(20):
        while seen != found:
            assert not follower.done(), follower
            await asyncio.sleep(0.05)
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    await watch.close()


async def test_unary_calls_go_over_too(cluster: StoreCluster) -> None:
    store = StoreClient(cluster.endpoints, cluster.tls, timeout=60, transport="unary")
    await store.put(b"k", b"0")
    first = cluster.members[0]
    await cluster.kill(first)
    assert await store.get(b"k") is not None
    await store.put(b"k", b"1")
    await cluster.start(first)
    second = cluster.members[1]
    cluster.stop(second)
    started = time.monotonic()
    assert await store.get(b"k") is not None
    assert time.monotonic() - started < 20
    cluster.cont(second)
    await store.close()


@pytest.mark.root
async def test_a_member_without_a_leader_is_left(tmp_path: Path) -> None:
    """Cut off from the others, but not from the client."""
    with MemberNet([]) as net:
        async with StoreCluster(tmp_path, 3, net=net) as cluster:
            lonely = cluster.members[0]
            store = cluster.client(timeout=60)
            watch = store.watch(b"k", 1)
            await store.put(b"k", b"0")
            assert (await anext(watch)).events[0].kv.value == b"0"
            cluster.isolate(lonely)
            leader = await cluster.wait_leader(besides=lonely)
            await _knows_no_leader(cluster, lonely)
            started = time.monotonic()
            await store.put(b"k", b"1")
            assert time.monotonic() - started < 20
            found = await store.get(b"k")
            assert found is not None and found.value == b"1"
            async with asyncio.timeout(30):
                assert [event.kv.value for event in (await anext(watch)).events] == [b"1"]
            await watch.close()
            # Asked of it alone: nothing is answered from a past that may be over.
            alone = cluster.client(lonely, timeout=3)
            with pytest.raises(StoreUnavailable):
                await alone.get(b"k")
            old = await alone.range(b"k", serializable=True)
            assert old.kvs[0].value == b"0"
            with pytest.raises(StoreUnavailable):
                await alone.put(b"other", b"")
            cluster.heal()
            await _agree(cluster, lonely, leader)
            found = await alone.get(b"k", timeout=30)
            assert found is not None and found.value == b"1"


async def _knows_no_leader(cluster: StoreCluster, member: StoreMemberProcess) -> None:
    async def lost() -> bool:
        status = await cluster.status(member)
        return status is not None and not status.leader_id

    await cluster.until(lost)


async def _agree(cluster: StoreCluster, *members: StoreMemberProcess) -> None:
    async def same() -> bool:
        found = await cluster.statuses(members)
        return len({(s.term, s.leader_id, s.applied_index) for s in found.values()}) == 1 and len(found) == len(members)

    await cluster.until(same)
