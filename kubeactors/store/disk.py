"""The few things the store does to a disk, gathered so that a simulation can do them otherwise."""

from __future__ import annotations

import errno
import os
from pathlib import Path

FILE_MODE = 0o600
DIR_MODE = 0o700


class Disk:
    """The real one. Every method raises OSError."""

    def make_dir(self, path: Path) -> None:
        """Only its owner may enter; parents are made alike. The entry is durable in the parent afterwards."""
        if self.is_dir(path):
            self.restrict(path)
            self.sync_dir(path.parent)  # whoever made it may have ended before this
            return
        if not self.is_dir(path.parent):
            self.make_dir(path.parent)
        self.add_dir(path)
        self.sync_dir(path.parent)

    def is_dir(self, path: Path) -> bool:
        return path.is_dir()

    def add_dir(self, path: Path) -> None:
        """Not durable before the parent is synced."""
        path.mkdir(mode=DIR_MODE)

    def restrict(self, directory: Path) -> None:
        """Only its owner may enter from now on."""
        directory.chmod(DIR_MODE)

    def list(self, directory: Path) -> list[str]:
        return os.listdir(directory)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def read_part(self, path: Path, offset: int, size: int) -> bytes:
        """Fewer than `size` bytes only at the file's end."""
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            parts: list[bytes] = []
            while size > 0 and (part := file.read(size)):
                parts.append(part)
                size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def open(self, path: Path, *, create: bool = False) -> int:
        """A descriptor for writing; `create` makes the file anew."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_TRUNC if create else 0)
        return os.open(path, flags, FILE_MODE)

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, offset)
            if written == 0:
                raise OSError(errno.EIO, "the disk took no bytes")
            view = view[written:]
            offset += written

    def allocate(self, fd: int, size: int) -> None:
        """Make sure that `size` bytes have their place on the disk, zeros where nothing was written."""
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            os.ftruncate(fd, size)  # a file system without reservation; a full disk shows at the write

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """What was written to the file, and what is needed to read it back, is on the disk afterwards."""
        os.fdatasync(fd)

    def sync_all(self, fd: int) -> None:
        os.fsync(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def sync_dir(self, directory: Path) -> None:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Durable afterwards."""
        self.replace(old, new)
        self.sync_dir(new.parent)

    def replace(self, old: Path, new: Path) -> None:
        """Not durable before the directory is synced."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Not durable before the directory is synced; several removals may become durable in any order."""
        os.unlink(path)
