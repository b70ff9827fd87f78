"""Reading the log back: where it ends, what it holds, whether it is whole."""

from __future__ import annotations

import itertools
import logging
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.record import BadRecord, Entry, HardState, Kind, Meta, SnapshotMark

logger = logging.getLogger(__name__)

FORMAT_VERSION = 2
NO_STATE = HardState(0, 0, 0)
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.wal")


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    sequence: int
    first_index: int
    path: Path


@dataclass(slots=True)
class LogContents:
    """`tail`: entries up to the index asked for, as many of the last ones as were asked for and are there; `entries`:
    those after it. Both without gaps. `end`: where the last segment's log ends. `last_write`: the bytes before it that
    the last write left, of which alone it is not known whether they were synced.

    `last_index`: of the log's last entry, or of the snapshot that it begins after. `term`: of the log's entry at the
    index asked for, None when the log does not say. `snapshot`: the newest one that the log knows of.
    """

    cluster_id: int
    member_id: int
    tail: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    hard_state: HardState = NO_STATE
    snapshot: SnapshotMark | None = None
    last_index: int = 0
    term: int | None = None
    segments: list[SegmentFile] = field(default_factory=list)
    end: int = 0
    last_write: bytes = b""
    torn_bytes: int = 0


class _Entries:
    """The entries as they were when the log was last written: later ones replace earlier ones of the same index."""

    def __init__(self, after_index: int, keep: int) -> None:
        self._after = after_index
        self._low = max(0, after_index - keep)
        self._entries: list[Entry] = []
        # What stands before the first of them, its term None where that is not known. None: nothing was read yet.
        self._base: tuple[int, int | None] | None = None

    def add(self, entry: Entry) -> None:
        """Raises ValueError when entries are missing before it."""
        entries = self._entries
        index = entry.index
        expected = self._last() + 1 if self._base is not None else max(index, 1)
        if index > expected or (self._base is None and index > self._after + 1):
            raise ValueError(f"entry {index} follows {min(expected, self._after + 1) - 1}, some are missing")
        if self._base is None:
            self._base = (index - 1, 0 if index == 1 else None)
        if index <= self._low:
            entries.clear()  # a new leader replaced what followed it, too
            self._base = (index, entry.term)
            return
        if index <= self._base[0]:
            entries.clear()
            self._base = (index - 1, None)
        elif index < expected:
            del entries[index - self._base[0] - 1 :]  # a new leader replaced what was never committed
        entries.append(entry)

    def restart(self, mark: SnapshotMark) -> None:
        self._entries.clear()
        self._base = (mark.index, mark.term)

    def _last(self) -> int:
        if self._entries:
            return self._entries[-1].index
        return self._base[0] if self._base is not None else 0

    def finish(self, contents: LogContents) -> None:
        contents.last_index = self._last()
        if self._base is None:
            return
        index, term = self._base
        count = max(0, self._after - index)
        contents.tail, contents.entries = self._entries[:count], self._entries[count:]
        if index == self._after:
            contents.term = term
        elif contents.tail and contents.tail[-1].index == self._after:
            contents.term = contents.tail[-1].term


def segment_name(sequence: int, first_index: int) -> str:
    return f"{sequence:016x}-{first_index:016x}.wal"


def list_segments(disk: Disk, directory: Path) -> list[SegmentFile]:
    """In order. Raises CorruptData when one is missing between two."""
    found: list[SegmentFile] = []
    for name in disk.list(directory):
        match = _NAME.fullmatch(name)
        if match:
            found.append(SegmentFile(int(match[1], 16), int(match[2], 16), directory / name))
    found.sort()
    for before, after in itertools.pairwise(found):
        if after.sequence != before.sequence + 1:
            raise CorruptData(f"{directory}: a log segment is missing between {before.path.name} and {after.path.name}")
    return found


@dataclass(slots=True)
class _Tail:
    end: int = 0
    last_write: bytes = b""
    torn_bytes: int = 0


def read_log(disk: Disk, directory: Path, after_index: int, keep: int = 0) -> LogContents | None:
    """The whole log; None when there is none. Raises CorruptData, OSError. Changes nothing on disk.

    Entries up to `after_index` are read and checked, and the last `keep` of them returned apart from the others.
    """
    segments = list_segments(disk, directory)
    if not segments:
        return None
    contents: LogContents | None = None
    entries = _Entries(after_index, keep)
    tail = _Tail()
    for number, segment in enumerate(segments):
        data = disk.read(segment.path)
        last = number == len(segments) - 1
        for offset, kind, payload in _records(segment.path, data, last, tail):
            if kind == Kind.META and offset == 0:
                contents = _begin_segment(segment, rec.decode_meta(payload), contents)
            elif contents is None or offset == 0:
                raise CorruptData(f"{segment.path}: offset 0: the segment does not begin with its description")
            else:
                _take(segment.path, offset, kind, payload, contents, entries)
    if contents is None:
        raise CorruptData(f"{segments[0].path}: offset 0: the segment is empty")
    entries.finish(contents)
    contents.segments = segments
    contents.end = tail.end
    contents.last_write = tail.last_write
    contents.torn_bytes = tail.torn_bytes
    return contents


def _begin_segment(segment: SegmentFile, meta: Meta, contents: LogContents | None) -> LogContents:
    if meta.version != FORMAT_VERSION:
        age = "an older" if meta.version < FORMAT_VERSION else "a newer"
        raise CorruptData(
            f"{segment.path}: log format {meta.version} is that of {age} version, which this one cannot read"
        )
    if meta.sequence != segment.sequence or meta.first_index != segment.first_index:
        raise CorruptData(f"{segment.path}: offset 0: the segment's description does not fit its name")
    if contents is None:
        return LogContents(meta.cluster_id, meta.member_id)
    if (meta.cluster_id, meta.member_id) != (contents.cluster_id, contents.member_id):
        raise CorruptData(f"{segment.path}: offset 0: the segment belongs to another member or cluster")
    return contents


def _take(path: Path, offset: int, kind: int, payload: memoryview, contents: LogContents, entries: _Entries) -> None:
    if kind == Kind.ENTRY:
        try:
            entries.add(rec.decode_entry(payload))
        except ValueError as error:
            raise CorruptData(f"{path}: offset {offset}: {error}") from error
    elif kind == Kind.HARD_STATE:
        contents.hard_state = rec.decode_hard_state(payload)
    elif kind in (Kind.SNAPSHOT, Kind.RESTART):
        mark = rec.decode_snapshot(payload)
        if contents.snapshot is None or mark.index > contents.snapshot.index:
            contents.snapshot = mark
        if kind == Kind.RESTART:
            entries.restart(mark)
    elif kind == Kind.MARK:
        if rec.decode_mark(payload) != offset:
            raise CorruptData(f"{path}: offset {offset}: a mark that was written elsewhere")
    else:
        raise CorruptData(f"{path}: offset {offset}: a record of kind {kind}, which this version does not know")


def _records(path: Path, data: bytes, last: bool, tail: _Tail) -> Iterator[tuple[int, int, memoryview]]:
    """(offset, kind, payload) of a segment's records. Raises CorruptData for a bad one that is not the log's tail."""
    view = memoryview(data)
    offset = last_mark = 0
    while offset < len(view):
        try:
            kind, payload, after = rec.read(view, offset)
        except BadRecord as error:
            _check_tail(path, data, offset, last, error)
            break
        if kind == Kind.MARK:
            last_mark = offset
        try:
            yield offset, kind, payload
        except struct.error as error:
            raise CorruptData(f"{path}: offset {offset}: a record of kind {kind} has a wrong form") from error
        offset = after
    rest = data[offset:]
    tail.end = offset
    tail.last_write = data[last_mark:offset]
    tail.torn_bytes = len(rest.rstrip(b"\0"))
    if tail.torn_bytes:
        logger.warning("%s: the write at offset %d was torn before it was acknowledged; it is cut", path, offset)


def _check_tail(path: Path, data: bytes, offset: int, last: bool, error: BadRecord) -> None:
    if offset == 0:
        raise CorruptData(f"{path}: offset 0: {error}") from error
    if not last and any(data[offset:]):
        raise CorruptData(f"{path}: offset {offset}: {error}, and later segments exist") from error
    mark = rec.mark_after(data, offset)
    if mark is not None:
        raise CorruptData(f"{path}: offset {offset}: {error}, but intact records follow at offset {mark}") from error
