"""What a member finds in its data directory when it starts.

<data-dir>/lock              held by the running member
<data-dir>/member/wal/       log segments
<data-dir>/member/snap/      snapshots
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubeactors.store.disk import DIR_MODE, FILE_MODE, Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.machine.alarm import AlarmTable
from kubeactors.store.machine.lease import Lease, LeaseTable
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.mvcc.state import Mvcc
from kubeactors.store.snapshot.file import SnapshotReader, Tag, list_snapshots
from kubeactors.store.wal.log import Log
from kubeactors.store.wal.reader import NO_STATE, read_log
from kubeactors.store.wal.record import Entry, HardState

logger = logging.getLogger(__name__)


class DataDirInUse(Exception):
    """Another running member holds this data directory."""


class DataDirLock:
    """Keeps two members from writing to one directory. The lock ends with the process, however that ends."""

    def __init__(self, data_dir: Path) -> None:
        """Raises DataDirInUse, OSError."""
        data_dir.mkdir(mode=DIR_MODE, parents=True, exist_ok=True)
        data_dir.chmod(DIR_MODE)
        with contextlib.suppress(PermissionError):  # a parent of somebody else's, who has made the directory
            Disk().sync_dir(data_dir.parent)
        self._fd = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise DataDirInUse(f"{data_dir} is in use by another running store member") from error

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@dataclass(frozen=True, slots=True)
class Loaded:
    """`entries`: the log's entries that the machine's state does not reflect yet."""

    cluster_id: int
    member_id: int
    machine: StateMachine
    hard_state: HardState
    entries: Sequence[Entry]
    log: Log
    snapshot_dir: Path


def load(disk: Disk, data_dir: Path, segment_bytes: int) -> Loaded:
    """Open the data, or make a new cluster of one in an empty directory. Blocking. Raises CorruptData, OSError."""
    wal_dir, snapshot_dir = data_dir / "member" / "wal", data_dir / "member" / "snap"
    for directory in (data_dir / "member", wal_dir, snapshot_dir):
        disk.make_dir(directory)
    for name in disk.list(snapshot_dir):
        if name.endswith(".tmp"):
            disk.remove(snapshot_dir / name)
    snapshots = list_snapshots(disk, snapshot_dir)
    newest = snapshots[-1] if snapshots else None
    reader = SnapshotReader(disk, newest.path) if newest is not None else None
    machine = _restore(reader) if reader is not None else StateMachine()
    contents = read_log(disk, wal_dir, machine.applied_index)
    if contents is None:
        if newest is not None:
            raise CorruptData(f"{wal_dir} holds no log, but there is the snapshot {newest.path}")
        cluster_id, member_id = secrets.randbits(63) | 1, secrets.randbits(63) | 1
        logger.info("new cluster %x, member %x, in %s", cluster_id, member_id, data_dir)
        log = Log.create(disk, wal_dir, cluster_id, member_id, segment_bytes=segment_bytes)
        return Loaded(cluster_id, member_id, machine, NO_STATE, [], log, snapshot_dir)
    if contents.snapshot is not None and contents.snapshot.index > machine.applied_index:
        raise CorruptData(f"{snapshot_dir}: the snapshot at entry {contents.snapshot.index} is missing")
    if contents.segments[0].first_index > machine.applied_index + 1:
        raise CorruptData(
            f"{contents.segments[0].path} begins after entry {machine.applied_index}: earlier entries are missing"
        )
    if reader is not None and reader.head.cluster_id != contents.cluster_id:
        raise CorruptData(f"{snapshot_dir} belongs to another cluster than {wal_dir}")
    last_index = contents.entries[-1].index if contents.entries else machine.applied_index
    log = Log.open(disk, wal_dir, contents, last_index, segment_bytes)
    return Loaded(
        contents.cluster_id,
        contents.member_id,
        machine,
        contents.hard_state,
        contents.entries,
        log,
        snapshot_dir,
    )


def _restore(reader: SnapshotReader) -> StateMachine:
    head = reader.head
    try:
        mvcc = Mvcc.restored(
            head.revision,
            head.compact_revision,
            reader.records(Tag.BASE),
            reader.records(Tag.BOUNDARY),
            reader.records(Tag.AFTER),
        )
    except (ValueError, KeyError) as error:
        raise CorruptData(f"{reader.path}: {error}") from error
    leases = LeaseTable()
    for lease_id, ttl, expiry in head.leases:
        leases.add(Lease(lease_id, ttl, expiry))
    machine = StateMachine(mvcc, leases, AlarmTable(head.alarms))
    machine.applied_index, machine.applied_term, machine.time = head.index, head.term, head.time
    return machine
