"""System calls that Python's standard library lacks: mount, umount2, unshare, openat2. All of them block briefly."""

import ctypes
import os
import threading
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

CLONE_NEWIPC = 0x08000000

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08

_SYS_OPENAT2 = 437  # the same number on every architecture


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError."""
    result = _libc.mount(
        source.encode(), target.encode(), fstype.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    if result != 0:
        _raise(f"mount {source} on {target}", target)


def unmount(target: str, flags: int = MNT_DETACH | UMOUNT_NOFOLLOW) -> None:
    """umount2(2), by default lazily and never through a symbolic link. Raises OSError."""
    if _libc.umount2(target.encode(), ctypes.c_int(flags)) != 0:
        _raise(f"unmount {target}", target)


def is_mount_point(path: str) -> bool:
    """Whether something is mounted exactly here, seen from the kernel's table (bind mounts included)."""
    return os.path.realpath(path) in mount_points()


def mount_points(prefix: str = "/") -> list[str]:
    """Mount points at or below `prefix`, deepest (latest) first, so that unmounting in this order works."""
    prefix = prefix.rstrip("/") or "/"
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = _unescape(line.split(" ", 5)[4])
        if prefix == "/" or point == prefix or point.startswith(prefix + "/"):
            found.append(point)
    return found[::-1]


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2): a file descriptor of `path` under `directory` with `resolve` restricting the way. Raises OSError."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    fd = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(directory),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if fd < 0:
        _raise(f"open {path}", path)
    return int(fd)


def new_ipc_namespace(path: str) -> None:
    """Make an IPC namespace and keep it alive as a bind mount on `path` (a file, made when missing). Raises OSError."""
    Path(path).touch(mode=0o600)
    failure: list[OSError] = []

    def make() -> None:
        # In a thread of its own: unshare changes the calling thread only, and the thread ends here.
        try:
            if _libc.unshare(ctypes.c_int(CLONE_NEWIPC)) != 0:
                _raise("unshare an IPC namespace", path)
            mount("/proc/thread-self/ns/ipc", path, flags=MS_BIND)
        except OSError as error:
            failure.append(error)

    thread = threading.Thread(target=make, name="new-ipc-namespace")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def _raise(what: str, path: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}", path)


def _unescape(field: str) -> str:
    """mountinfo writes blanks, tabs, newlines and backslashes as octal escapes."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
