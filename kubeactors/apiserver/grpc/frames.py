"""Watch frames that wait for a stream.

A frame is a serialized WatchFrame: its events one after the other, each with field number and length. So frames put
one after the other are one frame, and a frame can be cut between two events without decoding it.
"""

from __future__ import annotations

from collections import deque

from kubeactors.pb.api.v1 import api_pb2 as pb

# `events` is the first field of WatchFrame and of WatchUpdate alike.
_EVENT = 0x0A
# How an event of type ERROR begins. JSON has no raw control characters, so this is in no object.
_ERROR = b"\n\x05ERROR"


class FrameQueue:
    """Frames of one watch. `size` is how many bytes wait."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self.size = 0

    def append(self, frame: bytes) -> None:
        self._frames.append(frame)
        self.size += len(frame)

    def clear(self) -> None:
        self._frames.clear()
        self.size = 0

    def take(self, limit: int) -> bytes:
        """The next events, `limit` bytes of them at most, but at least one; empty if there are none."""
        frames = self._frames
        if frames and len(frames[0]) > limit:
            frames.extendleft(reversed(cut(frames.popleft(), limit)))
        if not frames:
            return b""
        taken = [frames.popleft()]
        size = len(taken[0])
        while frames and size + len(frames[0]) <= limit:
            size += len(frames[0])
            taken.append(frames.popleft())
        self.size -= size
        return taken[0] if len(taken) == 1 else b"".join(taken)


def cut(frame: bytes, limit: int) -> list[bytes]:
    """The frame in parts of `limit` bytes at most, or of one event."""
    parts: list[bytes] = []
    begin = at = 0
    while at < len(frame):
        end = _end(frame, at)
        if end - begin > limit and at > begin:
            parts.append(frame[begin:at])
            begin = at
        at = end
    parts.append(frame[begin:])
    return parts


def split_failure(frame: bytes) -> tuple[bytes, bytes | None]:
    """(the events, the Status document of the ERROR with which the frame ends or None)."""
    if _ERROR not in frame:
        return frame, None
    events = pb.WatchFrame.FromString(frame).events
    failure = next((event.object for event in events if event.type == "ERROR"), None)
    others = pb.WatchFrame(events=[event for event in events if event.type != "ERROR"])
    return others.SerializeToString(), failure


def _end(frame: bytes, at: int) -> int:
    """Where the event that begins at `at` ends."""
    if frame[at] != _EVENT:
        raise ValueError("not a frame of events")
    length = shift = 0
    while True:
        at += 1
        byte = frame[at]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return at + 1 + length
