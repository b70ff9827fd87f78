"""Snapshots: the same state comes back, also when it changed while the snapshot was taken."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.mvcc import hash as hashes
from kubeactors.store.snapshot import snapshotter as snapshotter_module
from kubeactors.store.snapshot.file import SnapshotReader, list_snapshots
from kubeactors.store.snapshot.restore import restore
from kubeactors.store.snapshot.snapshotter import Snapshotter

DISK = Disk()


def _restore(reader: SnapshotReader) -> StateMachine:
    machine = StateMachine()
    put(machine, b"what was there before", b"", 0)
    for _ in restore(machine, reader):
        pass
    return machine


def put(machine: StateMachine, key: bytes, value: bytes, lease: int = 0) -> None:
    machine.applied_index += 1
    machine.apply(Command(Kind.PUT, machine.time + 1, rpc_pb2.PutRequest(key=key, value=value, lease=lease)))


def delete(machine: StateMachine, key: bytes) -> None:
    machine.applied_index += 1
    machine.apply(Command(Kind.DELETE_RANGE, machine.time + 1, rpc_pb2.DeleteRangeRequest(key=key)))


def filled() -> StateMachine:
    machine = StateMachine()
    machine.applied_term = 3
    machine.apply(Command(Kind.LEASE_GRANT, 0, rpc_pb2.LeaseGrantRequest(ID=7, TTL=60)))
    for number in range(50):
        put(machine, b"k%02d" % (number % 20), b"value %d" % number, 7 if number % 3 == 0 else 0)
    delete(machine, b"k05")
    delete(machine, b"k06")
    return machine


def state_of(machine: StateMachine) -> object:
    mvcc = machine.mvcc
    first = max(mvcc.compact_revision, 2)
    return (
        mvcc.revision,
        mvcc.compact_revision,
        mvcc.records(b"\0", b"\0"),
        [mvcc.records(b"\0", b"\0", revision) for revision in range(first, mvcc.revision + 1)],
        {lease: set(keys) for lease, keys in mvcc.lease_keys.items()},
        list(hashes.steps(mvcc, mvcc.revision))[-1],
        [[record for record, _ in changes] for changes in mvcc.changes(first, mvcc.revision)],
        machine.leases.all(),
        (machine.applied_index, machine.applied_term, machine.time),
    )


@pytest.fixture
async def snapshotter(tmp_path: Path):  # type: ignore[no-untyped-def]
    taker = Snapshotter(DISK, tmp_path, 1, 2)
    yield taker
    await taker.stop()


@pytest.mark.parametrize("compact", [0, 20, 52, 53])
async def test_the_same_state_comes_back(tmp_path: Path, snapshotter: Snapshotter, compact: int) -> None:
    machine = filled()
    if compact:
        machine.mvcc.compact(compact)
        machine.mvcc.purge(5)  # some of it only
    snapshot = await snapshotter.take(machine)
    assert [s.index for s in list_snapshots(DISK, tmp_path)] == [machine.applied_index] == [snapshot.index]
    path = snapshotter.path(snapshot)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert state_of(_restore(SnapshotReader(DISK, path))) == state_of(machine)


async def test_what_happens_meanwhile_is_not_in_it(
    tmp_path: Path, snapshotter: Snapshotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshotter_module, "CHUNK", 3)
    machine = filled()
    machine.mvcc.compact(20)
    wanted = state_of(machine)
    taking = asyncio.create_task(snapshotter.take(machine))
    changes = 0
    while not taking.done():
        await asyncio.sleep(0)
        changes += 1
        if changes == 1:
            continue  # the snapshot's task runs its first step now
        if changes > 100:
            continue
        put(machine, b"k%02d" % (changes % 25), b"later")
        put(machine, b"a%d" % changes, b"before all")
        delete(machine, b"k%02d" % ((changes + 7) % 20))
        if changes == 4:
            machine.mvcc.compact(machine.mvcc.revision)
        machine.mvcc.purge(1000)
    assert changes > 5
    snapshot = taking.result()
    assert state_of(_restore(SnapshotReader(DISK, snapshotter.path(snapshot)))) == wanted
    assert machine.mvcc.purge(10**6)


async def test_older_ones_are_removed(tmp_path: Path, snapshotter: Snapshotter) -> None:
    machine = filled()
    await snapshotter.take(machine)
    put(machine, b"x", b"y")
    newest = await snapshotter.take(machine)
    await snapshotter.remove_older(newest)
    assert [file.path for file in list_snapshots(DISK, tmp_path)] == [snapshotter.path(newest)]
    assert snapshotter.newest == newest


async def test_every_changed_or_missing_byte_is_noticed(tmp_path: Path, snapshotter: Snapshotter) -> None:
    machine = StateMachine()
    put(machine, b"key", b"value")
    snapshot = await snapshotter.take(machine)
    path = snapshotter.path(snapshot)
    whole = path.read_bytes()
    for position in range(len(whole)):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        path.write_bytes(broken)
        with pytest.raises(CorruptData, match=str(path)):
            _restore(SnapshotReader(DISK, path))
        path.write_bytes(whole[:position])
        with pytest.raises(CorruptData, match=str(path)):
            _restore(SnapshotReader(DISK, path))


async def test_a_failed_snapshot_leaves_nothing(tmp_path: Path) -> None:
    class Failing(Disk):
        def rename(self, old: Path, new: Path) -> None:
            raise OSError(28, "No space left on device")

    machine = filled()
    taker = Snapshotter(Failing(), tmp_path, 1, 2)
    with pytest.raises(OSError, match="No space"):
        await taker.take(machine)
    await taker.stop()
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".tmp")] == []
    assert not machine.mvcc.held
