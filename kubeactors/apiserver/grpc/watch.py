"""A watch with a stream of its own: the cache's shared frames, joined while the client is slower than the events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from kubeactors.api import errors
from kubeactors.apiserver.grpc.frames import FrameQueue
from kubeactors.apiserver.request import WatchStream

#: What goes into one message, in bytes, unless a single event is larger. Clients take 4 MiB by default.
MESSAGE_BYTES = 256 * 1024
TOO_SLOW = "the watcher reads more slowly than events come; watch again"


class QueueSink:
    """Keeps frames until the stream takes them. Implements `WatchSink`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames = FrameQueue()
        self._wakeup = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        #: Whether the watcher was too slow.
        self.overrun = False
        #: Whether the stream is to end.
        self.ending = False

    def deliver(self, frame: bytes) -> bool:
        self._frames.append(frame)
        self._wakeup.set()
        self._room.clear()
        if self._frames.size > self._max_bytes + len(frame):
            self.overrun = True
            return False
        return True

    async def drain(self) -> None:
        await self._room.wait()

    def wake(self, _task: object = None) -> None:
        """Make `next` look again."""
        self._wakeup.set()

    def end(self) -> None:
        """The server stops: send what is there and end the stream."""
        self.ending = True
        self._wakeup.set()

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be written."""
        return not self._frames.size

    async def next(self) -> bytes:
        """Wait, then take what has come, as much as one message holds. May be empty."""
        if not self._frames.size:
            await self._wakeup.wait()
            self._wakeup.clear()
        frame = self._frames.take(MESSAGE_BYTES)
        if not self._frames.size:
            self._room.set()
        return frame


async def run_watch(watch: WatchStream, sink: QueueSink, write: Callable[[Any], Awaitable[Any]]) -> None:
    """Write a watch's frames until it ends. Raises StatusError if the client was too slow."""
    runner = asyncio.ensure_future(watch.run(sink))
    runner.add_done_callback(sink.wake)
    try:
        while not (sink.ending or runner.done()) or not sink.empty:
            frame = await sink.next()
            if sink.overrun:
                raise errors.too_many_requests(TOO_SLOW)
            if frame:
                await write(frame)
        if runner.done():
            await runner
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
