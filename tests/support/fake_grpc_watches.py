"""WatchMany over the in-memory API, for `FakeGrpcServer`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from kubeactors.api.errors import StatusError
from kubeactors.client.calls import Target, WatchCall
from kubeactors.client.resource import Resource
from kubeactors.client.transport import ConnectionLost
from kubeactors.pb.api.v1 import api_pb2 as pb
from tests.support.fake_api import FakeApi


class FakeWatches:
    """One stream. A watch whose window is used up waits for an acknowledgement; one of the API that breaks off ends the
    stream."""

    def __init__(self, api: FakeApi, commands: AsyncIterator[pb.WatchManyRequest]) -> None:
        self._api = api
        self._commands = commands
        self._updates: asyncio.Queue[pb.WatchUpdate | None] = asyncio.Queue()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._room: dict[int, asyncio.Semaphore] = {}

    async def updates(self) -> AsyncIterator[pb.WatchUpdate]:
        reading = asyncio.create_task(self._obey())
        try:
            while (update := await self._updates.get()) is not None:
                yield update
        finally:
            for task in (reading, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(reading, *self._tasks.values(), return_exceptions=True)

    async def _obey(self) -> None:
        async for command in self._commands:
            match command.WhichOneof("command"):
                case "start":
                    start = command.start
                    self._room[start.id] = asyncio.Semaphore(start.window)
                    self._tasks[start.id] = asyncio.create_task(self._serve(start.id, start.watch))
                case "stop":
                    self._tasks[command.stop.id].cancel()
                case "acknowledge":
                    for _ in range(command.acknowledge.updates):
                        self._room[command.acknowledge.id].release()

    async def _serve(self, number: int, request: pb.WatchRequest) -> None:
        ended = pb.WatchEnded()
        try:
            async for batch in self._api.watch(_call(request)):
                if not batch:
                    self._updates.put_nowait(pb.WatchUpdate(id=number, started=pb.WatchStarted()))
                    continue
                if batch[0].type == "ERROR":
                    raise StatusError(orjson.loads(batch[0].object))
                await self._room[number].acquire()
                events = [pb.WatchEvent(type=event.type, object=event.object) for event in batch]
                self._updates.put_nowait(pb.WatchUpdate(id=number, events=events))
        except StatusError as error:
            ended.failure.CopyFrom(pb.Status(code=error.code, reason=error.reason, message=error.message))
        except ConnectionLost:
            self._updates.put_nowait(None)
            return
        self._updates.put_nowait(pb.WatchUpdate(id=number, ended=ended))


def _call(request: Any) -> WatchCall:
    key = request.key
    return WatchCall(
        Target(Resource(key.group, key.version, key.resource, "", True), key.namespace, key.name, key.subresource),
        request.label_selector,
        request.field_selector,
        request.resource_version,
        request.allow_watch_bookmarks,
        request.timeout_seconds,
    )
