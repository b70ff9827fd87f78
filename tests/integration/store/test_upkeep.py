"""What a cluster does about the size of its state: quota, alarms, automatic compaction."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from kubeactors.store.client import Compacted, StoreClient
from kubeactors.store.errors import NoSpace
from tests.support.store_cluster import StoreCluster

pytestmark = pytest.mark.timeout(90)


async def test_a_full_state_takes_no_writes_until_it_is_compacted_and_disarmed(tmp_path: Path) -> None:
    async with StoreCluster(tmp_path, 3, "--quota-backend-bytes", "300000") as cluster:
        store = cluster.client()
        with pytest.raises(NoSpace):
            for number in range(200):
                await store.put(b"k", b"%d" % number * 1000)
        # The whole cluster knows, whoever is asked; what makes nothing larger is still done.
        (follower, other) = await cluster.followers()
        with pytest.raises(NoSpace):
            await cluster.client(other).put(b"small", b"")
        last = await store.get(b"k")
        assert last is not None
        assert "NOSPACE" in etcdctl(cluster, "alarm", "list")
        await store.delete_range(b"nothing")
        await store.compact(last.mod_revision)
        with pytest.raises(NoSpace):
            await store.put(b"small", b"")
        # The alarm is part of the state: a member that was away knows of it.
        await cluster.restart(follower)
        with pytest.raises(NoSpace):
            await cluster.client(follower).put(b"small", b"")
        assert "NOSPACE" in etcdctl(cluster, "alarm", "disarm")
        await cluster.client(follower).put(b"small", b"")
        assert etcdctl(cluster, "alarm", "list") == ""


async def test_history_is_compacted_by_whoever_leads(tmp_path: Path) -> None:
    flags = ["--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1s"]
    async with StoreCluster(tmp_path, 3, *flags) as cluster:
        store = cluster.client()
        await history_goes(store)
        await cluster.kill(await cluster.wait_leader())
        await history_goes(store)


async def test_leases_live_as_long_as_somebody_renews_them_whoever_leads(tmp_path: Path) -> None:
    async with StoreCluster(tmp_path, 3) as cluster:
        store = cluster.client()
        kept, left = await store.lease_grant(5), await store.lease_grant(5)
        await store.put(b"kept", b"", lease=kept.id)
        await store.put(b"left", b"", lease=left.id)
        killed = await cluster.wait_leader()
        await cluster.kill(killed)
        followers = [cluster.client(member) for member in cluster.members if member is not killed]
        async with asyncio.timeout(30):
            number = 0
            while await store.get(b"left") is not None:
                number += 1
                await followers[number % 2].lease_keep_alive(kept.id)  # each of them, of whom one leads now
                await asyncio.sleep(0.5)
        assert await store.get(b"kept") is not None
        assert await store.lease_leases() == [kept.id]
        time_left = await followers[0].lease_time_to_live(kept.id, keys=True)
        assert 2 <= time_left.ttl <= 5 and time_left.keys == [b"kept"]


async def history_goes(store: StoreClient) -> None:
    """A revision of now is compacted after a while."""
    first = (await store.put(b"k", b"")).revision
    await store.put(b"k", b"")
    async with asyncio.timeout(20):
        while True:
            try:
                await store.get(b"k", revision=first)
            except Compacted:
                break
            await store.put(b"k", b"")
            await asyncio.sleep(0.1)
    assert await store.get(b"k") is not None


def test_a_retention_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kubeactors.store", "--data-dir", str(tmp_path / "data")]
    command += ["--listen-client-urls", "http://127.0.0.1:0", "--auto-compaction-retention", "often"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (1, 2) and "--auto-compaction-retention" in done.stderr


def etcdctl(cluster: StoreCluster, *arguments: str) -> str:
    command = ["etcdctl", "--endpoints", ",".join(cluster.endpoints), *arguments]
    environment = {"ETCDCTL_API": "3", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=True)
    return done.stdout
