"""The session stream's client side: concurrent calls share frames, answers come back in any order.

A call that was never handed to a member waits for the next connection until its deadline. A call that was handed over
when the connection broke is repeated if that does no harm (reads), else it fails with an unknown outcome.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.store.v1 import session_pb2, session_pb2_grpc
from kubeactors.store import errors
from kubeactors.store.client.channel import TlsFiles, open_channel
from kubeactors.store.client.transport import Method, SessionNotOffered

logger = logging.getLogger(__name__)

FRAME_BYTES = 512 * 1024
CONNECT_TIMEOUT = 5.0
BACKOFF_FIRST, BACKOFF_LAST = 0.05, 2.0


class _Call:
    __slots__ = ("future", "method", "request", "sent", "size")

    def __init__(self, method: Method, request: Message, future: asyncio.Future[Message]) -> None:
        self.method = method
        self.request = request
        self.future = future
        self.size = request.ByteSize()
        self.sent = False


class SessionTransport:
    """Calls over one session stream, reconnected as long as there is something to ask."""

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None) -> None:
        self._endpoints = list(endpoints)
        self._tls = tls
        self._queue: deque[_Call] = deque()
        self._deferred: list[_Call] = []  # refused unapplied by a stopping member: for the next connection
        self._inflight: dict[int, _Call] = {}
        self._next_id = 1
        self._work = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._closed = False
        self._max_request_bytes = 0
        self._last_error = "not connected yet"

    async def call(self, method: Method, request: Message, timeout: float) -> Message:
        if self._closed:
            raise errors.StoreUnavailable("the store client is closed", outcome_unknown=False)
        loop = asyncio.get_running_loop()
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run(), name="store-session")
        call = _Call(method, request, loop.create_future())
        if self._max_request_bytes and call.size > self._max_request_bytes:
            raise errors.RequestTooLarge
        timer = loop.call_later(timeout, self._expire, call, timeout)
        self._queue.append(call)
        self._work.set()
        try:
            return await call.future
        finally:
            timer.cancel()

    async def close(self) -> None:
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        for call in [*self._inflight.values(), *self._deferred, *self._queue]:
            self._fail(call, errors.StoreUnavailable("the store client is closed", outcome_unknown=call.sent))
        self._inflight.clear()
        self._deferred.clear()
        self._queue.clear()

    def _expire(self, call: _Call, timeout: float) -> None:
        unknown = call.sent and not call.method.repeatable
        text = f"no answer from the store within {timeout:g} s"
        if not call.sent:
            text += f" ({self._last_error})"
        self._fail(call, errors.StoreUnavailable(text, outcome_unknown=unknown))

    @staticmethod
    def _fail(call: _Call, error: Exception) -> None:
        if not call.future.done():
            call.future.set_exception(error)

    async def _run(self) -> None:
        failures = 0
        turn = 0
        while True:
            while not self._queue and not self._deferred:
                self._work.clear()
                await self._work.wait()
            endpoint = self._endpoints[turn % len(self._endpoints)]
            try:
                served = await self._connection(endpoint)
            except SessionNotOffered as error:
                for call in self._queue:
                    self._fail(call, error)
                self._queue.clear()
                return
            failures = 0 if served else failures + 1
            turn += 1
            if not served:
                delay = min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** min(failures, 10))
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    async def _connection(self, endpoint: str) -> bool:
        """One connection's whole life. True when the member had welcomed us."""
        try:
            channel = open_channel(endpoint, self._tls)
        except OSError as error:
            self._last_error = f"{endpoint}: {error}"
            return False
        tasks: list[asyncio.Task[None]] = []
        welcomed = False
        try:
            stream = session_pb2_grpc.SessionStub(channel).Open()
            async with asyncio.timeout(CONNECT_TIMEOUT):
                first = await stream.read()
            if first is grpc.aio.EOF:
                raise ConnectionError("the member closed the session at once")
            welcomed = True
            self._max_request_bytes = first.welcome.max_request_bytes
            self._queue.extendleft(reversed(self._deferred))
            self._deferred.clear()
            logger.debug("session with %s open", endpoint)
            loop = asyncio.get_running_loop()
            tasks = [
                loop.create_task(self._read(stream), name="store-session-read"),
                loop.create_task(self._write(stream, first.welcome.window), name="store-session-write"),
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            self._last_error = f"{endpoint}: the member closed the session"
        except grpc.aio.AioRpcError as error:
            self._last_error = f"{endpoint}: {error.details()}"
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                raise SessionNotOffered from None
        except (TimeoutError, ConnectionError, asyncio.InvalidStateError) as error:
            self._last_error = f"{endpoint}: {error or 'no answer'}"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._disconnected()
            await channel.close()
        logger.info("store session lost: %s", self._last_error)
        return welcomed

    def _disconnected(self) -> None:
        again: list[_Call] = []
        for call in self._inflight.values():
            if call.method.repeatable:
                again.append(call)
            else:
                text = f"connection to the store broke before the answer ({self._last_error})"
                self._fail(call, errors.StoreUnavailable(text, outcome_unknown=True))
        self._inflight.clear()
        self._queue.extendleft(reversed(again))

    async def _write(
        self, stream: grpc.aio.StreamStreamCall[session_pb2.CallFrame, session_pb2.ReplyFrame], window: int
    ) -> None:
        queue, inflight = self._queue, self._inflight
        while True:
            while not queue or len(inflight) >= window:
                self._work.clear()
                await self._work.wait()
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
            if size or frame.calls:
                await stream.write(frame)

    async def _read(self, stream: grpc.aio.StreamStreamCall[session_pb2.CallFrame, session_pb2.ReplyFrame]) -> None:
        inflight = self._inflight
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
                    self._refused(call, reply.error)
                else:
                    self._fail(call, errors.StoreError(f"the store answered {call.method.field} with {which}"))
            if self._queue:
                self._work.set()

    def _refused(self, call: _Call, error: session_pb2.Error) -> None:
        if error.code == errors.UNAVAILABLE and not error.outcome_unknown:
            call.sent = False
            self._deferred.append(call)
            return
        self._fail(
            call,
            errors.from_wire(
                error.code,
                error.message,
                outcome_unknown=error.outcome_unknown,
                compact_revision=error.compact_revision,
            ),
        )
