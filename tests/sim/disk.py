"""A disk in memory which forgets at a power loss what a real one may forget.

What POSIX promises, and no more: bytes and sizes of a file are durable after its sync; names (creation, rename,
removal) after their directory's sync. Everything else is lost, kept, or kept in part, each piece by itself and in any
order, by a seeded choice. A failed sync drops what it could not write and leaves it readable; the next sync succeeds
and does not write it (what Linux does).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NoReturn

from kubeactors.store.disk import Disk

SECTOR = 512


class Crash(BaseException):
    """The process ends here. Not an Exception, so that nothing in the product catches it."""


class _File:
    """`data` is what a reader sees; `durable` what is on the platter; `pending` what was done since the last sync:
    (offset, bytes) of a write, (-1, size) of a change of size."""

    __slots__ = ("data", "doubtful", "durable", "inode", "pending")

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.data = bytearray()
        self.durable = bytearray()
        self.pending: list[tuple[int, bytes | int]] = []
        self.doubtful = False


class _Dir:
    """`names`: as a reader sees them; `durable`: on the platter; `pending`: (old name or "", new name or "", file)."""

    __slots__ = ("durable", "names", "pending")

    def __init__(self) -> None:
        self.names: dict[str, _File | _Dir] = {}
        self.durable: dict[str, _File | _Dir] = {}
        self.pending: list[tuple[str, str, _File | _Dir | None]] = []


def _resize(data: bytearray, size: int) -> None:
    if size < len(data):
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def _put(data: bytearray, offset: int, content: bytes) -> None:
    if offset > len(data):
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(content)] = content


def _no_trace(event: str) -> None:
    pass


class SimDisk(Disk):
    """`capacity`: bytes that all files may take together. `ops` counts what was done to the disk; at `crash_at` the
    next operation raises Crash instead, a write after a part of it. `fail_syncs`: so many next syncs fail with EIO."""

    def __init__(self, rng: Random, capacity: int = 1 << 40) -> None:
        self.rng = rng
        self.capacity = capacity
        self.used = 0
        self.ops = 0
        self.crash_at = -1
        self.fail_syncs = 0
        self.trace: Callable[[str], None] = _no_trace
        self._root = _Dir()
        self._root.names["data"] = self._root.durable["data"] = _Dir()
        self._open: dict[int, _File] = {}
        self._next_fd = 3
        self._next_inode = 1

    # ---- what the product calls ----

    def is_dir(self, path: Path) -> bool:
        try:
            return isinstance(self._find(str(path)), _Dir)
        except FileNotFoundError:
            return False

    def add_dir(self, path: Path) -> None:
        self._step("mkdir", path)
        parent, name = self._parent(path)
        if name in parent.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        made = _Dir()
        parent.names[name] = made
        parent.pending.append(("", name, made))

    def restrict(self, directory: Path) -> None:
        self._dir(directory)

    def list(self, directory: Path) -> list[str]:
        return list(self._dir(directory).names)

    def read(self, path: Path) -> bytes:
        return bytes(self._file(path).data)

    def read_part(self, path: Path, offset: int, size: int) -> bytes:
        return bytes(self._file(path).data[offset : offset + size])

    def size(self, path: Path) -> int:
        return len(self._file(path).data)

    def open(self, path: Path, *, create: bool = False) -> int:
        if create:
            self._step("create", path)
            parent, name = self._parent(path)
            file = parent.names.get(name)
            if file is None:
                file = _File(self._next_inode)
                self._next_inode += 1
                parent.names[name] = file
                parent.pending.append(("", name, file))
            elif isinstance(file, _Dir):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            elif file.data:
                self._set_size(file, 0)
        else:
            file = self._file(path)
        fd = self._next_fd
        self._next_fd += 1
        self._open[fd] = file
        return fd

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        file = self._fd(fd)
        if self.ops == self.crash_at and data:
            part = self.rng.randrange(len(data) + 1)
            self._write(file, bytes(data[:part]), offset)
        self._step("write", (file, offset, len(data)))
        grows = offset + len(data) - len(file.data)
        if grows > 0 and self.used + grows > self.capacity:
            part = max(0, len(data) - (self.used + grows - self.capacity))
            self._write(file, bytes(data[:part]), offset)
            self._fail(errno.ENOSPC, "write")
        self._write(file, bytes(data), offset)

    def allocate(self, fd: int, size: int) -> None:
        file = self._fd(fd)
        self._step("allocate", (file, 0, size))
        grows = size - len(file.data)
        if grows <= 0:
            return
        if self.used + grows > self.capacity:
            self._fail(errno.ENOSPC, "allocate")
        self._set_size(file, size)

    def truncate(self, fd: int, size: int) -> None:
        file = self._fd(fd)
        self._step("truncate", (file, 0, size))
        self._set_size(file, size)

    def sync(self, fd: int) -> None:
        file = self._fd(fd)
        self._step("sync", (file, 0, len(file.data)))
        if self.fail_syncs > 0:
            self.fail_syncs -= 1
            file.doubtful = True
            self._settle(file)
            self._fail(errno.EIO, "sync")
        durable = file.durable
        for offset, what in file.pending:
            if isinstance(what, int):
                _resize(durable, what)
            else:
                _put(durable, offset, what)
        file.pending.clear()

    def sync_all(self, fd: int) -> None:
        self.sync(fd)

    def close(self, fd: int) -> None:
        self._fd(fd)
        del self._open[fd]

    def sync_dir(self, directory: Path) -> None:
        self._step("sync dir", directory)
        found = self._dir(directory)
        for old, new, file in found.pending:
            self._rename_durably(found, old, new, file)
        found.pending.clear()

    def replace(self, old: Path, new: Path) -> None:
        self._step("rename", f"{old.name} to {new.name}")
        source, old_name = self._parent(old)
        target, new_name = self._parent(new)
        assert source is target, "no renames between directories"
        file = source.names.pop(old_name, None)
        if file is None:
            self._missing(old)
        replaced = source.names.get(new_name)
        source.names[new_name] = file
        source.pending.append((old_name, new_name, file))
        self._freed(replaced)

    def remove(self, path: Path) -> None:
        self._step("remove", path)
        parent, name = self._parent(path)
        file = parent.names.pop(name, None)
        if file is None:
            self._missing(path)
        parent.pending.append((name, "", file))
        self._freed(file)

    # ---- what the simulation does to it ----

    def kill(self) -> None:
        """The process ends; the machine goes on. What was written stays readable, except that pages which a failed
        sync could not write may have left the memory."""
        self._end()
        for file in self._files(self._root.names):
            if file.doubtful:
                file.doubtful = False
                if self.rng.random() < 0.5:
                    data = bytearray(file.durable)
                    for offset, what in file.pending:
                        if isinstance(what, int):
                            _resize(data, what)
                        else:
                            _put(data, offset, what)
                    self.used += len(data) - len(file.data)
                    file.data = data

    def power_loss(self) -> None:
        """The machine ends."""
        self._end()
        self._lose_names(self._root)
        self.used = 0
        for file in self._files(self._root.names):
            self._settle(file)
            file.doubtful = False
            file.data = bytearray(file.durable)
            self.used += len(file.data)

    def wipe(self) -> None:
        """A new, empty disk in the place of this one."""
        self._end()
        self._root.names["data"] = self._root.durable["data"] = _Dir()
        self.used = 0

    def open_files(self) -> int:
        return len(self._open)

    # ---- inside ----

    def _end(self) -> None:
        self._open.clear()
        self.crash_at = -1

    def _settle(self, file: _File) -> None:
        """Decide for everything pending whether it reaches the platter, whole, in part or not at all."""
        if not file.pending:
            return
        rng = self.rng
        mode = rng.random()  # often all or nothing, which is what mostly happens, and leads furthest
        for offset, what in file.pending:
            if isinstance(what, int):
                if mode < 0.25 or (mode >= 0.4 and rng.random() < 0.5):
                    _resize(file.durable, what)
            elif mode < 0.25:
                _put(file.durable, offset, what)
            elif mode >= 0.4:
                self._tear(file.durable, offset, what)
        file.pending.clear()

    def _tear(self, durable: bytearray, offset: int, data: bytes) -> None:
        """Each sector by itself; one of them only in part."""
        rng = self.rng
        position = 0
        torn = rng.randrange(len(data) + 1)
        while position < len(data):
            after = min(len(data), ((offset + position) // SECTOR + 1) * SECTOR - offset)
            if rng.random() < 0.6:
                end = torn if position <= torn < after else after
                _put(durable, offset + position, data[position:end])
            position = after

    def _lose_names(self, directory: _Dir) -> None:
        rng = self.rng
        if directory.pending:
            keep = rng.choice((0.0, 0.5, 0.5, 1.0))
            for old, new, file in directory.pending:
                if rng.random() < keep:
                    self._rename_durably(directory, old, new, file)
            directory.pending.clear()
        directory.names = dict(directory.durable)
        for child in directory.names.values():
            if isinstance(child, _Dir):
                self._lose_names(child)

    @staticmethod
    def _rename_durably(directory: _Dir, old: str, new: str, file: _File | _Dir | None) -> None:
        if old and directory.durable.get(old) is file:
            del directory.durable[old]
        if new:
            assert file is not None
            directory.durable[new] = file

    def _write(self, file: _File, data: bytes, offset: int) -> None:
        if data:
            before = len(file.data)
            _put(file.data, offset, data)
            self.used += len(file.data) - before
            file.pending.append((offset, data))

    def _set_size(self, file: _File, size: int) -> None:
        self.used += size - len(file.data)
        _resize(file.data, size)
        file.pending.append((-1, size))

    def _freed(self, file: _File | _Dir | None) -> None:
        if isinstance(file, _File):
            self.used -= len(file.data)

    def _step(self, what: str, detail: object) -> None:
        if self.ops == self.crash_at:
            self.trace(f"crash at {what}")
            raise Crash
        self.ops += 1
        if self.trace is not _no_trace:
            if isinstance(detail, tuple):
                file, offset, length = detail
                text = f"file {file.inode} offset {offset} length {length}"
            else:
                text = detail.name if isinstance(detail, Path) else str(detail)
            self.trace(f"{what} {text}")

    def _fail(self, code: int, what: str) -> NoReturn:
        self.trace(f"{what} fails: {os.strerror(code)}")
        raise OSError(code, os.strerror(code))

    @staticmethod
    def _missing(path: Path) -> NoReturn:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def _find(self, path: str) -> _File | _Dir:
        found: _File | _Dir = self._root
        for part in path.split("/"):
            if part:
                child = found.names.get(part) if isinstance(found, _Dir) else None
                if child is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
                found = child
        return found

    def _parent(self, path: Path) -> tuple[_Dir, str]:
        parent, _, name = str(path).rpartition("/")
        found = self._find(parent)
        if not isinstance(found, _Dir):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), parent)
        return found, name

    def _dir(self, path: Path) -> _Dir:
        found = self._find(str(path))
        if not isinstance(found, _Dir):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        return found

    def _file(self, path: Path) -> _File:
        found = self._find(str(path))
        if not isinstance(found, _File):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return found

    def _fd(self, fd: int) -> _File:
        file = self._open.get(fd)
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return file

    def _files(self, names: dict[str, _File | _Dir]) -> Iterator[_File]:
        for child in names.values():
            if isinstance(child, _Dir):
                yield from self._files(child.names)
            else:
                yield child
