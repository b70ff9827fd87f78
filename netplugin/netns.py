"""Network namespaces as files, and work inside them.

setns(2) and unshare(2) change the calling thread for good, so each piece of work in a namespace has a thread of its
own that ends with it; no thread of a pool ever leaves its namespace. Blocking: call from worker threads.
"""

import ctypes
import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_MS_BIND = 4096
_MS_REC = 16384
_MS_SHARED = 1 << 20
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)


def create(path: Path, work: Callable[[], T]) -> T:
    """Make a network namespace that lives as long as `path` is mounted, and run `work` in it. Raises OSError."""

    share(path.parent)

    def make() -> T:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare", path)
        path.touch(exist_ok=False)
        try:
            source = f"/proc/self/task/{threading.get_native_id()}/ns/net".encode()
            _check(_libc.mount(source, bytes(path), b"none", _MS_BIND, None), "mount", path)
        except BaseException:
            path.unlink()
            raise
        return work()

    return _in_thread(make)


def share(directory: Path) -> None:
    """Make the directory of namespaces a mount with shared propagation, as `ip netns add` does.

    Without it the first `ip netns add` of anybody would bind the directory, and all that is mounted below, onto itself:
    each namespace would then be mounted twice and could not be removed. Idempotent. Raises OSError.
    """
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # iproute2 takes the same lock
        name = bytes(directory)
        if _libc.mount(b"", name, b"none", _MS_SHARED | _MS_REC, None) == 0:
            return
        if ctypes.get_errno() != errno.EINVAL:  # EINVAL: not a mount yet
            _check(-1, "mount", directory)
        _check(_libc.mount(name, name, b"none", _MS_BIND | _MS_REC, None), "mount", directory)
        _check(_libc.mount(b"", name, b"none", _MS_SHARED | _MS_REC, None), "mount", directory)
    finally:
        os.close(lock)


def run(path: Path | str, work: Callable[[], T]) -> T:
    """Run `work` in the namespace that `path` names. Raises OSError when that is none."""

    def enter_and_work() -> T:
        enter(path)
        return work()

    return _in_thread(enter_and_work)


def enter(path: Path | str) -> None:
    """Move the calling thread for good: for a thread that does nothing else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, _CLONE_NEWNET), "setns", path)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Unmount and remove the file. The namespace ends when nothing uses it any more. Idempotent."""
    while True:
        try:
            _check(_libc.umount2(bytes(path), _MNT_DETACH), "umount", path)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # not mounted (any more), or no file
                break
            raise
    path.unlink(missing_ok=True)


def exists(path: Path) -> bool:
    """Whether the file is a mounted namespace (and not one that a crash left empty)."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def _check(result: int, call: str, path: Path | str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}", str(path))


def _in_thread(work: Callable[[], T]) -> T:
    results: list[T] = []
    failures: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    thread = threading.Thread(target=body, name="netns")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
