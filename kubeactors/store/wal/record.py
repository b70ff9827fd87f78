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
_SNAPSHOT = struct.Struct("<QQ")


class Kind(IntEnum):
    META = 1
    MARK = 2
    ENTRY = 3
    HARD_STATE = 4
    SNAPSHOT = 5


class EntryKind(IntEnum):
    NORMAL = 0
    CONFIG = 1


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


class Entry(NamedTuple):
    term: int
    index: int  # type: ignore[assignment]  # not tuple's method
    kind: int
    data: bytes


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


def encode_entry(entry: Entry) -> bytes:
    return _frame(Kind.ENTRY, _ENTRY.pack(entry.term, entry.index, entry.kind) + entry.data)


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
