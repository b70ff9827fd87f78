"""Beginning a new cluster with the state of an old one: what `kubeactors store snapshot restore` does.

Every member of the new cluster is restored from the same file with the same list of members, so all of them begin with
the same state at the same log entry, as a new cluster's members begin with the same first entries.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.machine.membership import Membership
from kubeactors.store.mvcc.codec import encode_records
from kubeactors.store.mvcc.record import Record
from kubeactors.store.snapshot.file import FORMAT_VERSION, Head, SnapshotReader, SnapshotWriter, Tag
from kubeactors.store.snapshot.restore import restore
from kubeactors.store.storage import load, new_cluster
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.log import SEGMENT_BYTES, Log
from kubeactors.store.wal.record import HardState, SnapshotMark

TERM = 1
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Summary:
    """`hash`: of the content, the same for snapshots of the same state. `keys`: that live; `size`: of the file."""

    hash: int
    revision: int
    compact_revision: int
    keys: int
    leases: int
    size: int
    cluster_id: int
    member_id: int
    index: int
    term: int


def describe_file(disk: Disk, path: Path, reader: SnapshotReader) -> Summary:
    """Raises CorruptData."""
    head = reader.head
    checksum = 0
    for tag in (Tag.BASE, Tag.BOUNDARY, Tag.AFTER):
        for records in reader.records(tag):
            checksum = zlib.crc32(encode_records(records), checksum)
    return Summary(
        hash=checksum,
        revision=head.revision,
        compact_revision=head.compact_revision,
        keys=len(_state(reader).mvcc),
        leases=len(head.leases),
        size=disk.size(path),
        cluster_id=head.cluster_id,
        member_id=head.member_id,
        index=head.index,
        term=head.term,
    )


def restore_member(
    disk: Disk,
    reader: SnapshotReader,
    data_dir: Path,
    name: str,
    initial: Mapping[str, Sequence[str]],
    token: str,
    *,
    bump_revision: int = 0,
    segment_bytes: int = SEGMENT_BYTES,
) -> Head:
    """Make the data directory of the member `name` of a new cluster with this state. Blocking.

    Leases go on with the time they had left; alarms were about members that are no more. `bump_revision`: how much
    higher than the snapshot's the first revision is, so that no client has seen a higher one of the old cluster;
    earlier revisions then count as compacted, so that watches of the old cluster end. Raises FileExistsError when there
    are data, ValueError for a list of members that cannot be, CorruptData, OSError.
    """
    if bump_revision < 0:
        raise ValueError("the revision can only be raised")
    if data_dir.exists() and any(data_dir.iterdir()):
        raise FileExistsError(f"data-dir {str(data_dir)!r} not empty")
    begin = new_cluster(initial, token, name)
    index = len(begin.members)
    head = replace(
        reader.head,
        format=FORMAT_VERSION,
        cluster_id=begin.cluster_id,
        member_id=begin.member_id,
        term=TERM,
        index=index,
        alarms=[],
        membership=Membership(begin.members, (), index).dump(),
    )
    # Made beside it and put in place whole, so that what was broken off is not taken for a member.
    building = data_dir.with_name(data_dir.name + ".restoring")
    shutil.rmtree(building, ignore_errors=True)
    wal_dir, snapshot_dir = building / "member" / "wal", building / "member" / "snap"
    for directory in (wal_dir, snapshot_dir):
        disk.make_dir(directory)
    content: Iterator[tuple[Tag, Sequence[Record]]]
    if bump_revision:
        head = replace(head, revision=head.revision + bump_revision, compact_revision=head.revision + bump_revision)
        content = _present(reader)
    else:
        content = ((tag, records) for tag in (Tag.BASE, Tag.BOUNDARY, Tag.AFTER) for records in reader.records(tag))
    writer = SnapshotWriter(disk, snapshot_dir, head)
    try:
        for tag, records in content:
            writer.records(tag, records)
        writer.finish()
    finally:
        writer.abandon()
    log = Log.create(disk, wal_dir, begin.cluster_id, begin.member_id, segment_bytes=segment_bytes)
    mark = rec.encode_restart(SnapshotMark(index, TERM))
    log.append([mark, rec.encode_hard_state(HardState(TERM, 0, index))], index + 1)
    log.close()
    loaded = load(disk, building, segment_bytes)  # as the member will
    loaded.log.close()
    if loaded.machine.mvcc.revision != head.revision or loaded.machine.applied_index != index:
        raise CorruptData(f"{reader.path}: what was restored is not what is in it")
    if data_dir.exists():
        data_dir.rmdir()
    disk.rename(building, data_dir)
    return head


def _state(reader: SnapshotReader) -> StateMachine:
    machine = StateMachine()
    for _ in restore(machine, reader):
        pass
    return machine


def _present(reader: SnapshotReader) -> Iterator[tuple[Tag, Sequence[Record]]]:
    """Only what lives."""
    mvcc = _state(reader).mvcc
    for records in mvcc.base(mvcc.revision, CHUNK):
        yield Tag.BASE, records
