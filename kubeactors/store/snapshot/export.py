"""A snapshot for somebody outside the cluster: what Maintenance.Snapshot sends and `kubeactors store snapshot` reads.

The file is a snapshot as a member keeps it (kubeactors.store.snapshot.file), then zeros up to a multiple of 512 bytes
less 8, the length of the snapshot (8 bytes, little endian), and the SHA-256 of all that. etcd's clients look for a
SHA-256 after whole pages of 512 bytes, so they save such a file as they would etcd's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import struct
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData, StoreUnavailable
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.snapshot.file import SnapshotReader, SnapshotWriter
from kubeactors.store.snapshot.snapshotter import describe, portions

PAGE = 512
CHUNK = 256 * 1024
_LENGTH = struct.Struct("<Q")
_DIGEST = hashlib.sha256().digest_size


def trailer(length: int) -> bytes:
    """What follows a snapshot of `length` bytes, up to the hash."""
    return bytes(-(length + _LENGTH.size) % PAGE) + _LENGTH.pack(length)


class Exporter:
    """`directory` belongs to it alone: what an earlier process left there is removed. Raises OSError.

    A snapshot is written there first and sent then, so that a slow receiver keeps nothing from being freed.
    `check` raises StoreError while there is no state to read; `released` is called when the state is not held any more.
    """

    def __init__(
        self,
        disk: Disk,
        directory: Path,
        cluster_id: int,
        member_id: int,
        check: Callable[[], None],
        released: Callable[[], None],
    ) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        self._disk = disk
        self._directory = directory
        self._ids = (cluster_id, member_id)
        self._check = check
        self._released = released

    @asynccontextmanager
    async def take(self, machine: StateMachine) -> AsyncIterator[Path]:
        """The state as it is now in a file, which is removed afterwards. Raises StoreError, OSError."""
        self._check()
        place = self._directory / uuid.uuid4().hex
        await asyncio.to_thread(self._disk.make_dir, place)
        try:
            yield await self._write(machine, place)
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _write(self, machine: StateMachine, place: Path) -> Path:
        mvcc, leases = machine.mvcc, machine.leases
        head = describe(machine, *self._ids)
        mvcc.hold()
        try:
            writer = await asyncio.to_thread(SnapshotWriter, self._disk, place, head)
            try:
                for tag, records in portions(mvcc, head):
                    await asyncio.to_thread(writer.records, tag, records)
                    self._check()
                    if machine.leases is not leases:  # the leader's snapshot has taken the state's place meanwhile
                        raise StoreUnavailable("etcdserver: the state was replaced", outcome_unknown=False)
                return (await asyncio.to_thread(writer.finish)).path
            finally:
                await asyncio.to_thread(writer.abandon)
        finally:
            mvcc.release()
            self._released()


async def parts(disk: Disk, path: Path) -> AsyncIterator[tuple[int, bytes]]:
    """(how many bytes follow, the next ones) of what is sent of this snapshot. Raises OSError."""
    length = await asyncio.to_thread(disk.size, path)
    end = trailer(length)
    remaining = length + len(end) + _DIGEST
    digest = hashlib.sha256()
    for offset in range(0, length, CHUNK):
        part = await asyncio.to_thread(disk.read_part, path, offset, CHUNK)
        digest.update(part)
        remaining -= len(part)
        yield remaining, part
    digest.update(end)
    yield _DIGEST, end
    yield 0, digest.digest()


class _Content(Disk):
    """A disk on which the exported file has only the snapshot in it."""

    def __init__(self, disk: Disk, length: int) -> None:
        self._disk = disk
        self._length = length

    def size(self, path: Path) -> int:
        return self._length

    def read_part(self, path: Path, offset: int, size: int) -> bytes:
        return self._disk.read_part(path, offset, min(size, self._length - offset))


def open_export(disk: Disk, path: Path, *, check_hash: bool = True) -> SnapshotReader:
    """The snapshot in an exported file; without `check_hash` also one that was copied from a member's directory.

    Raises CorruptData, OSError.
    """
    size = disk.size(path)
    length = None
    if size % PAGE == _DIGEST and size > PAGE:
        (length,) = _LENGTH.unpack(disk.read_part(path, size - _DIGEST - _LENGTH.size, _LENGTH.size))
        if length + len(trailer(length)) + _DIGEST != size:
            length = None
    if length is None:
        if check_hash:
            raise CorruptData(
                f"{path}: no SHA-256 at its end: it is cut off, or no snapshot that was saved from a store"
            )
        return SnapshotReader(disk, path)
    if check_hash:
        digest = hashlib.sha256()
        for part in _read(disk, path, size - _DIGEST):
            digest.update(part)
        if digest.digest() != disk.read_part(path, size - _DIGEST, _DIGEST):
            raise CorruptData(f"{path}: the SHA-256 at its end does not fit what is before it")
    return SnapshotReader(_Content(disk, length), path)


def _read(disk: Disk, path: Path, size: int) -> Iterator[bytes]:
    for offset in range(0, size, CHUNK):
        yield disk.read_part(path, offset, min(CHUNK, size - offset))
