"""Taking a snapshot while the store goes on serving.

The state is multi-version, so a snapshot of revision R is read from it in small steps while later revisions are
written; only freeing compacted history waits. Records are handed over by reference, so there is no second copy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubeactors.store.disk import Disk
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.mvcc.record import Record, size
from kubeactors.store.mvcc.state import Mvcc
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import SnapshotMeta
from kubeactors.store.snapshot.file import (
    FORMAT_VERSION,
    Head,
    SnapshotReader,
    SnapshotWriter,
    Tag,
    file_name,
    list_snapshots,
)
from kubeactors.store.snapshot.incoming import IncomingSnapshot

logger = logging.getLogger(__name__)

CHUNK = 256
"""Records encoded in one step: about a millisecond in which the event loop may have to wait for the interpreter."""
CHUNK_BYTES = 1024 * 1024
MAX_PAUSE = 0.05


def describe(machine: StateMachine, cluster_id: int, member_id: int) -> Head:
    """The head of a snapshot of the state as it is now."""
    return Head(
        format=FORMAT_VERSION,
        cluster_id=cluster_id,
        member_id=member_id,
        term=machine.applied_term,
        index=machine.applied_index,
        time=machine.time,
        revision=machine.mvcc.revision,
        compact_revision=machine.mvcc.compact_revision,
        leases=[(lease.id, lease.ttl, lease.expiry) for lease in machine.leases.all()],
        alarms=machine.alarms.all(),
        membership=machine.membership.dump(),
    )


def describe_shortly(machine: StateMachine) -> SnapshotMeta:
    """What Raft has to know of such a snapshot."""
    members = machine.membership
    return SnapshotMeta(machine.applied_index, machine.applied_term, Configuration(members.voters, members.learners))


def portions(mvcc: Mvcc, head: Head) -> Iterator[tuple[Tag, list[Record]]]:
    """What follows the head, a little at a time. Hold the state from the head on; it may change between portions."""
    if head.compact_revision:
        for records in mvcc.base(head.compact_revision, CHUNK):
            yield from _split(Tag.BASE, records)
        boundary = mvcc.kept_changes(head.compact_revision, head.compact_revision)
        yield from _split(Tag.BOUNDARY, [record for changes in boundary for record, _ in changes])
    for first in range(head.compact_revision + 1, head.revision + 1, CHUNK):
        after: list[Record] = []
        for changes in mvcc.kept_changes(first, min(first + CHUNK - 1, head.revision)):
            after.extend(record for record, _ in changes)
        yield from _split(Tag.AFTER, after)


def _split(tag: Tag, records: list[Record]) -> Iterator[tuple[Tag, list[Record]]]:
    """Into portions of CHUNK_BYTES, or of one larger record."""
    first = total = 0
    for position, record in enumerate(records):
        total += size(record)
        if total > CHUNK_BYTES and position > first:
            yield tag, records[first:position]
            first, total = position, size(record)
    if first < len(records):
        yield tag, records[first:]


class Snapshotter:
    """Takes snapshots, knows the newest one, and puts those in place that come from the leader. `newest`: what is in
    `directory` already."""

    def __init__(
        self, disk: Disk, directory: Path, cluster_id: int, member_id: int, newest: SnapshotMeta | None = None
    ) -> None:
        self.newest = newest
        self._disk = disk
        self._directory = directory
        self._cluster_id = cluster_id
        self._member_id = member_id
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-snapshot")

    def path(self, meta: SnapshotMeta) -> Path:
        return self._directory / file_name(meta.term, meta.index)

    def receive(self, meta: SnapshotMeta, in_place: Callable[[], None], ended: Callable[[], None]) -> IncomingSnapshot:
        return IncomingSnapshot(self._disk, self._directory, self._thread, self._cluster_id, meta, in_place, ended)

    async def open(self, meta: SnapshotMeta) -> SnapshotReader:
        """Raises CorruptData, OSError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, SnapshotReader, self._disk, self.path(meta))

    async def take(self, machine: StateMachine) -> SnapshotMeta:
        """The state as it is at the call, durable on return. Raises OSError; then nothing is left of it."""
        loop = asyncio.get_running_loop()
        mvcc = machine.mvcc
        meta = describe_shortly(machine)
        head = describe(machine, self._cluster_id, self._member_id)
        mvcc.hold()
        try:
            writer = await loop.run_in_executor(self._thread, SnapshotWriter, self._disk, self._directory, head)
            try:
                for tag, records in portions(mvcc, head):
                    begun = loop.time()
                    await loop.run_in_executor(self._thread, writer.records, tag, records)
                    # As long a pause: no more than half of the disk and of the interpreter while others wait for both.
                    await asyncio.sleep(min(loop.time() - begun, MAX_PAUSE))
                await loop.run_in_executor(self._thread, writer.finish)
            finally:
                self._thread.submit(writer.abandon)
        finally:
            mvcc.release()
        if self.newest is None or meta.index > self.newest.index:
            self.newest = meta
        return meta

    async def remove_older(self, snapshot: SnapshotMeta) -> None:
        """Remove every snapshot before this one. Raises OSError."""

        def remove() -> None:
            for old in list_snapshots(self._disk, self._directory):
                if old.index < snapshot.index:
                    self._disk.remove(old.path)
                    logger.info("removed snapshot %s", old.path.name)

        await asyncio.get_running_loop().run_in_executor(self._thread, remove)

    async def stop(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
