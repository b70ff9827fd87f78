"""The in-memory API behind a real gRPC server, for tests of the wire: sessions, watches, reconnects, certificates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import orjson

from kubeactors.api.errors import StatusError, unauthorized
from kubeactors.client.calls import (
    Call,
    CreateCall,
    DeleteCall,
    DeleteCollectionCall,
    GetCall,
    ListCall,
    ListReply,
    LogsCall,
    PatchCall,
    Target,
    UpdateCall,
    WriteOptions,
)
from kubeactors.client.resource import Resource
from kubeactors.pb.api.v1 import api_pb2 as pb
from kubeactors.pb.api.v1 import api_pb2_grpc
from tests.support.fake_api import FakeApi
from tests.support.fake_grpc_watches import FakeWatches

SERVER_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
]


class FakeGrpcServer(api_pb2_grpc.ResourcesServicer):
    """Serves `api` on 127.0.0.1. `hold` (an event) keeps answers of sessions back while it is clear."""

    def __init__(self, api: FakeApi, *, port: int = 0, credentials: Any = None) -> None:
        self.api = api
        self.port = port
        self.hold = asyncio.Event()
        self.hold.set()
        self.frames: list[int] = []
        """The number of calls in each session frame that came."""
        self.lists = 0
        """Unary List calls that came."""
        self.sessions = 0
        self.watch_streams = 0
        self.token = ""
        """Sessions that show another are refused, if this is not empty."""
        self._credentials = credentials
        self._server: Any = None

    async def start(self) -> None:
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        api_pb2_grpc.add_ResourcesServicer_to_server(self, self._server)
        address = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, self._credentials)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def Session(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        self.sessions += 1
        shown = [value for name, value in context.invocation_metadata() if name == "authorization"]
        async for frame in requests:
            if self.token and shown != [f"Bearer {self.token}"]:
                refusal = orjson.dumps(unauthorized().status)
                yield pb.SessionReplies(replies=[pb.SessionReply(id=call.id, status=refusal) for call in frame.calls])
                continue
            self.frames.append(len(frame.calls))
            await self.hold.wait()
            yield pb.SessionReplies(replies=[self._answer(call) for call in frame.calls])

    async def List(self, request: Any, context: Any) -> Any:
        self.lists += 1
        try:
            return _list(self.api.handle(_list_call(request)))
        except StatusError as error:
            await _abort(context, error)

    async def WatchMany(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        self.watch_streams += 1
        stream = FakeWatches(self.api, requests)
        async for update in stream.updates():
            yield pb.WatchManyReply(updates=[update])

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        tail = request.tail_lines if request.HasField("tail_lines") else None
        call = LogsCall(request.namespace, request.pod, request.container, tail_lines=tail)
        try:
            yield pb.LogsChunk(data=self.api.logs(call))
        except StatusError as error:
            await _abort(context, error)

    async def Get(self, request: Any, context: Any) -> Any:
        return await self._unary(pb.SessionCall(get=request), context)

    async def Create(self, request: Any, context: Any) -> Any:
        return await self._unary(pb.SessionCall(create=request), context)

    async def Update(self, request: Any, context: Any) -> Any:
        return await self._unary(pb.SessionCall(update=request), context)

    async def Patch(self, request: Any, context: Any) -> Any:
        return await self._unary(pb.SessionCall(patch=request), context)

    async def Delete(self, request: Any, context: Any) -> Any:
        return await self._unary(pb.SessionCall(delete=request), context)

    async def DeleteCollection(self, request: Any, context: Any) -> Any:
        return await self._unary(pb.SessionCall(delete_collection=request), context)

    async def _unary(self, call: Any, context: Any) -> Any:
        reply = self._answer(call)
        if reply.WhichOneof("reply") == "status":
            await _abort(context, StatusError(orjson.loads(reply.status)))
        return reply.object

    def _answer(self, call: Any) -> Any:
        try:
            reply = self.api.handle(_call(call))
        except StatusError as error:
            return pb.SessionReply(id=call.id, status=orjson.dumps(error.status))
        if isinstance(reply, ListReply):
            return pb.SessionReply(id=call.id, list=_list(reply))
        return pb.SessionReply(id=call.id, object=pb.Object(json=reply.body, warnings=reply.warnings))


async def _abort(context: Any, error: StatusError) -> None:
    context.set_trailing_metadata((("kubeactors-status-bin", orjson.dumps(error.status)),))
    await context.abort(grpc.StatusCode.UNKNOWN, error.message)


def _call(message: Any) -> Call:
    which = message.WhichOneof("call")
    request = getattr(message, which)
    target = _target(request.key)
    if which == "get":
        return GetCall(target, request.resource_version)
    if which == "list":
        return _list_call(request)
    if which == "delete":
        return DeleteCall(target, request.options)
    if which == "delete_collection":
        return DeleteCollectionCall(target, request.label_selector, request.field_selector, request.options)
    given = request.options
    options = WriteOptions(given.dry_run, given.field_manager, given.field_validation, given.force)
    if which == "patch":
        return PatchCall(target, request.content_type, request.patch, options)
    return (CreateCall if which == "create" else UpdateCall)(target, request.json, options)


def _list_call(request: Any) -> ListCall:
    return ListCall(
        _target(request.key),
        request.label_selector,
        request.field_selector,
        request.limit,
        getattr(request, "continue"),
        request.resource_version,
        request.resource_version_match,
    )


def _list(reply: Any) -> Any:
    message = pb.ObjectList(
        items=reply.items,
        resource_version=reply.resource_version,
        remaining_item_count=reply.remaining_item_count,
    )
    setattr(message, "continue", reply.continue_)
    return message


def _target(key: Any) -> Target:
    resource = Resource(key.group, key.version, key.resource, "", True)
    return Target(resource, key.namespace, key.name, key.subresource)
