"""What a member finds in its directory, whatever it was doing when it ended."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import storage
from kubeactors.store.errors import CorruptData
from kubeactors.store.machine import command
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.raft.message import MessageType
from kubeactors.store.replica import ReplicaConfig
from kubeactors.store.snapshot import snapshotter
from kubeactors.store.snapshot.file import SnapshotReader, SnapshotWriter
from kubeactors.store.storage import Bootstrap, Loaded
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.log import Log
from kubeactors.store.wal.reader import NO_STATE
from kubeactors.store.wal.record import Entry, HardState, SnapshotMark
from tests.sim.disk import Crash, SimDisk
from tests.support.replicas import DATA, SEGMENT, Cluster, Host

START = Bootstrap(5, 6)
THREE = storage.new_cluster({name: [f"http://{name}:1"] for name in "abc"}, "t", "a")


def put(index: int, term: int = 1) -> Entry:
    request = rpc_pb2.PutRequest(key=b"k%d" % index, value=b"%d" % term)
    return Entry(term, index, 0, command.encode(Command(Kind.PUT, index, request)))


def fresh() -> tuple[SimDisk, Log, Path]:
    disk = SimDisk(random.Random(1))
    loaded = storage.load(disk, DATA, SEGMENT, START)
    return disk, loaded.log, loaded.snapshot_dir


def append(log: Log, state: HardState | None, *entries: Entry) -> None:
    records = [rec.encode_entry(entry) for entry in entries]
    if state is not None:
        records.insert(0, rec.encode_hard_state(state))
    log.append(records, entries[-1].index + 1 if entries else None)


def snapshot_of(*entries: Entry) -> StateMachine:
    machine = StateMachine()
    for entry in entries:
        machine.applied_index, machine.applied_term = entry.index, entry.term
        machine.apply(command.decode(entry.data))
    return machine


def place(disk: SimDisk, directory: Path, machine: StateMachine, cluster_id: int = 5) -> None:
    """The file of a leader's snapshot, durable in its place; the log says nothing of it yet."""
    head = snapshotter.describe(machine, cluster_id, 99)
    writer = SnapshotWriter(disk, directory, head)
    for tag, records in snapshotter.portions(machine.mvcc, head):
        writer.records(tag, records)
    writer.finish()


def again(disk: SimDisk, keep: int = 5000) -> Loaded:
    """After the power was lost. Twice, since a start must leave what the next one understands."""
    disk.power_loss()
    storage.load(disk, DATA, SEGMENT, START, keep)
    disk.power_loss()
    return storage.load(disk, DATA, SEGMENT, START, keep)


def test_a_snapshot_whose_name_was_not_durable_is_once_the_log_relies_on_it() -> None:
    """The process ends between the rename and its sync; the next one begins its log after that snapshot."""
    for seed in range(20):
        disk = SimDisk(random.Random(seed))
        loaded = storage.load(disk, DATA, SEGMENT, START)
        append(loaded.log, HardState(1, 0, 0), put(1))
        disk.sync_dir = lambda directory: None  # type: ignore[method-assign]
        place(disk, loaded.snapshot_dir, snapshot_of(put(1), put(2)))
        del disk.sync_dir  # type: ignore[method-assign]
        disk.kill()
        assert storage.load(disk, DATA, SEGMENT, START).machine.applied_index == 2
        assert again(disk).machine.applied_index == 2


# ---- beginning ----


def test_a_start_cut_off_at_any_point_begins_again() -> None:
    whole = storage.load(SimDisk(random.Random(0)), DATA, SEGMENT, THREE)
    operations = 0
    for crash_at in range(200):
        for power in (False, True):
            disk = SimDisk(random.Random(crash_at))
            disk.crash_at = crash_at
            try:
                storage.load(disk, DATA, SEGMENT, THREE)
            except Crash:
                operations += 1
            else:
                assert operations > 10
                return
            if power:
                disk.power_loss()
            else:
                disk.kill()
            loaded = storage.load(disk, DATA, SEGMENT, THREE)
            assert (loaded.cluster_id, loaded.member_id) == (THREE.cluster_id, THREE.member_id)
            assert loaded.entries == whole.entries and loaded.hard_state == whole.hard_state == HardState(1, 0, 3)
    raise AssertionError("a start that takes 200 operations")


def test_a_member_that_joins_begins_with_nothing() -> None:
    disk, log, _ = fresh()
    log.close()
    loaded = again(disk)
    assert (loaded.cluster_id, loaded.member_id) == (5, 6)
    assert loaded.hard_state == NO_STATE and not loaded.entries and not loaded.tail


def test_a_directory_made_for_another_cluster_is_refused_while_it_is_empty() -> None:
    disk, log, _ = fresh()
    log.close()
    with pytest.raises(CorruptData, match="another cluster"):
        storage.load(disk, DATA, SEGMENT, THREE)


def test_once_there_are_data_nothing_is_begun() -> None:
    disk = SimDisk(random.Random(0))
    assert not storage.has_data(disk, DATA)
    loaded = storage.load(disk, DATA, SEGMENT, THREE)
    append(loaded.log, HardState(2, 0, 3), put(4, 2))
    loaded.log.close()
    assert storage.has_data(disk, DATA)
    loaded = storage.load(disk, DATA, SEGMENT, THREE)
    assert [entry.index for entry in loaded.entries] == [1, 2, 3, 4]
    assert loaded.hard_state.term == 2


# ---- a leader's snapshot that is in place before the log says so ----


def test_a_log_that_ends_before_the_snapshot_begins_anew_after_it() -> None:
    disk, log, directory = fresh()
    append(log, HardState(1, 6, 2), put(1), put(2), put(3))
    place(disk, directory, snapshot_of(*(put(i, 4) for i in range(1, 11))))
    loaded = again(disk)
    assert loaded.machine.applied_index == 10 and len(loaded.machine.mvcc) == 10
    assert not loaded.entries and not loaded.tail
    # No vote can have been given in a term that this member had not reached.
    assert loaded.hard_state == HardState(4, 0, 10)
    append(loaded.log, None, put(11, 4))
    loaded.log.close()
    assert [entry.index for entry in again(disk).entries] == [11]


@pytest.mark.parametrize("last", [10, 12, 30])
def test_a_log_that_contradicts_the_snapshot_begins_anew_after_it(last: int) -> None:
    disk, log, directory = fresh()
    append(log, HardState(2, 6, 4), *(put(i) for i in range(1, 5)), *(put(i, 2) for i in range(5, last + 1)))
    place(disk, directory, snapshot_of(*(put(i, 1 if i < 5 else 3) for i in range(1, 11))))
    loaded = again(disk)
    assert not loaded.entries and not loaded.tail
    assert loaded.hard_state == HardState(3, 0, 10)
    assert loaded.machine.mvcc.get(b"k10")[1] == b"3"  # type: ignore[index]


def test_a_log_that_agrees_with_the_snapshot_goes_on() -> None:
    disk, log, directory = fresh()
    append(log, HardState(3, 6, 4), *(put(i) for i in range(1, 13)))
    place(disk, directory, snapshot_of(*(put(i) for i in range(1, 11))))
    loaded = again(disk)
    assert [entry.index for entry in loaded.entries] == [11, 12]
    assert [entry.index for entry in loaded.tail] == list(range(1, 11))
    assert loaded.hard_state == HardState(3, 6, 10), "the vote stays, and what the snapshot holds is committed"


def test_what_followed_a_replaced_entry_does_not_come_back_behind_the_snapshot() -> None:
    disk, log, directory = fresh()
    append(log, HardState(1, 6, 1), put(1), put(2), put(3), put(4), put(5))
    append(log, HardState(2, 0, 2), put(2, 2))
    place(disk, directory, snapshot_of(put(1), put(2, 2)))
    loaded = again(disk)
    assert not loaded.entries
    assert loaded.hard_state == HardState(2, 0, 2)


def test_after_the_mark_the_log_before_it_is_void() -> None:
    disk, log, directory = fresh()
    append(log, HardState(2, 6, 4), *(put(i) for i in range(1, 5)), *(put(i, 2) for i in range(5, 31)))
    place(disk, directory, snapshot_of(*(put(i, 3) for i in range(1, 11))))
    log.append([rec.encode_restart(SnapshotMark(10, 3)), rec.encode_hard_state(HardState(3, 0, 10))], 11)
    append(log, None, put(11, 3), put(12, 3))
    loaded = again(disk)
    assert [(entry.term, entry.index) for entry in loaded.entries] == [(3, 11), (3, 12)]
    for file in disk.list(directory):
        disk.remove(directory / file)
    with pytest.raises(CorruptData, match="the snapshot at entry 10 is missing"):
        storage.load(disk, DATA, SEGMENT, START)


def test_an_own_snapshot_after_a_leaders() -> None:
    disk, log, directory = fresh()
    place(disk, directory, snapshot_of(*(put(i, 3) for i in range(1, 11))))
    log.append([rec.encode_restart(SnapshotMark(10, 3)), rec.encode_hard_state(HardState(3, 0, 10))], 11)
    append(log, None, *(put(i, 3) for i in range(11, 21)))
    place(disk, directory, snapshot_of(*(put(i, 3) for i in range(1, 16))))
    log.append([rec.encode_snapshot(SnapshotMark(15, 3))], None)
    loaded = again(disk)
    assert [entry.index for entry in loaded.tail] == list(range(11, 16))
    assert [entry.index for entry in loaded.entries] == list(range(16, 21))
    assert [entry.index for entry in again(disk, keep=2).tail] == [14, 15]


def test_temporary_files_are_removed() -> None:
    disk, log, directory = fresh()
    append(log, HardState(1, 6, 0), put(1))
    for name in ("incoming.snap.tmp", "0000000000000001-0000000000000009.snap.tmp"):
        fd = disk.open(directory / name, create=True)
        disk.write_at(fd, b"half of it", 0)
        disk.sync_all(fd)
        disk.close(fd)
    disk.sync_dir(directory)
    assert again(disk).entries == [put(1)]
    assert disk.list(directory) == []


# ---- damage ----


def test_entries_that_were_committed_must_be_there() -> None:
    disk, log, _ = fresh()
    append(log, HardState(1, 6, 0), put(1), put(2))
    append(log, HardState(1, 6, 5))
    log.close()
    with pytest.raises(CorruptData, match="entry 5 was committed, the log ends at 2"):
        storage.load(disk, DATA, SEGMENT, START)


def test_a_hard_state_that_was_torn_off_is_made_up_for() -> None:
    disk, log, _ = fresh()
    append(log, HardState(1, 6, 0), put(1))
    append(log, None, put(2, 7))
    loaded = again(disk)
    assert loaded.hard_state == HardState(7, 0, 0)


@pytest.mark.parametrize("version", [1, 9])
def test_another_format_is_refused_by_name(version: int) -> None:
    disk, log, directory = fresh()
    append(log, HardState(1, 6, 1), put(1))
    place(disk, directory, snapshot_of(put(1)))
    log.close()
    wal = DATA / "member" / "wal"
    path = wal / disk.list(wal)[0]
    meta = rec.encode_meta(rec.Meta(version, 5, 6, 0, 1))
    fd = disk.open(path)
    disk.write_at(fd, meta, 0)
    disk.close(fd)
    with pytest.raises(CorruptData, match=f"log format {version} is that of an? (older|newer) version"):
        storage.load(disk, DATA, SEGMENT, START)
    (name,) = disk.list(directory)
    whole = disk.read(directory / name).replace(b'"format":2', b'"format":%d' % version)
    length = struct.unpack_from("<I", whole)[0]
    content = whole[9 : 9 + length]
    fd = disk.open(directory / name)
    disk.write_at(fd, rec._frame(rec.Kind.META, content)[4:9], 4)
    disk.write_at(fd, content, 9)
    disk.close(fd)
    with pytest.raises(CorruptData, match=f"snapshot format {version} is that of another version"):
        storage.load(disk, DATA, SEGMENT, START)


# ---- receiving a snapshot, as replicas do it ----


def laggard() -> tuple[Cluster, Host, Host]:
    """A cluster whose leader has dropped what one follower lacks."""
    config = replace(ReplicaConfig(), election_ticks=10, heartbeat_ticks=1, tail_entries=3, apply_entries=2)
    cluster = Cluster(3, config)
    leader = cluster.elect()
    behind = cluster.followers()[0]
    leader.put(b"before")
    cluster.tick(2)
    behind.kill()
    cluster.tick(25)  # for a follower that may only be slow the log would be kept
    for n in range(40):
        leader.put(b"k%d" % n, b"v")
    cluster.tick(2)
    assert leader.up.first_index > 30
    return cluster, leader, behind


def test_who_is_too_far_behind_gets_the_leaders_snapshot() -> None:
    cluster, leader, behind = laggard()
    behind.boot()
    lost = behind.put(b"mine")
    cluster.tick(20)
    assert behind.restored == 1
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]
    assert len(cluster.states()[0]) >= 41  # type: ignore[arg-type]
    assert lost.count == 1
    write = leader.put(b"after")
    cluster.tick(2)
    assert write.applied and behind.up.machine.mvcc.get(b"after") is not None
    behind.kill(power=True)
    behind.boot()
    cluster.tick(10)
    assert behind.restored == 1, "what it took over is on its disk"
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]


def stop_before_step(behind: Host) -> Callable[[int, object], bool]:
    def drop(to: int, message: object) -> bool:
        if message.type == MessageType.SNAPSHOT:  # type: ignore[attr-defined]
            behind.kill(power=True)
            return True
        return False

    return drop


def test_the_process_ends_after_the_file_is_in_place() -> None:
    cluster, _, behind = laggard()
    behind.boot()
    cluster.drop = stop_before_step(behind)
    cluster.tick(5)
    assert behind.replica is None and len(behind.disk.list(behind.loaded.snapshot_dir)) == 1
    cluster.drop = lambda to, message: False
    behind.boot()
    assert behind.up.machine.applied_index > 30, "the snapshot is used"
    cluster.tick(10)
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]


@pytest.mark.parametrize("synced", [False, True])
@pytest.mark.parametrize("power", [False, True])
def test_the_process_ends_around_the_logs_new_beginning(synced: bool, power: bool) -> None:
    cluster, _, behind = laggard()
    behind.boot()
    behind.hold_syncs = True
    for _ in range(20):
        if behind.writing is not None:
            if behind.writing.install is not None:
                break
            behind.sync()
        cluster.tick()
    assert behind.writing is not None and behind.writing.install is not None
    read = behind.read(b"k1")
    assert read.outcome is None
    if synced:
        behind.write()
    behind.kill(power)
    behind.hold_syncs = False
    behind.boot()
    cluster.tick(20)
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]


def test_while_the_state_is_replaced_nothing_is_applied_or_read() -> None:
    cluster, leader, behind = laggard()
    behind.boot()
    behind.hold_syncs = True
    for _ in range(20):
        if behind.writing is not None:
            if behind.writing.install is not None:
                break
            behind.sync()
        cluster.tick()
    work = behind.write()
    assert work.install is not None and behind.up.installing
    cluster.post(behind.id, work.after_sync)
    behind.up.synced(work)
    behind.hold_syncs = False
    reader = SnapshotReader(behind.disk, behind.snapshots()[-1].path)
    steps = behind.up.install(reader)
    next(steps)
    write = leader.put(b"meanwhile")
    read = behind.read(b"k1")
    cluster.tick(5)
    assert write.applied, "the log goes on"
    assert not read.count and behind.up.installing
    for _ in steps:
        pass
    cluster.tick(3)
    assert read.outcome == b"v"
    assert behind.up.machine.mvcc.get(b"meanwhile") is not None
