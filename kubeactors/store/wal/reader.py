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

FORMAT_VERSION = 1
NO_STATE = HardState(0, 0, 0)
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.wal")


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    sequence: int
    first_index: int
    path: Path


@dataclass(slots=True)
class LogContents:
    """`entries`: those after the index asked for, without gaps. `end`: where the last segment's log ends. `last_write`:
    the bytes before it that the last write left, of which alone it is not known whether they were synced."""

    cluster_id: int
    member_id: int
    entries: list[Entry] = field(default_factory=list)
    hard_state: HardState = NO_STATE
    snapshot: SnapshotMark | None = None
    segments: list[SegmentFile] = field(default_factory=list)
    end: int = 0
    last_write: bytes = b""
    torn_bytes: int = 0


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


def read_log(disk: Disk, directory: Path, after_index: int) -> LogContents | None:
    """The whole log; None when there is none. Raises CorruptData, OSError. Changes nothing on disk.

    Entries up to `after_index` are read and checked but not returned.
    """
    segments = list_segments(disk, directory)
    if not segments:
        return None
    contents: LogContents | None = None
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
                _take(segment.path, offset, kind, payload, contents, after_index)
    if contents is None:
        raise CorruptData(f"{segments[0].path}: offset 0: the segment is empty")
    contents.segments = segments
    contents.end = tail.end
    contents.last_write = tail.last_write
    contents.torn_bytes = tail.torn_bytes
    return contents


def _begin_segment(segment: SegmentFile, meta: Meta, contents: LogContents | None) -> LogContents:
    if meta.version != FORMAT_VERSION:
        raise CorruptData(f"{segment.path}: log format {meta.version} is not known to this version")
    if meta.sequence != segment.sequence or meta.first_index != segment.first_index:
        raise CorruptData(f"{segment.path}: offset 0: the segment's description does not fit its name")
    if contents is None:
        return LogContents(meta.cluster_id, meta.member_id)
    if (meta.cluster_id, meta.member_id) != (contents.cluster_id, contents.member_id):
        raise CorruptData(f"{segment.path}: offset 0: the segment belongs to another member or cluster")
    return contents


def _take(path: Path, offset: int, kind: int, payload: memoryview, contents: LogContents, after_index: int) -> None:
    if kind == Kind.ENTRY:
        entry = rec.decode_entry(payload)
        entries = contents.entries
        if entry.index <= after_index:
            entries.clear()  # a new leader replaced what followed it, too
            return
        expected = entries[-1].index + 1 if entries else after_index + 1
        if entry.index > expected:
            raise CorruptData(f"{path}: offset {offset}: entry {entry.index} follows {expected - 1}, some are missing")
        if entry.index < expected:
            del entries[entry.index - after_index - 1 :]  # a new leader replaced what was never committed
        entries.append(entry)
    elif kind == Kind.HARD_STATE:
        contents.hard_state = rec.decode_hard_state(payload)
    elif kind == Kind.SNAPSHOT:
        contents.snapshot = rec.decode_snapshot(payload)
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
