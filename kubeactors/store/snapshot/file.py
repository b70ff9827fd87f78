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
from typing import Any

import orjson

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.mvcc.codec import decode_records, encode_records
from kubeactors.store.mvcc.record import Record

FORMAT_VERSION = 2
SYNC_BYTES = 1024 * 1024
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
    """`member_id`: whoever made it. `leases`: (id, ttl in seconds, expiry in milliseconds of cluster time); `alarms`:
    (member, type); `membership`: as Membership.dump gives it."""

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
    membership: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    term: int
    index: int
    path: Path


def file_name(term: int, index: int) -> str:
    return f"{term:016x}-{index:016x}.snap"


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
        self._path = directory / file_name(head.term, head.index)
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
    """A snapshot that was read to its end and checked; its records are read again, block by block, when they are asked
    for, so that it takes no memory. Blocking. Raises CorruptData, OSError on construction."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self._disk = disk
        self._blocks: dict[Tag, list[tuple[int, int]]] = {Tag.BASE: [], Tag.BOUNDARY: [], Tag.AFTER: []}
        head: Head | None = None
        ended = False
        for offset, tag, content in self._read(disk.size(path)):
            if ended or (head is None) != (tag == Tag.HEAD):
                raise CorruptData(f"{path}: offset {offset}: block {tag} is out of place")
            if tag == Tag.HEAD:
                head = self._head(content)
            elif tag == Tag.END:
                ended = True
            else:
                self._blocks[tag].append((offset, len(content)))
        if head is None or not ended:
            raise CorruptData(f"{path}: the snapshot has no end")
        self.head = head

    def records(self, tag: Tag) -> Iterator[list[Record]]:
        """Block by block. Raises CorruptData, OSError."""
        for offset, length in self._blocks[tag]:
            _, content = self._block(offset, _BLOCK.size + length)
            try:
                yield list(decode_records(content))
            except ValueError as error:
                raise CorruptData(f"{self.path}: {error}") from error

    def _head(self, content: bytes) -> Head:
        try:
            values = orjson.loads(content)
            version = values.get("format")
            if version == FORMAT_VERSION:
                return Head(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise CorruptData(f"{self.path}: offset 0: the head cannot be read: {error}") from error
        raise CorruptData(
            f"{self.path}: snapshot format {version} is that of another version, which this one cannot read"
        )

    def _read(self, size: int) -> Iterator[tuple[int, Tag, bytes]]:
        offset = 0
        while offset < size:
            head = self._disk.read_part(self.path, offset, _BLOCK.size)
            if len(head) != _BLOCK.size:
                raise CorruptData(f"{self.path}: offset {offset}: a block is cut off")
            length = _BLOCK.unpack(head)[0]
            tag, content = self._block(offset, _BLOCK.size + length)
            try:
                yield offset, Tag(tag), content
            except ValueError as error:
                raise CorruptData(f"{self.path}: offset {offset}: a block of unknown kind {tag}") from error
            offset += _BLOCK.size + length

    def _block(self, offset: int, size: int) -> tuple[int, bytes]:
        """Tag and content of the block of `size` bytes."""
        block = self._disk.read_part(self.path, offset, size)
        content = block[_BLOCK.size :]
        if len(block) == size:
            _, checksum, tag = _BLOCK.unpack_from(block)
            if zlib.crc32(content, zlib.crc32(bytes((tag,)))) == checksum:
                return tag, content
        raise CorruptData(f"{self.path}: offset {offset}: the checksum of a block does not fit")
