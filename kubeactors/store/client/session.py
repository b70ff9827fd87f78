"""The session stream's client side: concurrent calls share frames, answers come back in any order.

One member is asked at a time. When it dies, falls silent, stops, or has no leader for a while, the next one is. A call
that was never handed to a member, or that one has refused unapplied, goes to the next; so does a read that was handed
over. A write that was handed over when the connection broke fails with an unknown outcome.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import deque
from collections.abc import Sequence

import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.store.v1 import session_pb2
from kubeactors.rpc.client import CallEnded
from kubeactors.store import errors
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.client.stream import SessionStream, open_session
from kubeactors.store.client.transport import Method, SessionNotOffered

logger = logging.getLogger(__name__)

FRAME_BYTES = 512 * 1024
UNIMPLEMENTED = 12
CONNECT_TIMEOUT = 5.0
HASTY_TIMEOUT = 1.0
"""How long a member may take to welcome us while there are others that were not asked yet."""
BACKOFF_FIRST, BACKOFF_LAST = 0.05, 2.0
REPEAT_FIRST, REPEAT_LAST = 0.02, 1.0
SWEEP_SECONDS = 0.1
"""How often calls are looked through for those that have waited too long; a timer for each costs 10 µs."""
STAY = frozenset({"etcdserver: leader changed"})
"""Refusals after which the same member may be asked again; after others another member is."""


class _Call:
    __slots__ = ("attempts", "deadline", "future", "method", "request", "sent", "size", "timeout")

    def __init__(
        self, method: Method, request: Message, future: asyncio.Future[Message], timeout: float, deadline: float
    ) -> None:
        self.method = method
        self.request = request
        self.future = future
        self.size = request.ByteSize()
        self.timeout = timeout
        self.deadline = deadline
        self.sent = False
        self.attempts = 0

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Connection:
    """A session with one member. `leave` is set when another member should be asked from now on."""

    def __init__(self, endpoint: str, stream: SessionStream, first: session_pb2.ReplyFrame) -> None:
        self.endpoint = endpoint
        self.stream = stream
        self.window = first.welcome.window
        self.max_request_bytes = first.welcome.max_request_bytes
        self.no_leader = first.no_leader
        self.inflight: dict[int, _Call] = {}
        self.leave = asyncio.Event()
        self.empty = asyncio.Event()


class SessionTransport:
    """Calls over one session stream, reconnected as long as there is something to ask.

    `endpoints` may change meanwhile; the next connection is made to what it then holds.
    """

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None) -> None:
        self._endpoints = endpoints
        self._tls = tls
        self._queue: deque[_Call] = deque()
        self._unanswered: dict[_Call, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._next_id = 1
        self._work = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._closed = False
        self._max_request_bytes = 0
        self._last_error = "not connected yet"

    async def call(self, method: Method, request: Message, timeout: float) -> Message:
        if self._closed:
            raise errors.StoreUnavailable("the store client is closed", outcome_unknown=False)
        loop = asyncio.get_running_loop()
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run(), name="store-session")
        call = _Call(method, request, loop.create_future(), timeout, loop.time() + timeout)
        if self._max_request_bytes and call.size > self._max_request_bytes:
            raise errors.RequestTooLarge
        self._unanswered[call] = None
        if self._sweeper is None:
            self._sweeper = loop.call_later(min(timeout, SWEEP_SECONDS), self._sweep)
        self._queue.append(call)
        self._work.set()
        try:
            return await call.future
        finally:
            del self._unanswered[call]

    async def close(self) -> None:
        self._closed = True
        closed = "the store client is closed"
        waiting = [call for connection in self._connections.values() for call in connection.inflight.values()]
        for call in [*waiting, *self._queue]:
            call.fail(errors.StoreUnavailable(closed, outcome_unknown=call.sent and not call.method.repeatable))
        tasks = [task for task in (self._runner, *self._connections) if task is not None]
        for task in tasks:
            task.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runner = None
        self._queue.clear()

    def _sweep(self) -> None:
        if not self._unanswered:
            self._sweeper = None
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for call in self._unanswered:
            if call.deadline <= now:
                self._expire(call)
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _expire(self, call: _Call) -> None:
        unknown = call.sent and not call.method.repeatable
        text = f"no answer from the store within {call.timeout:g} s"
        if not call.sent:
            text += f" ({self._last_error})"
        call.fail(errors.StoreUnavailable(text, outcome_unknown=unknown))

    # ---- one member after the other ----

    async def _run(self) -> None:
        failures = turn = 0
        while True:
            while not self._queue:
                self._work.clear()
                await self._work.wait()
            others = len(self._endpoints) - 1
            endpoint = self._endpoints[turn % len(self._endpoints)]
            try:
                connection = await self._connect(endpoint, HASTY_TIMEOUT if failures < others else CONNECT_TIMEOUT)
            except SessionNotOffered as error:
                for call in self._queue:
                    call.fail(error)
                self._queue.clear()
                return
            if connection is not None and connection.no_leader and failures < others:
                self._last_error = f"{endpoint}: it has no leader"
                connection.stream.close()
                connection = None
            if connection is not None:
                failures = 0
                await self._use(connection)
            else:
                failures += 1
                if failures > others:
                    delay = min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** min(failures - others, 10))
                    await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            turn += 1

    async def _connect(self, endpoint: str, timeout: float) -> _Connection | None:
        """None: the member did not welcome us; `_last_error` says why. Raises SessionNotOffered."""
        stream: SessionStream | None = None
        welcomed = False
        try:
            async with asyncio.timeout(timeout):
                stream = await open_session(endpoint, self._tls)
                first = await stream.read()
            if first is grpc.aio.EOF:
                raise ConnectionError("the member closed the session at once")
            welcomed = True
            logger.debug("session with %s open", endpoint)
            self._max_request_bytes = first.welcome.max_request_bytes
            return _Connection(endpoint, stream, first)
        except CallEnded as error:
            self._last_error = f"{endpoint}: {error}"
            if error.code == UNIMPLEMENTED:
                raise SessionNotOffered from None
        except TimeoutError:
            self._last_error = f"{endpoint}: no answer"
        except OSError as error:
            # asyncio's own words for a failed connect do not say why, uvloop's do.
            why = os.strerror(error.errno).lower() if isinstance(error, ConnectionError) and error.errno else error
            self._last_error = f"{endpoint}: {why}"
        finally:
            if stream is not None and not welcomed:
                stream.close()
        logger.info("no store session: %s", self._last_error)
        return None

    async def _use(self, connection: _Connection) -> None:
        """Until it is broken or to be left. What was asked there is waited for in the background."""
        loop = asyncio.get_running_loop()
        reader = loop.create_task(self._keep(connection), name="store-session-read")
        self._connections[reader] = connection
        reader.add_done_callback(lambda task: self._connections.pop(task, None))
        writer = loop.create_task(self._write(connection), name="store-session-write")
        leaving = loop.create_task(connection.leave.wait())
        try:
            await asyncio.wait({reader, writer, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # A write that is cut off in the middle breaks the stream, so it is let end.
            connection.leave.set()
            self._work.set()
            leaving.cancel()
            if not reader.done():
                await asyncio.wait({writer}, timeout=HASTY_TIMEOUT)
            writer.cancel()
            await asyncio.gather(writer, leaving, return_exceptions=True)
            self._take_back_reads(connection)

    def _take_back_reads(self, connection: _Connection) -> None:
        again = {number: call for number, call in connection.inflight.items() if call.method.repeatable}
        for number in again:
            del connection.inflight[number]
        self._queue.extendleft(reversed(again.values()))
        if not connection.inflight:
            connection.empty.set()

    async def _keep(self, connection: _Connection) -> None:
        """Read until the stream ends, or everything is answered there and it was left."""
        reason = "the member closed the session"
        reader = asyncio.create_task(self._read(connection))
        left = asyncio.create_task(connection.empty.wait())
        try:
            await asyncio.wait({reader, left}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
            else:
                reason = "another member is asked"
                await connection.stream.done_writing()
                await asyncio.wait({reader}, timeout=HASTY_TIMEOUT)
        except CallEnded as error:
            reason = str(error)
        finally:
            reader.cancel()
            left.cancel()
            await asyncio.gather(reader, left, return_exceptions=True)
            self._last_error = f"{connection.endpoint}: {reason}"
            connection.leave.set()  # first: what is asked from now on must not go into this one any more
            self._disconnected(connection)
            connection.stream.close()
            logger.info("store session ended: %s", self._last_error)

    def _disconnected(self, connection: _Connection) -> None:
        again: list[_Call] = []
        for call in connection.inflight.values():
            if call.method.repeatable:
                again.append(call)
            else:
                text = f"connection to the store broke before the answer ({self._last_error})"
                call.fail(errors.StoreUnavailable(text, outcome_unknown=True))
        connection.inflight.clear()
        self._queue.extendleft(reversed(again))
        self._work.set()

    # ---- frames ----

    async def _write(self, connection: _Connection) -> None:
        queue, inflight, window = self._queue, connection.inflight, connection.window
        leave = connection.leave
        while not leave.is_set():
            while not queue or len(inflight) >= window:
                self._work.clear()
                await self._work.wait()
                if leave.is_set():
                    return
            frame = session_pb2.CallFrame()
            size = 0
            while queue and len(inflight) < window and size < FRAME_BYTES:
                call = queue.popleft()
                if call.future.done():
                    continue
                size += call.size
                call_id = self._next_id
                self._next_id += 1
                call.sent = True
                inflight[call_id] = call
                frame.calls.add(id=call_id, **{call.method.field: call.request})
            if frame.calls:
                await connection.stream.write(frame)

    async def _read(self, connection: _Connection) -> None:
        stream, inflight = connection.stream, connection.inflight
        while True:
            frame = await stream.read()
            if frame is grpc.aio.EOF:
                return
            for reply in frame.replies:
                call = inflight.pop(reply.id, None)
                if call is None or call.future.done():
                    continue
                which = reply.WhichOneof("response")
                if which == call.method.field:
                    call.future.set_result(getattr(reply, which))
                elif which == "error":
                    self._refused(connection, call, reply.error)
                else:
                    call.fail(errors.StoreError(f"the store answered {call.method.field} with {which}"))
            if frame.going_away or (frame.no_leader and len(self._endpoints) > 1):
                self._last_error = f"{connection.endpoint}: it {'stops' if frame.going_away else 'has no leader'}"
                connection.leave.set()
            if connection.leave.is_set() and not inflight:
                connection.empty.set()
            if self._queue:
                self._work.set()

    def _refused(self, connection: _Connection, call: _Call, error: session_pb2.Error) -> None:
        if error.code == errors.UNAVAILABLE and not error.outcome_unknown:
            # Surely not applied: asked again until its deadline.
            call.sent = False
            self._last_error = f"{connection.endpoint}: {error.message}"
            if len(self._endpoints) > 1 and error.message not in STAY:
                connection.leave.set()
            delay = min(REPEAT_LAST, REPEAT_FIRST * 2**call.attempts) * random.uniform(0.5, 1.0)
            call.attempts += 1
            asyncio.get_running_loop().call_later(delay, self._again, call)
            return
        call.fail(
            errors.from_wire(
                error.code,
                error.message,
                outcome_unknown=error.outcome_unknown,
                compact_revision=error.compact_revision,
            ),
        )

    def _again(self, call: _Call) -> None:
        if self._closed:
            call.fail(errors.StoreUnavailable("the store client is closed", outcome_unknown=False))
        elif not call.future.done():
            self._queue.append(call)
            self._work.set()
