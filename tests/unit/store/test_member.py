"""A whole member in this process: restart, snapshots, failures of the disk."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from kubeactors.store.client import StoreUnavailable, ops
from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData, RequestTooLarge
from kubeactors.store.member import StoreMember
from kubeactors.store.storage import DataDirInUse
from tests.support.store import member_config, running_member, store_client


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    config = member_config(tmp_path)
    async with running_member(config) as member, store_client(member) as store:
        lease = await store.lease_grant(600)
        await asyncio.gather(*(store.put(b"k%d" % n, b"v%d" % n) for n in range(200)))
        await store.put(b"leased", b"", lease=lease.id)
        await store.delete_range(b"k0")
        await store.compact(100)
        before = await store.prefix(b"")
        old = await store.prefix(b"k", revision=150)
        status = await store.status()
    async with running_member(config) as member, store_client(member) as store:
        after = await store.prefix(b"")
        assert after == before
        assert await store.prefix(b"k", revision=150) == old
        assert (await store.lease_time_to_live(lease.id, keys=True)).keys == [b"leased"]
        again = await store.status()
        assert (again.cluster_id, again.member_id) == (status.cluster_id, status.member_id)
        assert again.term == status.term + 1
        with pytest.raises(Exception, match="compacted"):
            await store.prefix(b"k", revision=99)


async def test_snapshots_bound_the_log_and_the_replay(tmp_path: Path) -> None:
    config = member_config(tmp_path, snapshot_count=100, keep_entries=20)
    async with running_member(config) as member, store_client(member) as store:
        for _ in range(12):
            await asyncio.gather(*(store.put(b"k%d" % n, b"x" * 2000) for n in range(100)))
        expected = await store.prefix(b"")
        node = member._node
        assert node is not None
        for _ in range(2):  # what came while one was taken makes the next one due
            if node._snapshot is not None:
                await node._snapshot
            await store.put(b"k1", b"x" * 2000)
            expected = await store.prefix(b"")
        if node._snapshot is not None:
            await node._snapshot
    wal = sorted(p.name for p in (tmp_path / "member" / "wal").iterdir())
    assert 1 <= len(wal) <= 4 and not wal[0].startswith("0000000000000000-")
    assert len(list((tmp_path / "member" / "snap").iterdir())) == 1
    async with running_member(config) as member, store_client(member) as store:
        assert await store.prefix(b"") == expected
    for file in (tmp_path / "member" / "snap").iterdir():
        file.unlink()
    with pytest.raises(CorruptData, match="missing"):
        await StoreMember(config).start()


async def test_two_members_never_share_a_directory(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path)):
        with pytest.raises(DataDirInUse):
            await StoreMember(member_config(tmp_path)).start()
    async with running_member(member_config(tmp_path)):
        pass


async def test_a_taken_port_and_a_wrong_address_are_told(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path / "a")) as member:
        with pytest.raises(OSError, match=member.client_urls[0]):
            await StoreMember(member_config(tmp_path / "b", member.client_urls[0])).start()
    for url in ("https://127.0.0.1:0", "ftp://127.0.0.1:0", "127.0.0.1:0"):
        with pytest.raises(ValueError, match="--listen-client-urls"):
            await StoreMember(member_config(tmp_path / "c", url)).start()


class BrokenDisk(Disk):
    """Fails every sync once `broken`; `hold` stops syncs until released."""

    def __init__(self) -> None:
        self.broken = False

    def sync(self, fd: int) -> None:
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        super().sync(fd)


async def test_a_failed_sync_acknowledges_nothing_and_stops_the_member(tmp_path: Path) -> None:
    disk = BrokenDisk()
    async with running_member(member_config(tmp_path), disk) as member, store_client(member, timeout=2.0) as store:
        await store.put(b"k", b"1")
        disk.broken = True
        with pytest.raises(StoreUnavailable) as caught:
            await store.put(b"k", b"2")
        assert caught.value.outcome_unknown
        await asyncio.wait_for(member.failed.wait(), 30)
        assert member.failure is not None and "Input/output error" in member.failure
        assert "Input/output error" in (await member.health())["store"]
        with pytest.raises(StoreUnavailable) as refused:
            await store.put(b"k", b"3", timeout=0.5)
        assert not refused.value.outcome_unknown
        with pytest.raises(StoreUnavailable):
            await store.get(b"k", timeout=0.5)


async def test_requests_have_a_largest_size(tmp_path: Path) -> None:
    config = member_config(tmp_path, max_request_bytes=100_000)
    async with running_member(config) as member:
        for transport in ("session", "unary"):
            async with store_client(member, transport=transport) as store:
                await store.put(b"k", b"x" * 90_000)
                with pytest.raises(RequestTooLarge):
                    await store.put(b"k", b"x" * 100_001)
                with pytest.raises(RequestTooLarge):
                    await store.txn([], [ops.put(b"%d" % n, b"x" * 60_000) for n in range(2)])


async def test_leases_run_out(tmp_path: Path) -> None:
    async with running_member(member_config(tmp_path)) as member, store_client(member) as store:
        short, long = await store.lease_grant(1), await store.lease_grant(60)
        await store.put(b"short", b"", lease=short.id)
        await store.put(b"long", b"", lease=long.id)
        async with store.watch(b"short", puts=False) as watch:
            batch = await asyncio.wait_for(anext(watch), 30)
        assert [e.kv.key for e in batch.events if e.deleted] == [b"short"]
        assert await store.lease_leases() == [long.id]


async def test_a_lease_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    config = member_config(tmp_path)
    async with running_member(config) as member, store_client(member) as store:
        lease = await store.lease_grant(3)
        await store.put(b"k", b"", lease=lease.id)
        await asyncio.sleep(1.0)  # cluster time passes: there is nothing to wait for but the clock
        await store.put(b"mark", b"")
    async with running_member(config) as member, store_client(member) as store:
        assert (await store.lease_time_to_live(lease.id)).ttl == 1
        async with store.watch(b"k", puts=False) as watch:
            await asyncio.wait_for(anext(watch), 30)
        assert await store.lease_leases() == []
