"""One Session stream: many calls in flight, gathered into frames, answered in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from kubeactors.api.errors import StatusError
from kubeactors.client.calls import Call, Reply
from kubeactors.client.grpc_messages import failure, session_call, session_reply
from kubeactors.client.transport import ConnectionLost
from kubeactors.pb.api.v1 import api_pb2 as pb

FRAME_BYTES = 1024 * 1024
"""Calls are gathered up to about this size, well under gRPC's default limit of a message (4 MiB)."""

Stream = Any  # grpc.aio.StreamStreamCall[SessionCalls, SessionReplies]; grpcio has no type information


def cancelled_by_caller() -> bool:
    """Under CancelledError: whether this task is being cancelled. gRPC raises the same for a call whose channel was
    closed under it, which must not look like that."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class Session:
    """Calls over one stream. Calls made while a frame is being written share the next frame."""

    def __init__(self, stream: Stream, endpoint: str) -> None:
        self._stream = stream
        self._endpoint = endpoint
        self._waiting: dict[int, asyncio.Future[pb.SessionReply]] = {}
        self._outbox: dict[int, pb.SessionCall] = {}
        self._wanted = asyncio.Event()
        self._number = 0
        self._answered = False
        self._lost: str | None = None

    async def run(self, opened: Callable[[], None]) -> None:
        """Serves the stream until it ends; calls `opened` once it is established.

        Raises ConnectionLost at its end, or the server's StatusError when it refused the session.
        """
        tasks = []
        reason = "the connection was closed"
        refused: StatusError | None = None
        try:
            await self._stream.wait_for_connection()
            opened()
            tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            reason = "the server ended the session"
        except grpc.aio.AioRpcError as error:
            cause = failure(error, self._endpoint)
            reason = str(cause)
            if isinstance(cause, StatusError) and not self._answered:
                refused = cause  # before any answer: this is about the session, not about a call
        except asyncio.InvalidStateError:
            reason = "the session has ended"
        except asyncio.CancelledError:
            if cancelled_by_caller():
                raise
        finally:
            self._lost = reason if self._endpoint in reason else f"{self._endpoint}: {reason}"
            self._stream.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._fail_all(refused)
        if refused is not None:
            raise refused
        raise ConnectionLost(self._lost, sent=False)

    def end(self) -> None:
        """Have `run` end."""
        self._stream.cancel()

    async def call(self, call: Call, timeout: float) -> Reply:
        """The answer. Raises StatusError, or ConnectionLost that says whether the call may have reached the server."""
        if self._lost is not None:
            raise ConnectionLost(self._lost, sent=False)
        self._number += 1
        number = self._number
        future: asyncio.Future[pb.SessionReply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._outbox[number] = session_call(number, call)
        self._wanted.set()
        try:
            async with asyncio.timeout(timeout):
                return session_reply(await future)
        except TimeoutError:
            raise ConnectionLost(
                f"{self._endpoint}: no answer within {timeout:.3g} s", sent=number not in self._outbox
            ) from None
        finally:
            self._waiting.pop(number, None)
            self._outbox.pop(number, None)

    async def _write(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._outbox:
                if self._stream.done():
                    return  # what is still in the outbox was surely not sent
                frame = pb.SessionCalls()
                size = 0
                for number in [*self._outbox]:
                    size += self._outbox[number].ByteSize()
                    if size > FRAME_BYTES and frame.calls:
                        break
                    frame.calls.append(self._outbox.pop(number))
                await self._stream.write(frame)

    async def _read(self) -> None:
        while True:
            frame = await self._stream.read()
            if frame is grpc.aio.EOF:
                return
            self._answered = True
            for reply in frame.replies:
                future = self._waiting.get(reply.id)
                if future is not None and not future.done():
                    future.set_result(reply)

    def _fail_all(self, refused: StatusError | None) -> None:
        for number, future in self._waiting.items():
            if not future.done():
                lost = ConnectionLost(self._lost or "", sent=number not in self._outbox)
                future.set_exception(refused or lost)
