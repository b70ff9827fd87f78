"""subPath mounts that no symbolic link can lead out of their volume.

The path is opened with openat2(RESOLVE_BENEATH) and what was opened is bind-mounted by its descriptor, so that nothing
can be swapped between check and use (CVE-2017-1002101).
"""

import os
from pathlib import Path, PurePosixPath

from nodeagent.kernel import libc
from nodeagent.volumes.interface import VolumeError

_SAFE = libc.RESOLVE_BENEATH | libc.RESOLVE_NO_MAGICLINKS


def bind_subpath(volume: Path, subpath: str, target: Path, *, create_mode: int = 0o750) -> Path:
    """Bind-mount `volume/subpath` on `target`; missing directories are made in the volume. Raises VolumeError."""
    relative = PurePosixPath(subpath)
    if relative.is_absolute() or ".." in relative.parts:
        raise VolumeError(f'subPath "{subpath}" must be relative and must not contain ".."')
    if libc.is_mount_point(str(target)):
        libc.unmount(str(target))
    descriptor = _open_beneath(volume, relative, create_mode)
    try:
        is_directory = os.path.isdir(f"/proc/self/fd/{descriptor}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_directory:
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        libc.mount(f"/proc/self/fd/{descriptor}", str(target), flags=libc.MS_BIND | libc.MS_REC)
    finally:
        os.close(descriptor)
    return target


def _open_beneath(volume: Path, relative: PurePosixPath, create_mode: int) -> int:
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth in range(1, len(relative.parts) + 1):
            path = "/".join(relative.parts[:depth])
            try:
                os.close(libc.openat2(root, path, os.O_PATH, _SAFE))
            except FileNotFoundError:
                _make_directory(root, PurePosixPath(path), create_mode)
        return libc.openat2(root, str(relative) or ".", os.O_PATH, _SAFE)
    except OSError as error:
        raise VolumeError(f"subPath {relative}: {error.strerror}") from error
    finally:
        os.close(root)


def _make_directory(root: int, path: PurePosixPath, mode: int) -> None:
    parent = libc.openat2(root, str(path.parent), os.O_PATH | os.O_DIRECTORY, _SAFE)
    try:
        os.mkdir(path.name, mode, dir_fd=parent)
    finally:
        os.close(parent)
