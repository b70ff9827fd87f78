"""Watching files and directories by inotify on an asyncio loop."""

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

_libc = ctypes.CDLL(None, use_errno=True)
_HEADER = struct.Struct("iIII")

IN_MODIFY = 0x2
IN_CLOSE_WRITE = 0x8
IN_MOVED_TO = 0x80
IN_MOVE_SELF = 0x800
IN_CREATE = 0x100
IN_DELETE_SELF = 0x400
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000


@dataclass(frozen=True)
class Event:
    watch: int  # what `add` returned; -1 for an overflow of the queue
    mask: int
    name: str  # the entry of a watched directory; empty for a watched file


class Inotify:
    """One inotify descriptor; `on_events` is called on the loop with each batch. Close it when done."""

    def __init__(self, on_events: Callable[[list[Event]], None]) -> None:
        fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"inotify_init1: {os.strerror(number)}")
        self._fd: int = fd
        self._on_events = on_events
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read)

    def add(self, path: str, mask: int) -> int:
        """Watch `path`; returns the watch's number. Raises OSError (FileNotFoundError among others)."""
        watch = _libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask))
        if watch < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return int(watch)

    def remove(self, watch: int) -> None:
        """Stop a watch; one that has gone with its file is no error."""
        _libc.inotify_rm_watch(self._fd, ctypes.c_int(watch))

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        events = []
        offset = 0
        while offset < len(data):
            watch, mask, _cookie, length = _HEADER.unpack_from(data, offset)
            offset += _HEADER.size
            name = data[offset : offset + length].rstrip(b"\0")
            offset += length
            events.append(Event(watch, mask, os.fsdecode(name)))
        if events:
            self._on_events(events)
