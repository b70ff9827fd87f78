"""Reading a container's log: the tail, since a time, and following it as it grows (by inotify, across rotation)."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from kubeactors.api.meta import parse_time
from nodeagent.kernel.inotify import IN_CREATE, IN_MODIFY, IN_MOVE_SELF, IN_MOVED_TO, Inotify
from nodeagent.logs.k8s_file import Entry, parse_line, render
from nodeagent.waiting import wait_event

_CHUNK = 64 * 1024
_TAIL_BLOCK = 64 * 1024
#: After the container's end its monitor may still be copying the last output, in seconds.
_DRAIN = 1.0


@dataclass(frozen=True)
class LogOptions:
    """What is wanted of a log. `since` is an aware time."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None


class _Selection:
    """Applies `since`, `timestamps` and `limit_bytes` to entries."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit_bytes
        self._stamped = True  # whether the next entry begins a line of its own

    @property
    def exhausted(self) -> bool:
        return self._left is not None and self._left <= 0

    def take(self, lines: list[bytes]) -> bytes:
        out = bytearray()
        for line in lines:
            entry = parse_line(line)
            if entry is None or self._is_too_old(entry):
                continue
            data = render(entry, self._options.timestamps and self._stamped)
            self._stamped = entry.complete
            if self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            out += data
            if self.exhausted:
                break
        return bytes(out)

    def _is_too_old(self, entry: Entry) -> bool:
        if self._options.since is None:
            return False
        try:
            # datetime has microseconds: cut the nanoseconds.
            return parse_time(entry.time[:26].rstrip("Z") + "+00:00") < self._options.since
        except ValueError:
            return False


async def read_log(path: Path, options: LogOptions, is_running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log's bytes in pieces. Following ends when the container has ended and everything was read.

    Raises FileNotFoundError when there is no log.
    """
    changed = asyncio.Event()
    watcher = Inotify(lambda _events: changed.set()) if options.follow else None
    stream: BinaryIO | None = None
    try:
        if watcher is not None:
            watcher.add(str(path.parent), IN_CREATE | IN_MOVED_TO)
            with contextlib.suppress(FileNotFoundError):
                watcher.add(str(path), IN_MODIFY | IN_MOVE_SELF)
        stream = await asyncio.to_thread(_open, path, options.tail_lines)
        selection = _Selection(options)
        rest = b""
        follows = options.follow and is_running()
        while True:
            changed.clear()
            running = is_running()
            data = await asyncio.to_thread(stream.read, _CHUNK)
            if data:
                *lines, rest = (rest + data).split(b"\n")
                if piece := selection.take(lines):
                    yield piece
                if selection.exhausted:
                    return
                continue
            if watcher is None or not follows:
                return
            newer = await asyncio.to_thread(_reopened, path, stream)
            if newer is not None:
                # Rotated: the old file was read to its end after the new one appeared.
                if last := await asyncio.to_thread(stream.read):
                    *lines, rest = (rest + last).split(b"\n")
                    yield selection.take(lines)
                stream.close()
                stream, rest = newer, b""
                watcher.add(str(path), IN_MODIFY | IN_MOVE_SELF)
                continue
            # While it runs, the end of the container is looked for now and then; output comes by inotify.
            if not await wait_event(changed, _DRAIN) and not running and not is_running():
                return
    finally:
        if stream is not None:
            stream.close()
        if watcher is not None:
            watcher.close()


def _open(path: Path, tail_lines: int | None) -> BinaryIO:
    stream = path.open("rb")
    if tail_lines is not None:
        stream.seek(_tail_offset(stream, tail_lines))
    return stream


def _tail_offset(stream: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines of the program begin; a line may be several entries of the file."""
    end = position = _end_of_entries(stream)
    if lines <= 0:
        return end
    found, rest = 0, b""
    begin: int | None = None  # of the earliest entry seen so far
    while position > 0:
        step = min(_TAIL_BLOCK, position)
        position -= step
        stream.seek(position)
        data = stream.read(step) + rest
        # A block begins with the end of an entry that begins before it.
        cut = 0 if position == 0 else data.find(b"\n") + 1 or len(data)
        rest = data[:cut]
        offset = position + len(data) + 1
        for line in reversed(data[cut:].split(b"\n")):
            offset -= len(line) + 1
            entry = parse_line(line)
            if entry is None:
                continue
            if begin is not None and entry.complete:  # so the entry after it begins a line of the program
                found += 1
                if found == lines:
                    return begin
            begin = offset
    return end if begin is None else begin


def _end_of_entries(stream: BinaryIO) -> int:
    """Where the last whole entry ends: behind it may be one that is just being written."""
    position = stream.seek(0, os.SEEK_END)
    while position > 0:
        step = min(_TAIL_BLOCK, position)
        position -= step
        stream.seek(position)
        if (last := stream.read(step).rfind(b"\n")) >= 0:
            return position + last + 1
    return 0


def _reopened(path: Path, stream: BinaryIO) -> BinaryIO | None:
    """The file that has taken the place of the open one, if any."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    now = os.fstat(stream.fileno())
    return path.open("rb") if (found.st_ino, found.st_dev) != (now.st_ino, now.st_dev) else None
