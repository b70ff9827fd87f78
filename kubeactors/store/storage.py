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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubeactors.store.disk import DIR_MODE, FILE_MODE, Disk
from kubeactors.store.errors import CorruptData, StoreError
from kubeactors.store.machine import command, membership
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.machine.membership import Member, Membership
from kubeactors.store.snapshot.file import SnapshotReader, list_snapshots
from kubeactors.store.snapshot.restore import restore
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.log import Log
from kubeactors.store.wal.reader import NO_STATE, LogContents, list_segments, read_log
from kubeactors.store.wal.record import Entry, EntryKind, HardState, SnapshotMark

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
class Bootstrap:
    """What a member begins with that has no data yet. `members`: all of a new cluster's, alike on each of them; empty
    for one that joins a running cluster and learns everything from its leader."""

    cluster_id: int
    member_id: int
    members: Sequence[Member] = ()


def new_cluster(initial: Mapping[str, Sequence[str]], token: str, name: str) -> Bootstrap:
    """Of the member `name` of a new cluster; `initial` gives the peer URLs of each. Raises ValueError."""
    members = membership.initial_members(initial, token)
    own = next((member.id for member in members if member.name == name), None)
    if own is None:
        raise ValueError(f"--initial-cluster names no member {name!r}")
    return Bootstrap(membership.cluster_id(members), own, members)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`entries`: the log's entries that the machine's state does not reflect yet; `tail`: those right before them that
    are kept for members which are behind. Both are on the disk."""

    cluster_id: int
    member_id: int
    machine: StateMachine
    hard_state: HardState
    entries: Sequence[Entry]
    tail: Sequence[Entry]
    log: Log
    snapshot_dir: Path


def has_data(disk: Disk, data_dir: Path) -> bool:
    """Whether a member has been started on this directory. Raises CorruptData, OSError."""
    wal_dir = data_dir / "member" / "wal"
    return disk.is_dir(wal_dir) and bool(list_segments(disk, wal_dir))


def load(
    disk: Disk,
    data_dir: Path,
    segment_bytes: int,
    bootstrap: Bootstrap | None = None,
    keep_entries: int = 5_000,
    force_new_cluster: bool = False,
) -> Loaded:
    """Open the data, or begin with `bootstrap` in an empty directory. Blocking. Raises CorruptData, OSError.

    Whatever point the process ended at before, this finds a state in which everything that was told to anybody is
    there, and makes it durable. Without a bootstrap an empty directory becomes that of a member with ids of its own
    and nothing in its log, which no cluster has.
    `force_new_cluster`: go on without the other members, with everything that this one has.
    """
    wal_dir, snapshot_dir = data_dir / "member" / "wal", data_dir / "member" / "snap"
    for directory in (data_dir / "member", wal_dir, snapshot_dir):
        disk.make_dir(directory)
    for name in disk.list(snapshot_dir):
        if name.endswith(".tmp"):
            disk.remove(snapshot_dir / name)
    disk.sync_dir(snapshot_dir)  # the process may have ended between a rename and its sync; the log may soon rely on it
    snapshots = list_snapshots(disk, snapshot_dir)
    reader = SnapshotReader(disk, snapshots[-1].path) if snapshots else None
    machine = StateMachine()
    if reader is not None:
        for _ in restore(machine, reader):
            pass
    contents = read_log(disk, wal_dir, machine.applied_index, keep_entries)
    if contents is None:
        if reader is not None:
            raise CorruptData(f"{wal_dir} holds no log, but there is the snapshot {reader.path}")
        if bootstrap is None:
            bootstrap = Bootstrap(secrets.randbits(63) | 1, secrets.randbits(63) | 1)
        log = Log.create(disk, wal_dir, bootstrap.cluster_id, bootstrap.member_id, segment_bytes=segment_bytes)
        hard_state, entries = _begin(log, bootstrap)
        return Loaded(bootstrap.cluster_id, bootstrap.member_id, machine, hard_state, entries, (), log, snapshot_dir)
    _check(contents, machine, reader, wal_dir, snapshot_dir)
    log = Log.open(disk, wal_dir, contents, contents.last_index, segment_bytes)
    ids = (contents.cluster_id, contents.member_id)
    if bootstrap is not None and contents.hard_state == NO_STATE and reader is None:
        # It ended before its first write was whole, and has said nothing to anybody.
        if ids != (bootstrap.cluster_id, bootstrap.member_id):
            raise CorruptData(f"{wal_dir} was made for another cluster than --initial-cluster and its token say")
        hard_state, entries = _begin(log, bootstrap)
        return Loaded(*ids, machine, hard_state, entries, (), log, snapshot_dir)
    hard_state, agreed, tail = _agree(contents, machine, log)
    if force_new_cluster:
        hard_state, agreed = _leave_others(log, contents.member_id, machine, hard_state, agreed)
    return Loaded(*ids, machine, hard_state, agreed, tail, log, snapshot_dir)


def _check(
    contents: LogContents, machine: StateMachine, reader: SnapshotReader | None, wal_dir: Path, snapshot_dir: Path
) -> None:
    if contents.snapshot is not None and contents.snapshot.index > machine.applied_index:
        raise CorruptData(f"{snapshot_dir}: the snapshot at entry {contents.snapshot.index} is missing")
    if contents.segments[0].first_index > machine.applied_index + 1:
        raise CorruptData(
            f"{contents.segments[0].path} begins after entry {machine.applied_index}: earlier entries are missing"
        )
    if reader is not None and reader.head.cluster_id != contents.cluster_id:
        raise CorruptData(f"{snapshot_dir} belongs to another cluster than {wal_dir}")


def _begin(log: Log, bootstrap: Bootstrap) -> tuple[HardState, list[Entry]]:
    """The first entries of a new cluster add its members, and count as committed; every member writes the same ones.

    The hard state comes last, so that a write which was cut off is known by its absence.
    """
    entries = [
        Entry(1, index, EntryKind.CONFIG, command.encode(Command(Kind.MEMBER_ADD, 0, membership.to_wire(member))))
        for index, member in enumerate(bootstrap.members, start=1)
    ]
    if not entries:
        return NO_STATE, []
    hard_state = HardState(1, 0, len(entries))
    records = [*map(rec.encode_entry, entries), rec.encode_hard_state(hard_state)]
    log.append(records, len(entries) + 1)
    logger.info("new cluster %x of %d members, this is %x", bootstrap.cluster_id, len(entries), bootstrap.member_id)
    return hard_state, entries


def _agree(
    contents: LogContents, machine: StateMachine, log: Log
) -> tuple[HardState, Sequence[Entry], Sequence[Entry]]:
    """(hard state, entries, tail), made to fit the snapshot: it holds only what is committed, so what contradicts it
    never was. That happens when the process ended after a leader's snapshot was in place and before the log said so."""
    index, term = machine.applied_index, machine.applied_term
    found = contents.hard_state
    entries, tail = contents.entries, contents.tail
    begin_anew = index > 0 and (contents.last_index < index or contents.term not in (None, term))
    if begin_anew:
        entries, tail = [], []
    last = entries[-1] if entries else None
    # The newest term that was written, though its hard state may have been torn off; no vote was given in it then.
    newest = max(found.term, term, last.term if last is not None else 0)
    vote = found.vote if newest == found.term else 0
    hard_state = HardState(newest, vote, max(found.commit, index))
    if not begin_anew and hard_state.commit > max(contents.last_index, index):
        last_index = contents.last_index
        raise CorruptData(f"entry {hard_state.commit} was committed, the log ends at {last_index}: entries are missing")
    if begin_anew:
        logger.warning("the log ends before the snapshot at entry %d or contradicts it: it begins anew after it", index)
        mark = rec.encode_restart(SnapshotMark(index, term))
        log.append([mark, rec.encode_hard_state(hard_state)], index + 1)
    return hard_state, entries, tail


def _leave_others(
    log: Log, member_id: int, machine: StateMachine, hard_state: HardState, entries: Sequence[Entry]
) -> tuple[HardState, Sequence[Entry]]:
    """Count all of the log as committed, and let entries follow that remove every other member."""
    then = Membership(machine.membership.all(), machine.membership.removed)
    end = StateMachine(membership=then)
    for entry in entries:
        if entry.kind == EntryKind.CONFIG:
            with contextlib.suppress(StoreError):  # a change that came to nothing
                end.apply(command.decode(entry.data))
    own = then.get(member_id)
    if own is None:
        raise CorruptData(f"--force-new-cluster: member {member_id:x}, whose data these are, was removed")
    changes = [(Kind.MEMBER_REMOVE, member) for member in then.all() if member.id != member_id]
    if own.learner:
        changes.insert(0, (Kind.MEMBER_PROMOTE, own))
    last = entries[-1].index if entries else machine.applied_index
    added = [
        Entry(hard_state.term, index, EntryKind.CONFIG, command.encode(Command(kind, 0, membership.to_wire(member))))
        for index, (kind, member) in enumerate(changes, start=last + 1)
    ]
    last += len(added)
    hard_state = HardState(hard_state.term, hard_state.vote, last)
    log.append([*map(rec.encode_entry, added), rec.encode_hard_state(hard_state)], last + 1)
    logger.warning("going on without the other members: %d entries count as committed", last)
    return hard_state, [*entries, *added]
