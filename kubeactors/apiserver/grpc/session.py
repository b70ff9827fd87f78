"""The Session method: many calls on one stream, several to a frame, answered as they finish.

Bounded at both ends: a session runs at most `max_calls` calls whose answers are not yet sent. When that many are under
way nothing more is read, and HTTP/2's flow control makes the client wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from kubeactors.pb.api.v1 import api_pb2 as pb

#: A frame of answers is closed when it holds this many bytes, so that a large list does not delay small answers.
FRAME_BYTES = 256 * 1024

Answering = Callable[[pb.SessionCall], Awaitable[pb.SessionReply]]


class SessionStream:
    """One stream. `answer` makes the reply of one call and does not raise."""

    def __init__(self, answer: Answering, max_calls: int) -> None:
        self._answer = answer
        self._slots = asyncio.Semaphore(max_calls)
        self._ready: deque[pb.SessionReply] = deque()
        self._wakeup = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        #: Calls whose answer is not yet ready.
        self._running = 0
        self._read_all = False
        self._reader: asyncio.Future[None] | None = None

    def finish(self) -> None:
        """The server stops: take no more calls, answer those under way, then end the stream."""
        if self._reader is not None:
            self._reader.cancel()

    async def run(self, frames: AsyncIterator[pb.SessionCalls], write: Callable[[Any], Awaitable[Any]]) -> None:
        """Serve until the client has ended its side and every answer is sent, or until cancelled."""
        reader = self._reader = asyncio.ensure_future(self._read(frames))
        try:
            while True:
                while self._ready:
                    frame = self._next_frame()
                    await write(frame)
                    for _ in frame.replies:
                        self._slots.release()
                if self._read_all and not self._running:
                    break
                self._wakeup.clear()
                await self._wakeup.wait()
            if not reader.cancelled():
                await reader
        finally:
            reader.cancel()
            pending = [reader, *self._calls]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _read(self, frames: AsyncIterator[pb.SessionCalls]) -> None:
        try:
            async for frame in frames:
                for call in frame.calls:
                    await self._slots.acquire()
                    self._running += 1
                    task = asyncio.create_task(self._one(call))
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)
        finally:
            self._read_all = True
            self._wakeup.set()

    async def _one(self, call: pb.SessionCall) -> None:
        self._ready.append(await self._answer(call))
        self._running -= 1
        self._wakeup.set()

    def _next_frame(self) -> pb.SessionReplies:
        replies, size = [], 0
        while self._ready and size < FRAME_BYTES:
            reply = self._ready.popleft()
            replies.append(reply)
            size += reply.ByteSize()
        return pb.SessionReplies(replies=replies)
