"""Appending to the log: segments, their rotation and removal. Blocking; the writer beside it gives it a thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from kubeactors.store.disk import Disk
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.reader import FORMAT_VERSION, NO_STATE, LogContents, SegmentFile, segment_name

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 64 * 1024 * 1024


class Log:
    """An open log. Every method raises OSError; after one did, the log must not be written any more: what the disk then
    holds is not known (a failed fsync drops what it could not write and the next one succeeds)."""

    def __init__(
        self, disk: Disk, directory: Path, cluster_id: int, member_id: int, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._cluster_id = cluster_id
        self._member_id = member_id
        self._segment_bytes = segment_bytes
        self._segments: list[SegmentFile] = []
        self._fd = -1
        self._end = 0
        self._next_index = 1
        self._hard_state = b""

    @classmethod
    def create(
        cls,
        disk: Disk,
        directory: Path,
        cluster_id: int,
        member_id: int,
        first_index: int = 1,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Log:
        log = cls(disk, directory, cluster_id, member_id, segment_bytes)
        log._next_index = first_index
        log._add_segment(0)
        return log

    @classmethod
    def open(
        cls, disk: Disk, directory: Path, contents: LogContents, last_index: int, segment_bytes: int = SEGMENT_BYTES
    ) -> Log:
        """Go on after what was read, which is durable afterwards. A torn tail is cut off the file here."""
        log = cls(disk, directory, contents.cluster_id, contents.member_id, segment_bytes)
        log._segments = list(contents.segments)
        log._next_index = last_index + 1
        log._end = contents.end
        if contents.hard_state != NO_STATE:
            log._hard_state = rec.encode_hard_state(contents.hard_state)
        log._fd = disk.open(contents.segments[-1].path)
        # Cutting even a clean tail leaves zeros, and nothing else, where the next writes go.
        disk.truncate(log._fd, log._end)
        if log._end < segment_bytes:
            disk.allocate(log._fd, segment_bytes)
        # The last write may stand in memory only, where a failed sync left it: without this no sync would write it.
        disk.write_at(log._fd, contents.last_write, log._end - len(contents.last_write))
        disk.sync_all(log._fd)
        disk.sync_dir(directory)  # the process may have ended between a rename and its sync
        for name in disk.list(directory):
            if name.endswith(".tmp"):
                disk.remove(directory / name)
        return log

    @property
    def size(self) -> int:
        """Bytes in the last segment plus those of the full ones before it."""
        return self._end + (len(self._segments) - 1) * self._segment_bytes

    def append(self, records: Sequence[bytes], next_index: int | None) -> None:
        """Write the records and sync. `next_index`: the index of the first entry after them; None: unchanged."""
        size = sum(map(len, records))
        if self._end + size > self._segment_bytes and self._end > rec.HEAD.size * 16:
            self._rotate()
        data = b"".join((rec.encode_mark(self._end), *records))
        self._disk.write_at(self._fd, data, self._end)
        self._disk.sync(self._fd)
        self._end += len(data)
        for record in records:
            if rec.kind_of(record) == rec.Kind.HARD_STATE:
                self._hard_state = record
        if next_index is not None:
            self._next_index = next_index

    def trim(self, index: int) -> None:
        """Remove the segments that hold only entries before `index`."""
        while len(self._segments) > 1 and self._segments[1].first_index <= index:
            gone = self._segments.pop(0)
            self._disk.remove(gone.path)
            # One by one, since removals may reach the disk in any order and a log with a hole is damage.
            self._disk.sync_dir(self._directory)
            logger.info("removed log segment %s", gone.path.name)

    def close(self) -> None:
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1

    def _rotate(self) -> None:
        self._disk.truncate(self._fd, self._end)
        self._disk.sync_all(self._fd)
        self._disk.close(self._fd)
        self._fd = -1
        self._add_segment(self._segments[-1].sequence + 1)

    def _add_segment(self, sequence: int) -> None:
        """A segment begins with the hard state, since those before it may be removed."""
        path = self._directory / segment_name(sequence, self._next_index)
        temporary = path.with_suffix(".tmp")
        fd = self._disk.open(temporary, create=True)
        meta = rec.encode_meta(rec.Meta(FORMAT_VERSION, self._cluster_id, self._member_id, sequence, self._next_index))
        head = meta + rec.encode_mark(len(meta)) + self._hard_state if self._hard_state else meta
        try:
            self._disk.allocate(fd, max(self._segment_bytes, len(head)))
            self._disk.write_at(fd, head, 0)
            self._disk.sync_all(fd)
            self._disk.rename(temporary, path)
        except OSError:
            self._disk.close(fd)
            raise
        self._fd = fd
        self._end = len(head)
        self._segments.append(SegmentFile(sequence, self._next_index, path))
