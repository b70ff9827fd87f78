"""One open stream to another member, from whichever end: what waits to be written, and the writing."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.store.raft.message import Message
from kubeactors.store.rpc.client import CallEnded
from kubeactors.store.transport.codec import fill_message
from kubeactors.store.transport.eager import start_now

logger = logging.getLogger(__name__)

FRAME_BYTES = 2 * 1024 * 1024
"""Beyond this what is handed over goes into another frame."""
MESSAGE_COST = 64
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""What may wait for a peer that does not read: as much as a leader has in flight to one follower."""

Write = Callable[[raft_pb2.Frame], Awaitable[None]]


class Link:
    """`write` puts one frame on the stream and returns once the stream has taken it. `closed` is set for good when the
    stream can no longer be used; whoever opened the stream then ends it."""

    def __init__(self, peer: int, write: Write, *, dialled: bool, since: float) -> None:
        self.peer = peer
        self.dialled = dialled
        self.since = since
        self.closed = asyncio.Event()
        self.reason = ""
        self._write = write
        self._frames: deque[tuple[raft_pb2.Frame, int]] = deque()
        self._waiting = 0
        self._writing = False
        self._task: asyncio.Task[None] | None = None

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
        """What waits leaves now; or with the end of the write that is under way, or of this turn of the loop if
        something has left in it already."""
        if self._writing or self.closed.is_set() or not self._frames:
            return
        self._writing = True
        self._task = start_now(self._drain(), "store-peer-write")

    def close(self, reason: str) -> None:
        """What waits is dropped."""
        if self.closed.is_set():
            return
        self.reason = reason
        self.closed.set()
        self._frames.clear()
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Returns once nothing of the closed link runs any more."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

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

    async def _drain(self) -> None:
        try:
            while self._frames:
                frame, size = self._frames.popleft()
                await self._write(frame)
                self._waiting -= size
        except asyncio.CancelledError:
            self.close("the stream ended")
            raise
        except CallEnded as error:
            self.close(f"write failed: {error}")
        except Exception as error:
            logger.exception("a frame for member %x could not be written", self.peer)
            self.close(f"write failed: {error!r}")
        finally:
            asyncio.get_running_loop().call_soon(self._turn_ended)

    def _turn_ended(self) -> None:
        self._writing = False
        self.flush()
