"""One open stream to another member, from whichever end: what waits to be written, and the writing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.rpc.client import CallEnded
from kubeactors.store.raft.message import Message
from kubeactors.store.transport.codec import fill_message

FRAME_BYTES = 2 * 1024 * 1024
"""Beyond this what is handed over goes into another frame."""
MESSAGE_COST = 64
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""What may wait for a peer that does not read: as much as a leader has in flight to one follower."""

TURNS = 3
"""Turns of the loop in which answers that were decided on in one are written."""


class FrameStream(Protocol):
    """Either end of the gRPC stream."""

    @property
    def writable(self) -> bool: ...

    def put_now(self, frame: raft_pb2.Frame) -> None:
        """While `writable`. Raises CallEnded."""

    def unblocked(self) -> asyncio.Future[None]:
        """Done when `writable` is to be asked again."""
        ...

    def listen(self, received: Callable[[raft_pb2.Frame], None]) -> None:
        """`received` is called with each frame as it comes."""

    async def read(self) -> raft_pb2.Frame: ...


class Link:
    """`closed` is set for good when the stream can no longer be used; whoever opened the stream then ends it."""

    def __init__(self, peer: int, stream: FrameStream, *, dialled: bool, since: float) -> None:
        self.peer = peer
        self.stream = stream
        self.dialled = dialled
        self.since = since
        self.closed = asyncio.Event()
        self.reason = ""
        self._loop = asyncio.get_running_loop()
        self._frames: deque[tuple[raft_pb2.Frame, int]] = deque()
        self._waiting = 0
        self._writing = False
        self._later = False

    def put_message(self, message: Message, entries: bytes) -> bool:
        """False: too much is waiting, it was dropped. It leaves with `flush`."""
        frame = self._room(MESSAGE_COST + len(entries))
        if frame is None:
            return False
        fill_message(frame.messages.add(), message, entries)
        return True

    def put_forward(self, data: bytes) -> bool:
        frame = self._room(MESSAGE_COST + len(data))
        if frame is None:
            return False
        frame.forwards.append(data)
        return True

    def flush(self) -> None:
        """What waits leaves now; or when the peer has read some, or with the end of this turn of the loop if something
        has left in it already."""
        if not self._writing and self._frames and not self.closed.is_set():
            self._writing = True
            self._write()

    def flush_later(self) -> None:
        """What waits leaves soon, after the answers to clients."""
        if not self._later:
            self._later = True
            self._loop.call_soon(self._turn, TURNS)

    def _turn(self, left: int) -> None:
        if left:
            self._loop.call_soon(self._turn, left - 1)
        else:
            self._later = False
            self.flush()

    def close(self, reason: str) -> None:
        """What waits is dropped."""
        if self.closed.is_set():
            return
        self.reason = reason
        self.closed.set()
        self._frames.clear()

    def _room(self, cost: int) -> raft_pb2.Frame | None:
        """The frame that this goes into."""
        if self.closed.is_set() or (self._waiting and self._waiting + cost > MAX_WAITING_BYTES):
            return None
        self._waiting += cost
        if self._frames and self._frames[-1][1] + cost <= FRAME_BYTES:
            frame, size = self._frames[-1]
            self._frames[-1] = (frame, size + cost)
            return frame
        frame = raft_pb2.Frame()
        self._frames.append((frame, cost))
        return frame

    def _write(self) -> None:
        stream, frames = self.stream, self._frames
        try:
            while frames and stream.writable:
                frame, size = frames.popleft()
                stream.put_now(frame)
                self._waiting -= size
        except CallEnded as error:
            self.close(f"write failed: {error}")
        if frames:
            stream.unblocked().add_done_callback(self._unblocked)
        else:
            self._loop.call_soon(self._turn_ended)

    def _unblocked(self, _: object) -> None:
        if not self.closed.is_set():
            self._write()

    def _turn_ended(self) -> None:
        self._writing = False
        self.flush()
