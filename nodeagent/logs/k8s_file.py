"""conmon's k8s-file format: `TIME STREAM P|F TEXT` lines (the CRI log format). Pure, but for `last_lines`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log file. `complete` says that a newline of the program followed."""

    time: str  # RFC 3339 with nanoseconds, as Kubernetes prints it
    stream: str  # stdout or stderr
    complete: bool
    text: bytes


def parse_line(line: bytes) -> Entry | None:
    """An entry from a line without its newline; None for what is none."""
    parts = line.split(b" ", 3)
    if len(parts) < 3:
        return None
    text = parts[3] if len(parts) == 4 else b""
    time = parts[0].decode(errors="replace")
    if time.endswith("+00:00"):
        time = time[:-6] + "Z"
    return Entry(time, parts[1].decode(errors="replace"), not parts[2].startswith(b"P"), text)


def render(entry: Entry, timestamps: bool) -> bytes:
    """What a reader of the log gets of an entry."""
    end = b"\n" if entry.complete else b""
    return (entry.time.encode() + b" " if timestamps else b"") + entry.text + end


def last_lines(path: Path, lines: int, limit: int) -> bytes:
    """The last lines of the program's output, at most `limit` bytes; empty when there is no log. Blocks."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            # Each line bears a time and a stream's name: read generously.
            start = max(0, stream.tell() - limit - 200 * lines)
            stream.seek(start)
            data = stream.read()
    except FileNotFoundError:
        return b""
    if start:
        data = data.partition(b"\n")[2]
    entries = [entry for line in data.splitlines() if (entry := parse_line(line)) is not None]
    return b"".join(render(entry, False) for entry in entries[-lines:])[-limit:]
