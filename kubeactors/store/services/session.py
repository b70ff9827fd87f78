"""kubeactors.store.v1.Session: many requests to a frame, answered as they are done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.store.v1 import session_pb2, session_pb2_grpc
from kubeactors.store.api import StoreApi
from kubeactors.store.errors import Compacted, StoreError, StoreUnavailable
from kubeactors.store.node import Node
from kubeactors.store.services.calls import abort, run_stream
from kubeactors.store.services.leader import LeaderMonitor

WINDOW = 4096
"""Calls of one session that may be unanswered."""
FRAME_BYTES = 1024 * 1024


class _Answered(NamedTuple):
    id: int
    field: str
    outcome: Message | StoreError


class SessionService(session_pb2_grpc.SessionServicer):
    """`closing`: set when the member stops. Callers are told so and end their sessions once they have their answers:
    were the session ended here, what is on its way to it would be lost without anybody knowing whether it was taken."""

    def __init__(
        self, api: StoreApi, node: Node, monitor: LeaderMonitor, closing: asyncio.Event, max_request_bytes: int
    ) -> None:
        self._api = api
        self._node = node
        self._monitor = monitor
        self._closing = closing
        self._max_request_bytes = max_request_bytes

    async def Open(  # type: ignore[override]  # grpc.aio also takes a coroutine
        self, requests: AsyncIterator[session_pb2.CallFrame], context: grpc.aio.ServicerContext
    ) -> None:
        if self._closing.is_set():
            await abort(context, StoreUnavailable(outcome_unknown=False))
        welcome = session_pb2.Welcome(
            cluster_id=self._node.cluster_id,
            member_id=self._node.member_id,
            window=WINDOW,
            max_request_bytes=self._max_request_bytes,
        )
        await context.write(session_pb2.ReplyFrame(welcome=welcome, no_leader=self._monitor.lost))
        session = _Session(self._api)
        await run_stream(
            asyncio.create_task(session.take(requests)),
            asyncio.create_task(session.send(context, self._closing)),
            asyncio.create_task(session.warn(self._monitor)),
        )


class _Session:
    def __init__(self, api: StoreApi) -> None:
        self._api = api
        self._answered: list[_Answered] = []
        self._open = 0
        self._no_leader = False
        self._has_answers = asyncio.Event()
        self._has_room = asyncio.Event()

    async def take(self, requests: AsyncIterator[session_pb2.CallFrame]) -> None:
        async for frame in requests:
            for call in frame.calls:
                self._submit(call)
            while self._open > WINDOW:
                self._has_room.clear()
                await self._has_room.wait()

    def _submit(self, call: session_pb2.Call) -> None:
        field = call.WhichOneof("request")
        call_id = call.id
        self._open += 1

        def done(outcome: Message | StoreError) -> None:
            self._answered.append(_Answered(call_id, name, outcome))
            self._has_answers.set()

        name = field or "none"
        self._api.submit(name, getattr(call, name) if field is not None else call, done)

    async def warn(self, monitor: LeaderMonitor) -> None:
        while True:
            await monitor.wait_lost()
            self._no_leader = True
            self._has_answers.set()
            await asyncio.sleep(monitor.patience)

    async def send(self, context: grpc.aio.ServicerContext, closing: asyncio.Event) -> None:
        stop = asyncio.create_task(closing.wait())
        stop.add_done_callback(lambda _: self._has_answers.set())
        told = False
        try:
            while True:
                await self._has_answers.wait()
                self._has_answers.clear()
                if self._no_leader:
                    self._no_leader = False
                    await context.write(session_pb2.ReplyFrame(no_leader=True))
                if closing.is_set() and not told:
                    told = True
                    await context.write(session_pb2.ReplyFrame(going_away=True))
                while self._answered:
                    answered, self._answered = self._answered, []
                    for frame in _frames(answered):
                        await context.write(frame)
                    self._open -= len(answered)
                    self._has_room.set()
        finally:
            stop.cancel()


def _frames(answered: list[_Answered]) -> list[session_pb2.ReplyFrame]:
    frames = [session_pb2.ReplyFrame()]
    size = 0
    for call_id, field, outcome in answered:
        if size > FRAME_BYTES:
            frames.append(session_pb2.ReplyFrame())
            size = 0
        replies = frames[-1].replies
        if isinstance(outcome, StoreError):
            replies.add(id=call_id, error=_error(outcome))
        else:
            size += outcome.ByteSize()
            replies.add(id=call_id, **{field: outcome})
    return frames


def _error(error: StoreError) -> session_pb2.Error:
    return session_pb2.Error(
        code=error.code,
        message=error.message,
        outcome_unknown=error.outcome_unknown,
        compact_revision=error.compact_revision if isinstance(error, Compacted) else 0,
    )
