"""The WatchMany method: many watches on one stream.

Each watch has a queue and gets its turn in a ring, a piece at a time, so that one with much to say does not hold up the
others. Bounded everywhere: a watch that is too far behind is closed, and so is the one that is furthest behind when all
of a stream's watches together are; a watch whose client must acknowledge is sent no more than its window.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import orjson

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.grpc.errors import status_message
from kubeactors.apiserver.grpc.frames import FrameQueue, split_failure
from kubeactors.apiserver.grpc.watch import MESSAGE_BYTES, TOO_SLOW
from kubeactors.apiserver.request import WatchStream
from kubeactors.pb.api.v1 import api_pb2 as pb

#: Watches of one stream.
MAX_WATCHES = 1000
# What a watch may say in its turn, in bytes.
_TURN = 64 * 1024
# The bound of all the stream's watches together, in those of one.
_SHARE = 4

#: Sets a watch up: (the watch, warnings), for as long as it lasts. Raises StatusError.
Open = Callable[[pb.WatchRequest], AbstractAsyncContextManager[tuple[WatchStream, Sequence[str]]]]


class _Watch:
    """One watch of the stream. Implements `WatchSink`."""

    def __init__(self, stream: WatchManyStream, message: pb.StartWatch) -> None:
        self._stream = stream
        self._window = message.window
        self._unacknowledged = 0
        self._id = pb.WatchUpdate(id=message.id).SerializeToString()
        self.id = message.id
        self.frames = FrameQueue()
        self.room = asyncio.Event()
        self.room.set()
        self.task: asyncio.Task[None] | None = None
        #: Serialized fields of WatchUpdate that go before and after the events.
        self._before = self._after = b""
        self.over = False

    def deliver(self, frame: bytes) -> bool:
        if self.over:
            return False
        frame, failure = split_failure(frame)
        if frame:
            self.frames.append(frame)
            self.room.clear()
            self._stream.grown(self, len(frame))
        if failure is not None:
            self.end(orjson.loads(failure))
        elif not self.over:
            self._stream.ready(self)
        return not self.over

    async def drain(self) -> None:
        await self.room.wait()

    def started(self, warnings: Sequence[str]) -> None:
        started = pb.WatchStarted(warnings=warnings)
        self._before = pb.WatchUpdate(started=started).SerializeToString()
        self._stream.ready(self)

    def end(self, failure: dict[str, Any] | None = None, *, drop: bool = False) -> None:
        """The watch is over; what it has still to say is sent, unless `drop`. Safe to call again."""
        if self.over:
            return
        self.over = True
        ended = pb.WatchEnded(failure=status_message(failure) if failure is not None else None)
        self._after = pb.WatchUpdate(ended=ended).SerializeToString()
        if drop:
            self._stream.shrunk(self.frames.size)
            self.frames.clear()
        self.room.set()
        self._stream.ready(self)

    def acknowledge(self, updates: int) -> None:
        self._unacknowledged = max(0, self._unacknowledged - updates)
        self._stream.ready(self)

    @property
    def blocked(self) -> bool:
        """Whether its client must acknowledge before it gets more events."""
        return bool(self._window) and self._unacknowledged >= self._window

    def update(self) -> bytes:
        """What it says in its turn, as a serialized WatchUpdate; empty if it has nothing to say or must not."""
        update, self._before = self._before, b""
        if self.frames.size and not self.blocked:
            events = self.frames.take(_TURN)
            self._stream.shrunk(len(events))
            self._unacknowledged += 1
            update += events
        if not self.frames.size:
            self.room.set()
            update += self._after
            self._after = b""
        return update + self._id if update else b""

    @property
    def more(self) -> bool:
        """Whether it wants another turn at once."""
        return bool(self._after) and not self.frames.size if self.blocked else bool(self.frames.size or self._after)

    @property
    def done(self) -> bool:
        """Whether everything was said."""
        return self.over and not self.frames.size and not self._after


class WatchManyStream:
    """One stream. `open_watch` sets a watch up; `max_bytes` bounds what waits for one watch's client; `fault` words an
    error that nobody expected."""

    def __init__(self, open_watch: Open, max_bytes: int, fault: Callable[[Exception], StatusError]) -> None:
        self._open = open_watch
        self._fault = fault
        self._max_bytes = max_bytes
        self._watches: dict[int, _Watch] = {}
        self._ring: dict[_Watch, None] = {}
        self._size = 0
        self._wakeup = asyncio.Event()
        self._read_all = False
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    def finish(self) -> None:
        """The server stops: send what is there, then end the stream."""
        self._ending = True
        self._wakeup.set()

    async def run(self, commands: AsyncIterator[pb.WatchManyRequest], write: Callable[[Any], Awaitable[Any]]) -> None:
        """Serve until the client has ended its side and every watch is over, or until cancelled.

        Raises StatusError for a command that makes no sense.
        """
        reader = asyncio.ensure_future(self._read(commands))
        try:
            while True:
                while message := self._message():
                    await write(message)
                if reader.done() and not reader.cancelled():
                    reader.result()
                if self._ending or (self._read_all and not self._watches):
                    return
                self._wakeup.clear()
                if not self._ring:
                    await self._wakeup.wait()
        finally:
            pending = [reader, *self._tasks]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    # --- what the watches call

    def ready(self, watch: _Watch) -> None:
        """It has something to say."""
        self._ring[watch] = None
        self._wakeup.set()

    def grown(self, watch: _Watch, size: int) -> None:
        """Something waits for its client: what is too much is closed."""
        self._size += size
        slow = None
        if watch.frames.size > self._max_bytes + size:
            slow = watch
        elif self._size > _SHARE * self._max_bytes + size:
            slow = max(self._watches.values(), key=lambda each: each.frames.size)
        if slow is not None:
            self._close(slow, errors.too_many_requests(TOO_SLOW))

    def shrunk(self, size: int) -> None:
        self._size -= size

    # --- parts

    def _message(self) -> bytes:
        """A serialized WatchManyReply of what is to be said, one turn each; empty if there is nothing."""
        parts: list[bytes] = []
        size = 0
        for watch in list(self._ring):
            del self._ring[watch]
            update = watch.update()
            if update:
                parts += (b"\n", _varint(len(update)), update)
                size += len(update)
            if watch.done:
                if self._watches.get(watch.id) is watch:
                    del self._watches[watch.id]
            elif watch.more:
                self._ring[watch] = None
            if size >= MESSAGE_BYTES:
                break
        return b"".join(parts)

    async def _read(self, commands: AsyncIterator[pb.WatchManyRequest]) -> None:
        try:
            async for message in commands:
                self._command(message)
        finally:
            self._read_all = True
            self._wakeup.set()

    def _command(self, message: pb.WatchManyRequest) -> None:
        which = message.WhichOneof("command")
        if which == "start":
            self._start(message.start)
        elif which == "stop":
            watch = self._watches.get(message.stop.id)
            if watch is not None:
                self._close(watch, None)
        elif which == "acknowledge":
            watch = self._watches.get(message.acknowledge.id)
            if watch is not None:
                watch.acknowledge(message.acknowledge.updates)
        else:
            raise errors.bad_request("a message must hold a command that this server knows")

    def _start(self, message: pb.StartWatch) -> None:
        if message.id in self._watches:
            raise errors.bad_request(f"the watch {message.id} is under way")
        watch = self._watches[message.id] = _Watch(self, message)
        if len(self._watches) > MAX_WATCHES:
            watch.end(errors.too_many_requests(f"a stream has at most {MAX_WATCHES} watches").status)
            return
        watch.task = asyncio.create_task(self._serve(watch, message.watch), name="watch")
        self._tasks.add(watch.task)
        watch.task.add_done_callback(self._tasks.discard)

    async def _serve(self, watch: _Watch, message: pb.WatchRequest) -> None:
        try:
            async with self._open(message) as (stream, warnings):
                watch.started(warnings)
                await stream.run(watch)
            watch.end()
        except StatusError as error:
            watch.end(error.status)
        except Exception as error:  # noqa: BLE001  a fault in one watch must not end the others
            watch.end(self._fault(error).status)

    @staticmethod
    def _close(watch: _Watch, error: StatusError | None) -> None:
        watch.end(error.status if error is not None else None, drop=True)
        if watch.task is not None:
            watch.task.cancel()


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
