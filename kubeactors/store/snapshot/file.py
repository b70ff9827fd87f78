"""A snapshot's file: checksummed blocks.

    length (4) · crc32 of tag and content (4) · tag (1) · content            all integers little endian

First a HEAD block (JSON), then blocks of records in three parts (BASE: those living at the compacted revision;
BOUNDARY: the compacted revision's own changes; AFTER: every later change, by revision), last an END block with the
number of records. A file is written under a temporary name, synced, and renamed, so that a file with its proper name is
whole.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path

import orjson

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.mvcc.codec import decode_records, encode_records
from kubeactors.store.mvcc.record import Record

FORMAT_VERSION = 1
SYNC_BYTES = 8 * 1024 * 1024
_BLOCK = struct.Struct("<IIB")
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.snap")


class Tag(IntEnum):
    HEAD = 1
    BASE = 2
    BOUNDARY = 3
    AFTER = 4
    END = 5


@dataclass(frozen=True, slots=True)
class Head:
    """`leases`: (id, ttl in seconds, expiry in milliseconds of cluster time); `alarms`: (member, type)."""

    format: int
    cluster_id: int
    member_id: int
    term: int
    index: int
    time: int
    revision: int
    compact_revision: int
    leases: list[tuple[int, int, int]]
    alarms: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    term: int
    index: int
    path: Path


def list_snapshots(disk: Disk, directory: Path) -> list[SnapshotFile]:
    """Oldest first."""
    found = [
        SnapshotFile(int(match[1], 16), int(match[2], 16), directory / name)
        for name in disk.list(directory)
        if (match := _NAME.fullmatch(name))
    ]
    return sorted(found, key=lambda s: s.index)


class SnapshotWriter:
    """Writes one snapshot block by block. Blocking; every method raises OSError."""

    def __init__(self, disk: Disk, directory: Path, head: Head) -> None:
        self._disk = disk
        self._path = directory / f"{head.term:016x}-{head.index:016x}.snap"
        self._temporary = self._path.with_suffix(".snap.tmp")
        self._fd = disk.open(self._temporary, create=True)
        self._end = 0
        self._synced = 0
        self._records = 0
        self._block(Tag.HEAD, orjson.dumps(asdict(head)))

    def records(self, tag: Tag, records: Sequence[Record]) -> None:
        if records:
            self._block(tag, encode_records(records))
            self._records += len(records)

    def finish(self) -> SnapshotFile:
        """The snapshot is durable under its name afterwards."""
        self._block(Tag.END, struct.pack("<Q", self._records))
        self._disk.sync_all(self._fd)
        self._disk.close(self._fd)
        self._fd = -1
        self._disk.rename(self._temporary, self._path)
        match = _NAME.fullmatch(self._path.name)
        assert match is not None
        return SnapshotFile(int(match[1], 16), int(match[2], 16), self._path)

    def abandon(self) -> None:
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1
            self._disk.remove(self._temporary)

    def _block(self, tag: Tag, content: bytes) -> None:
        checksum = zlib.crc32(content, zlib.crc32(bytes((tag,))))
        self._disk.write_at(self._fd, _BLOCK.pack(len(content), checksum, tag) + content, self._end)
        self._end += _BLOCK.size + len(content)
        if self._end - self._synced > SYNC_BYTES:
            # In small portions, so that the log's own syncs never wait behind a large one.
            self._disk.sync(self._fd)
            self._synced = self._end


class SnapshotReader:
    """A snapshot that was read whole and checked. Raises CorruptData, OSError on construction."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self._blocks: dict[Tag, list[memoryview]] = {Tag.BASE: [], Tag.BOUNDARY: [], Tag.AFTER: []}
        head: Head | None = None
        ended = False
        for offset, tag, content in self._read(disk.read(path)):
            if ended or (head is None) != (tag == Tag.HEAD):
                raise CorruptData(f"{path}: offset {offset}: block {tag} is out of place")
            if tag == Tag.HEAD:
                head = self._head(content)
            elif tag == Tag.END:
                ended = True
                self._records = int(struct.unpack("<Q", content)[0])
            else:
                self._blocks[tag].append(content)
        if head is None or not ended:
            raise CorruptData(f"{path}: the snapshot has no end")
        self.head = head

    def records(self, tag: Tag) -> Iterator[Record]:
        """Raises CorruptData."""
        for block in self._blocks[tag]:
            try:
                yield from decode_records(bytes(block))
            except ValueError as error:
                raise CorruptData(f"{self.path}: {error}") from error

    def _head(self, content: memoryview) -> Head:
        try:
            head = Head(**orjson.loads(content))
        except (ValueError, TypeError) as error:
            raise CorruptData(f"{self.path}: offset 0: the head cannot be read: {error}") from error
        if head.format != FORMAT_VERSION:
            raise CorruptData(f"{self.path}: snapshot format {head.format} is not known to this version")
        return head

    def _read(self, data: bytes) -> Iterator[tuple[int, Tag, memoryview]]:
        view = memoryview(data)
        offset = 0
        while offset < len(view):
            start = offset + _BLOCK.size
            if start > len(view):
                raise CorruptData(f"{self.path}: offset {offset}: a block is cut off")
            length, checksum, tag = _BLOCK.unpack_from(view, offset)
            content = view[start : start + length]
            if len(content) != length or zlib.crc32(content, zlib.crc32(bytes((tag,)))) != checksum:
                raise CorruptData(f"{self.path}: offset {offset}: the checksum of a block does not fit")
            try:
                yield offset, Tag(tag), content
            except ValueError as error:
                raise CorruptData(f"{self.path}: offset {offset}: a block of unknown kind {tag}") from error
            offset = start + length
