"""Members that join, leave, are replaced; that are told that they are gone; that bring the wrong data."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.store_cluster import StoreCluster, StoreMemberProcess, tail


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[StoreCluster]:
    async with StoreCluster(tmp_path / "store", 3, "--snapshot-count", "500", tls=True) as running:
        yield running


async def test_a_member_is_replaced_and_the_old_one_finds_out(cluster: StoreCluster) -> None:
    store = cluster.client(timeout=20)
    for number in range(50):
        await store.put(b"k%d" % number, b"x" * 100)
    first, second, third = cluster.members
    old = await cluster.wait_leader()
    await cluster.remove(old)
    assert await cluster.exited(old) == 1
    assert "removed from the cluster" in tail(old.log)
    new = await cluster.add()
    assert new.running and new.name == "m3"
    assert (await cluster.client(new).get(b"k7")) is not None
    assert {member.name for member in await store.member_list()} == {m.name for m in cluster.members}
    # It is told so again when it comes back with its data, by members that it does not even have to know.
    cluster.spawn(old)
    assert await cluster.exited(old) == 1
    assert "permanently removed" in tail(old.log)
    # The new one counts: with it and one other the cluster goes on without the third.
    await cluster.kill(next(member for member in (first, second, third) if member is not old))
    # By the new one: a call on a connection to the killed one may break off with an unknown outcome.
    await cluster.client(new).put(b"after", b"")


async def test_one_that_was_away_during_its_removal_is_told(cluster: StoreCluster) -> None:
    store = cluster.client(timeout=20)
    away = (await cluster.followers())[0]
    cluster.stop(away)
    await cluster.remove(away)
    await store.put(b"k", b"")
    cluster.cont(away)
    assert await cluster.exited(away) == 1
    assert "removed from the cluster" in tail(away.log)


async def test_from_one_member_to_three_with_learners(tmp_path: Path) -> None:
    async with StoreCluster(tmp_path, 1, "--snapshot-count", "500") as cluster:
        store = cluster.client(timeout=20)
        for number in range(1500):
            await store.put(b"k%d" % (number % 100), b"%d" % number)
        for _ in range(2):
            member = await cluster.add(learner=True)
            await cluster.promote(member)
        members = await store.member_list()
        assert len(members) == 3 and not any(member.is_learner for member in members)
        found = [(await cluster.client(member).prefix(b"k")).kvs for member in cluster.members]
        assert found[0] == found[1] == found[2] and len(found[0]) == 100
        await cluster.kill(cluster.members[0])
        await cluster.client(timeout=20).put(b"k", b"without the first")


async def test_all_killed_at_once_come_back_with_everything(cluster: StoreCluster) -> None:
    store = cluster.client(timeout=30)
    acknowledged: dict[bytes, bytes] = {}

    async def write(writer: int) -> None:
        for number in range(60):
            await store.put(b"w%d" % writer, b"%d" % number)
            acknowledged[b"w%d" % writer] = b"%d" % number

    await asyncio.gather(*(write(n) for n in range(16)))
    await cluster.kill_all()
    for member in cluster.members:
        cluster.spawn(member)
    await cluster.serving()
    assert {kv.key: kv.value for kv in (await store.prefix(b"w")).kvs} == acknowledged


async def test_a_member_with_another_clusters_data_does_not_start(cluster: StoreCluster, tmp_path: Path) -> None:
    member = (await cluster.followers())[0]
    await cluster.kill(member)
    async with StoreCluster(tmp_path / "other", 1, token="another") as other:
        await other.client().put(b"k", b"")
        assert await other.terminate(other.members[0]) == 0
        shutil.rmtree(member.data_dir)
        shutil.copytree(other.members[0].data_dir, member.data_dir)
    await _does_not_start(cluster, member, "but the member at")


async def test_a_member_that_lost_its_data_does_not_begin_anew(cluster: StoreCluster) -> None:
    member = (await cluster.followers())[0]
    await cluster.kill(member)
    shutil.rmtree(member.data_dir)
    await _does_not_start(cluster, member, "has already been bootstrapped")


async def test_one_goes_on_alone_after_the_others_are_lost(cluster: StoreCluster) -> None:
    """--force-new-cluster, and then others join again."""
    store = cluster.client(timeout=20)
    await store.put(b"k", b"kept")
    survivor, *lost = cluster.members
    await cluster.kill_all()
    for member in lost:
        cluster.members.remove(member)
    cluster.spawn(survivor, "--force-new-cluster")
    await cluster.serving()
    alone = cluster.client(timeout=20)
    found = await alone.get(b"k")
    assert found is not None and found.value == b"kept"
    assert [member.name for member in await alone.member_list()] == [survivor.name]
    await cluster.restart(survivor)
    await cluster.add(learner=True)


async def _does_not_start(cluster: StoreCluster, member: StoreMemberProcess, says: str) -> None:
    cluster.spawn(member)
    assert await cluster.exited(member) == 1
    assert says in tail(member.log, 3)
