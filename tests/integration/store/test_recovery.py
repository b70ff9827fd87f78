"""Backup and disaster recovery, by the commands that docs/store.md tells to use."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import Compacted, StoreClient, ops
from tests.support.etcd_process import open_channel
from tests.support.store_cluster import StoreCluster

pytestmark = pytest.mark.timeout(120)


def cli(*arguments: str | Path, fails: bool = False) -> str:
    """`kubeactors store snapshot …`: what it printed."""
    command = [sys.executable, "-m", "kubeactors.cli", "store", "snapshot", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert bool(done.returncode) == fails, done.stderr
    return done.stderr if fails else done.stdout


async def fill(store: StoreClient) -> tuple[int, int]:
    """Some history and a lease: (the lease, a revision in the past)."""
    lease = await store.lease_grant(600)
    for number in range(20):
        await store.put(b"key/%d" % number, b"first")
    past = (await store.put(b"leased", b"x", lease=lease.id)).revision
    for number in range(10):
        await store.put(b"key/%d" % number, b"second")
    await store.delete_range(b"key/0")
    await store.compact(5)
    return lease.id, past


async def restored(
    directory: Path, file: Path, *flags: str, members: int = 3, token: str = "recovered"
) -> StoreCluster:
    """A new cluster of as many members, restored from the file and not started."""
    cluster = StoreCluster(directory, members, token=token)
    initial = ",".join(f"{member.name}={member.peer_url}" for member in cluster.members)
    for member in cluster.members:
        said = cli(
            "restore", file, "--data-dir", member.data_dir, "--name", member.name, "--initial-cluster", initial,
            "--initial-cluster-token", token, "--initial-advertise-peer-urls", member.peer_url, *flags,
        )  # fmt: skip
        assert "restored" in said
    return cluster


async def test_from_one_member_to_a_new_cluster_of_three(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    async with StoreCluster(tmp_path / "old", 1, tls=True) as old:
        assert old.tls is not None
        store = old.client()
        lease, past = await fill(store)
        before, history = await store.prefix(b""), await store.prefix(b"", revision=past)
        tls = ["--cacert", old.tls.ca, "--cert", old.tls.cert, "--key", old.tls.key]
        assert str(file) in cli("save", file, "--endpoints", old.endpoints[0], *tls)
        await store.put(b"after the backup", b"")
    assert file.stat().st_mode & 0o777 == 0o600
    status = json.loads(cli("status", file, "--output", "json"))
    assert (status["revision"], status["keys"], status["leases"]) == (before.revision, len(before.kvs), 1)
    assert f"revision:           {before.revision}" in cli("status", file)

    async with await restored(tmp_path / "new", file) as new:
        store = new.client()
        after = await store.prefix(b"")
        assert after.kvs == before.kvs and after.revision == before.revision
        assert (await store.prefix(b"", revision=past)).kvs == history.kvs
        with pytest.raises(Compacted):
            await store.get(b"key/1", revision=4)
        time_left = await store.lease_time_to_live(lease, keys=True)
        assert 500 < time_left.ttl < 600 and time_left.keys == [b"leased"]
        async with store.watch(b"key/", start_revision=past + 1) as watch:
            batch = await anext(watch)
            assert batch.events[0].kv.key == b"key/0"
        assert (await store.put(b"new", b"")).revision == before.revision + 1
        await store.lease_revoke(lease)
        assert await store.get(b"leased") is None
        # The same state on each member, and it outlives all of them at once.
        await hashes_are_equal(new)
        await new.kill_all()
        for member in new.members:
            new.spawn(member)
        await new.serving()
        assert (await new.client().get(b"new")) is not None
        statuses = (await new.statuses()).values()
        assert len({status.member_id for status in statuses}) == 3


async def test_revisions_can_be_raised_above_all_that_clients_have_seen(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    async with StoreCluster(tmp_path / "old", 1) as old:
        store = old.client()
        await fill(store)
        before = await store.prefix(b"")
        cli("save", file, "--endpoints", old.endpoints[0])
    async with await restored(tmp_path / "new", file, "--bump-revision", "1000000", members=1) as new:
        store = new.client()
        after = await store.prefix(b"")
        assert after.kvs == before.kvs
        assert after.revision == before.revision + 1_000_000
        with pytest.raises(Compacted):
            async with store.watch(b"key/", start_revision=before.revision + 50) as watch:
                await anext(watch)
        record = await store.get(b"key/1")
        assert record is not None
        changed = await store.put(b"key/1", b"third")
        assert changed.revision == after.revision + 1
        again = await store.get(b"key/1")
        assert again is not None and again.version == record.version + 1


async def test_a_copy_of_a_dead_member_s_snapshot_will_do(tmp_path: Path) -> None:
    async with StoreCluster(tmp_path / "old", 1, "--snapshot-count", "10") as old:
        store = old.client()
        for number in range(30):
            await store.put(b"key/%d" % number, b"x")
        directory = old.members[0].data_dir / "member" / "snap"
        await old.until(lambda: _exists(directory))
        await old.kill_all()
    (newest, *_) = sorted(directory.glob("*.snap"), reverse=True)
    copied = tmp_path / "copied.snap"
    shutil.copy(newest, copied)
    assert "no SHA-256" in cli("status", copied, fails=True)
    keys = json.loads(cli("status", copied, "--skip-hash-check", "--output", "json"))["keys"]
    async with await restored(tmp_path / "new", copied, "--skip-hash-check", members=1) as new:
        assert len((await new.client().prefix(b"")).kvs) == keys > 0


async def _exists(directory: Path) -> bool:
    return any(directory.glob("*.snap"))


async def test_what_cannot_be_restored_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    async with StoreCluster(tmp_path / "old", 1) as old:
        await fill(old.client())
        cli("save", file, "--endpoints", old.endpoints[0])
    target = tmp_path / "data"
    content = file.read_bytes()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content[:700] + bytes((content[700] ^ 1,)) + content[701:])
    assert "SHA-256 at its end does not fit" in cli("restore", damaged, "--data-dir", target, fails=True)
    assert "checksum of a block does not fit" in cli(
        "restore", damaged, "--data-dir", target, "--skip-hash-check", fails=True
    )
    damaged.write_bytes(content[:-100])
    assert "cut off" in cli("restore", damaged, "--data-dir", target, fails=True)
    assert "names no member" in cli(
        "restore", file, "--data-dir", target, "--name", "m7", "--initial-cluster", "m0=http://127.0.0.1:1", fails=True
    )
    two = "m0=http://127.0.0.1:1,m1=http://127.0.0.1:2"
    assert "--initial-cluster-token is needed" in cli(
        "restore", file, "--data-dir", target, "--name", "m0", "--initial-cluster", two, fails=True
    )
    assert "No such file" in cli("status", tmp_path / "nothing", fails=True)
    assert not target.exists() and not list(tmp_path.glob("*.restoring"))
    cli("restore", file, "--data-dir", target)
    assert "not empty" in cli("restore", file, "--data-dir", target, fails=True)
    assert "no member has sent a snapshot" in cli(
        "save", tmp_path / "none.db", "--endpoints", "http://127.0.0.1:1,http://127.0.0.1:2", fails=True
    )
    assert not list(tmp_path.glob("none.db*"))


async def test_a_backup_while_others_write_is_of_one_revision(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    async with StoreCluster(tmp_path / "old", 1) as old:
        store = old.client()
        # Two keys that are always written together.
        for number in range(2000):
            await store.put(b"fill/%d" % number, bytes(500))
        stop = asyncio.Event()

        async def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                value = b"%d" % number
                await store.txn([], [ops.put(b"one", value), ops.put(b"two", value)])

        writer = asyncio.create_task(write())
        await asyncio.to_thread(cli, "save", file, "--endpoints", old.endpoints[0])
        stop.set()
        await writer
    async with await restored(tmp_path / "new", file, members=1) as new:
        found = {record.key: record.value for record in (await new.client().prefix(b"")).kvs}
        assert found[b"one"] == found[b"two"]
        assert len(found) == 2002


async def hashes_are_equal(cluster: StoreCluster) -> None:
    async def equal() -> bool:
        found = set()
        for url in cluster.endpoints:
            with open_channel(url, cluster.tls) as channel:
                try:
                    answer = rpc_pb2_grpc.MaintenanceStub(channel).HashKV(rpc_pb2.HashKVRequest(), timeout=30)
                except grpc.RpcError:
                    return False
                found.add((answer.hash, answer.header.revision))
        return len(found) == 1

    await cluster.until(equal)
