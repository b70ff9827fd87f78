"""Many watches on one stream: the WatchMany method of protos/kubeactors/api/v1/api.proto."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import grpc

from kubeactors.api.errors import StatusError
from kubeactors.client.calls import RawEvent, WatchCall
from kubeactors.client.grpc_messages import failure, raw_events, status_error, watch_request
from kubeactors.client.grpc_session import cancelled_by_caller
from kubeactors.client.transport import ConnectionLost
from kubeactors.pb.api.v1 import api_pb2 as pb

Rpc = Any  # grpc.aio.StreamStreamCall[WatchManyRequest, WatchManyReply]; grpcio has no type information

#: Watches of one stream; servers take 1,000.
MAX_WATCHES: Final = 1000
#: Updates (of 64 KiB, or one event) of a watch that are under way or wait for its reader. It bounds what one slow
#: reader keeps in memory, and lets the others' events pass.
WINDOW: Final = 32


class _Watch:
    """What has come for one watch and waits for its reader. `ended` with or without a `failure`: nothing follows."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.batches: deque[Sequence[RawEvent]] = deque()
        self.ended = False
        self.failure: Exception | None = None
        self.unacknowledged = 0
        self._changed = asyncio.Event()

    def take(self, update: pb.WatchUpdate) -> None:
        if update.HasField("started"):
            self.batches.append(())
        if update.events:
            self.batches.append(raw_events(update))
        if update.HasField("ended"):
            self.end(_failure(update.ended) if update.ended.HasField("failure") else None)
        self._changed.set()

    def end(self, failure: Exception | None) -> None:
        if not self.ended:
            self.ended, self.failure = True, failure
            self._changed.set()

    async def next(self) -> Sequence[RawEvent] | None:
        """The next batch, None at the end. Raises what the watch failed with, after all that came before."""
        while not self.batches:
            if self.failure is not None:
                raise self.failure
            if self.ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self.batches.popleft()


class SharedWatches:
    """The watches of one connection on one stream, until it ends: then each fails with what ended it.

    A reader that is slow is sent no more than its window, and holds up nobody. A server that must keep too much for one
    ends it, which looks like a lost connection: go on from the last version.
    """

    def __init__(self, rpc: Rpc, endpoint: str) -> None:
        self._rpc = rpc
        self._endpoint = endpoint
        self._numbers = itertools.count(1)
        self._watches: dict[int, _Watch] = {}
        self._outbox: deque[pb.WatchManyRequest] = deque()
        self._wanted = asyncio.Event()
        self._over: Exception | None = None
        self._task = asyncio.create_task(self._run(), name="watches")

    @property
    def usable(self) -> bool:
        """Whether the stream lives and takes a further watch."""
        return self._over is None and len(self._watches) < MAX_WATCHES

    @property
    def over(self) -> bool:
        """The stream has ended."""
        return self._over is not None

    async def watch(self, call: WatchCall) -> AsyncGenerator[Sequence[RawEvent], None]:
        """See `Transport.watch`."""
        watch = _Watch(next(self._numbers))
        if self._over is not None:
            raise self._over
        self._watches[watch.number] = watch
        start = pb.StartWatch(id=watch.number, watch=watch_request(call), window=WINDOW)
        self._say(pb.WatchManyRequest(start=start))
        try:
            while (events := await watch.next()) is not None:
                yield events
                if events:
                    self._read_by_caller(watch)
        finally:
            if self._watches.pop(watch.number, None) is not None:
                self._say(pb.WatchManyRequest(stop=pb.StopWatch(id=watch.number)))

    async def close(self) -> None:
        """Ends every watch as a lost connection does."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._end(self._closed())  # a task that is cancelled before its first step ends nothing

    def _closed(self) -> ConnectionLost:
        return ConnectionLost(f"{self._endpoint}: the connection was closed", sent=True)

    def _end(self, how: Exception) -> None:
        if self._over is None:
            self._over = how
            self._outbox.clear()
            for watch in self._watches.values():
                watch.end(how)
            self._watches.clear()

    def _read_by_caller(self, watch: _Watch) -> None:
        """A batch is done with; half a window is acknowledged at once."""
        watch.unacknowledged += 1
        if watch.unacknowledged >= WINDOW // 2 and watch.number in self._watches:
            done = pb.AcknowledgeEvents(id=watch.number, updates=watch.unacknowledged)
            watch.unacknowledged = 0
            self._say(pb.WatchManyRequest(acknowledge=done))

    def _say(self, message: pb.WatchManyRequest) -> None:
        if self._over is None:
            self._outbox.append(message)
            self._wanted.set()

    async def _run(self) -> None:
        tasks = []
        ended: Exception = self._closed()
        try:
            await self._rpc.wait_for_connection()
            tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            ended = ConnectionLost(f"{self._endpoint}: the server ended the watches", sent=True)
        except grpc.aio.AioRpcError as error:
            ended = failure(error, self._endpoint)
        except asyncio.InvalidStateError:  # a write to a stream that is over
            ended = ConnectionLost(f"{self._endpoint}: the server ended the watches", sent=True)
        except asyncio.CancelledError:
            if cancelled_by_caller():
                raise
        finally:
            self._rpc.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._end(ended)

    async def _write(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._outbox:
                await self._rpc.write(self._outbox.popleft())

    async def _read(self) -> None:
        while (reply := await self._rpc.read()) is not grpc.aio.EOF:
            for update in reply.updates:
                watch = self._watches.get(update.id)
                if watch is None:
                    continue  # its reader has left
                watch.take(update)
                if watch.ended:
                    del self._watches[update.id]


def _failure(ended: pb.WatchEnded) -> StatusError | ConnectionLost:
    if ended.failure.code == 429:
        return ConnectionLost(ended.failure.message, sent=True)
    return status_error(ended.failure)
