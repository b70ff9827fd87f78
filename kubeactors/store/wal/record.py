"""The log's records as bytes.

    length (4) · crc32 of kind and payload (4) · kind (1) · payload          all integers little endian

A segment begins with META and the hard state as it was then. Every write to the file begins with MARK, which says at
which offset it stands. A write starts only after the one before it has been synced, so a readable MARK proves that
everything before it once was on disk: a bad record with a MARK after it is damage, a bad record with none after it is
the torn tail of the last write.
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

HEAD = struct.Struct("<IIB")
MAX_PAYLOAD = 256 * 1024 * 1024
MARK_MAGIC = b"\xf5kaWALm\n"

_MARK = struct.Struct("<8sQ")
_META = struct.Struct("<IQQQQ")
_HARD_STATE = struct.Struct("<QQQ")
_ENTRY = struct.Struct("<QQB")
_ENTRY_HEAD = struct.Struct("<IIBQQB")
_SNAPSHOT = struct.Struct("<QQ")


class Kind(IntEnum):
    META = 1
    MARK = 2
    ENTRY = 3
    HARD_STATE = 4
    SNAPSHOT = 5
    RESTART = 6
    """As SNAPSHOT, one that came from the leader: all earlier entries are void, the next one follows the snapshot."""


class EntryKind(IntEnum):
    NORMAL = 0
    CONFIG = 1


_ENTRY_KIND = int(Kind.ENTRY)  # an enum's member is slow to look up and to pack
_ENTRY_SEED = zlib.crc32(bytes((_ENTRY_KIND,)))


class Meta(NamedTuple):
    """`sequence`: the segment's number; `first_index`: every entry before it stands in earlier segments."""

    version: int
    cluster_id: int
    member_id: int
    sequence: int
    first_index: int


class HardState(NamedTuple):
    """What Raft must remember over a restart (Raft paper, figure 2, persistent state)."""

    term: int
    vote: int
    commit: int


class Entry:
    """One entry of the log; nobody changes it. Its encoding is kept once it was made: the log and every peer get the
    same bytes."""

    __slots__ = ("_record", "data", "index", "kind", "term")

    def __init__(self, term: int, index: int, kind: int, data: bytes, record: bytes | None = None) -> None:
        self.term = term
        self.index = index
        self.kind = kind
        self.data = data
        self._record = record

    @property
    def record(self) -> bytes:
        """As it stands in the log."""
        record = self._record
        if record is None:
            data = self.data
            term, index, kind = self.term, self.index, int(self.kind)
            checksum = zlib.crc32(data, zlib.crc32(_ENTRY.pack(term, index, kind), _ENTRY_SEED))
            head = _ENTRY_HEAD.pack(len(data) + _ENTRY.size, checksum, _ENTRY_KIND, term, index, kind)
            record = self._record = head + data
        return record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return (self.term, self.index, self.kind, self.data) == (other.term, other.index, other.kind, other.data)

    def __hash__(self) -> int:
        return hash((self.term, self.index))

    def __repr__(self) -> str:
        return f"Entry(term={self.term}, index={self.index}, kind={self.kind}, data={self.data!r})"


class SnapshotMark(NamedTuple):
    """A snapshot up to this entry was safely on disk when this was written."""

    index: int  # type: ignore[assignment]  # not tuple's method
    term: int


def _frame(kind: Kind, payload: bytes) -> bytes:
    body = bytes((kind,)) + payload
    return HEAD.pack(len(payload), zlib.crc32(body), kind) + payload


def encode_meta(meta: Meta) -> bytes:
    return _frame(Kind.META, _META.pack(*meta))


def encode_mark(offset: int) -> bytes:
    return _frame(Kind.MARK, _MARK.pack(MARK_MAGIC, offset))


def encode_hard_state(state: HardState) -> bytes:
    return _frame(Kind.HARD_STATE, _HARD_STATE.pack(*state))


def encode_snapshot(mark: SnapshotMark) -> bytes:
    return _frame(Kind.SNAPSHOT, _SNAPSHOT.pack(*mark))


def encode_restart(mark: SnapshotMark) -> bytes:
    return _frame(Kind.RESTART, _SNAPSHOT.pack(*mark))


def encode_entry(entry: Entry) -> bytes:
    return entry.record


def kind_of(record: bytes) -> int:
    """Of an encoded record."""
    return record[HEAD.size - 1]


class BadRecord(Exception):
    """No whole, unchanged record stands here."""


def read(data: bytes | memoryview, offset: int) -> tuple[int, memoryview, int]:
    """(kind, payload, offset after it) of the record at `offset`. Raises BadRecord."""
    view = memoryview(data)
    start = offset + HEAD.size
    if start > len(view):
        raise BadRecord(f"{len(view) - offset} bytes are no record head")
    length, checksum, kind = HEAD.unpack_from(view, offset)
    end = start + length
    if length > MAX_PAYLOAD or end > len(view):
        raise BadRecord(f"a record of {length} bytes is not whole")
    if zlib.crc32(view[start - 1 : end]) != checksum:
        raise BadRecord(f"the checksum of a record of {length} bytes does not fit")
    return kind, view[start:end], end


def decode_meta(payload: memoryview) -> Meta:
    return Meta(*_META.unpack(payload))


def decode_mark(payload: memoryview) -> int:
    """The offset. Raises BadRecord when it is no mark after all."""
    magic, offset = _MARK.unpack(payload)
    if magic != MARK_MAGIC:
        raise BadRecord("a mark without its magic number")
    return int(offset)


def decode_hard_state(payload: memoryview) -> HardState:
    return HardState(*_HARD_STATE.unpack(payload))


def decode_snapshot(payload: memoryview) -> SnapshotMark:
    return SnapshotMark(*_SNAPSHOT.unpack(payload))


def decode_entry(payload: memoryview) -> Entry:
    term, index, kind = _ENTRY.unpack_from(payload)
    return Entry(term, index, kind, bytes(payload[_ENTRY.size :]))


def decode_entries(data: bytes) -> list[Entry]:
    """Entries' records, one after the other, as another member's log has them. Their encoding is kept, so that it is
    not made again. Raises BadRecord."""
    entries: list[Entry] = []
    offset, end = 0, len(data)
    view = memoryview(data)
    unpack, fixed, first = _ENTRY_HEAD.unpack_from, _ENTRY_HEAD.size, HEAD.size - 1
    while offset < end:
        try:
            length, checksum, number, term, index, kind = unpack(view, offset)
        except struct.error as error:
            raise BadRecord(f"{end - offset} bytes are no entry") from error
        after = offset + HEAD.size + length
        if number != _ENTRY_KIND or after > end or length < _ENTRY.size:
            raise BadRecord(f"a record of kind {number} and {length} bytes where an entry belongs")
        if zlib.crc32(view[offset + first : after]) != checksum:
            raise BadRecord(f"the checksum of an entry of {length} bytes does not fit")
        entries.append(Entry(term, index, kind, data[offset + fixed : after], data[offset:after]))
        offset = after
    return entries


def mark_after(data: bytes | memoryview, offset: int) -> int | None:
    """Where the first readable MARK at or after `offset` stands, None without one."""
    whole = bytes(data)
    position = offset
    while (found := whole.find(MARK_MAGIC, position)) >= 0:
        start = found - HEAD.size
        position = found + 1
        if start < offset:
            continue
        try:
            kind, payload, _ = read(data, start)
            if kind == Kind.MARK and decode_mark(payload) == start:
                return start
        except (BadRecord, struct.error):
            continue
    return None
