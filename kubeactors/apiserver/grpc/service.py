"""The methods of kubeactors.api.v1.Resources."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import grpc
from google.protobuf.message import DecodeError, Message

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.apiserver.grpc import convert, pod_streams
from kubeactors.apiserver.grpc.batch import run_batch
from kubeactors.apiserver.grpc.caller import Caller, Callers
from kubeactors.apiserver.grpc.calls import Calls
from kubeactors.apiserver.grpc.convert import Convert
from kubeactors.apiserver.grpc.discovery import openapi_path
from kubeactors.apiserver.grpc.errors import grpc_code, message_of, status_message, trailing_metadata
from kubeactors.apiserver.grpc.session import SessionStream
from kubeactors.apiserver.grpc.watch import QueueSink, run_watch
from kubeactors.apiserver.grpc.watch_many import WatchManyStream
from kubeactors.apiserver.openapi.endpoints import OpenApi
from kubeactors.apiserver.request import Response, WatchStream
from kubeactors.pb.api.v1 import api_pb2 as pb

#: A part of a log has at most so many bytes.
_LOG_BYTES = 256 * 1024

Reply = Callable[[Response, Any], Any]
Method = Callable[[Any, Any], Awaitable[Any]]


class ResourcesService:
    """Brings gRPC calls to the handler and its answers back."""

    def __init__(
        self,
        calls: Calls,
        callers: Callers,
        discover: Callable[[], pb.DiscoverReply],
        openapi: OpenApi,
        *,
        max_watch_buffer_bytes: int,
        max_session_calls: int,
    ) -> None:
        self._calls = calls
        self._callers = callers
        self._discovered = discover
        self._openapi = openapi
        self._max_watch_buffer_bytes = max_watch_buffer_bytes
        self._max_session_calls = max_session_calls
        #: How to end each stream that is open.
        self._enders: set[Callable[[], None]] = set()

    @property
    def faults(self) -> int:
        """Errors that nobody expected."""
        return self._calls.faults

    def end_streams(self) -> None:
        """The server stops: let every watch and session end in good order."""
        for end in list(self._enders):
            end()

    def methods(self) -> dict[str, grpc.RpcMethodHandler]:
        """The handlers to add to a server, by the methods' names. They take bytes, for a refusal of what is no message
        is worded here; watches write serialized messages, and need no serializer."""
        unary: dict[str, tuple[Method, Any]] = {
            "Get": (self._call(convert.get_request, convert.object_reply), pb.GetRequest),
            "List": (self._call(convert.list_request, convert.list_reply), pb.ListRequest),
            "Create": (self._call(convert.create_request, convert.object_reply), pb.CreateRequest),
            "Update": (self._call(convert.update_request, convert.object_reply), pb.UpdateRequest),
            "Patch": (self._call(convert.patch_request, convert.object_reply), pb.PatchRequest),
            "Delete": (self._call(convert.delete_request, convert.object_reply), pb.DeleteRequest),
            "DeleteCollection": (
                self._call(convert.delete_collection_request, convert.object_reply),
                pb.DeleteCollectionRequest,
            ),
            "Batch": (self._batch, pb.BatchRequest),
            "Discover": (self._discover, pb.DiscoverRequest),
            "OpenApi": (self._open_api, pb.OpenApiRequest),
        }
        handlers: dict[str, grpc.RpcMethodHandler] = {
            name: grpc.unary_unary_rpc_method_handler(self._answered(method, message), response_serializer=_serialize)
            for name, (method, message) in unary.items()
        }
        handlers["Watch"] = grpc.unary_stream_rpc_method_handler(
            self._streamed(self._watch, partial(_parse, pb.WatchRequest))
        )
        handlers["Logs"] = grpc.unary_stream_rpc_method_handler(
            self._streamed(self._logs, partial(_parse, pb.LogsRequest)), response_serializer=_serialize
        )
        both: dict[str, tuple[Method, Any]] = {
            "Session": (self._session, pb.SessionCalls),
            "WatchMany": (self._watch_many, pb.WatchManyRequest),
            "Exec": (partial(self._command, "exec"), pb.CommandInput),
            "Attach": (partial(self._command, "attach"), pb.CommandInput),
            "PortForward": (self._port_forward, pb.PortForwardInput),
        }
        for name, (method, message) in both.items():
            handlers[name] = grpc.stream_stream_rpc_method_handler(
                self._streamed(method, partial(_parse_all, message)),
                response_serializer=None if name == "WatchMany" else _serialize,
            )
        return handlers

    # --- one message, one answer

    def _call(self, build: Convert, reply: Reply) -> Method:
        async def method(message: Any, context: Any) -> Any:
            request = await self._calls.request(build, message, self._callers.of(context))
            return reply(await self._calls.answer(request), message)

        return method

    async def _batch(self, message: pb.BatchRequest, context: Any) -> pb.BatchReply:
        caller = self._callers.of(context)
        await caller.user()
        return await run_batch(message, partial(self._operation, caller))

    async def _operation(self, caller: Caller, operation: pb.BatchOperation) -> pb.BatchResult:
        try:
            which = operation.WhichOneof("operation")
            if which is None:
                raise errors.bad_request("an operation must hold a request that this server knows")
            message = getattr(operation, which)
            request = await self._calls.request(convert.CALLS[which], message, caller)
            return pb.BatchResult(object=convert.object_reply(await self._calls.answer(request), message))
        except StatusError as error:
            return pb.BatchResult(failure=status_message(error.status))
        except Exception as error:  # noqa: BLE001  a fault in one operation must not end the others
            return pb.BatchResult(failure=status_message(self._calls.fault(error).status))

    async def _discover(self, message: pb.DiscoverRequest, context: Any) -> pb.DiscoverReply:
        await self._callers.of(context).may_read("/apis")
        return self._discovered()

    async def _open_api(self, message: pb.OpenApiRequest, context: Any) -> pb.OpenApiDocument:
        path = openapi_path(message.group, message.version)
        await self._callers.of(context).may_read(f"/openapi/v3/{path}")
        document = await self._openapi.v3(path)
        if document is None:
            raise errors.resource_not_found()
        return pb.OpenApiDocument(json=document.body)

    # --- streams

    async def _watch(self, message: pb.WatchRequest, context: Any) -> None:
        async with self._watching(self._callers.of(context), message) as (watch, _warnings):
            sink = QueueSink(self._max_watch_buffer_bytes)
            with self._ended_by(sink.end):
                await run_watch(watch, sink, context.write)

    @contextlib.asynccontextmanager
    async def _watching(
        self, caller: Caller, message: pb.WatchRequest
    ) -> AsyncIterator[tuple[WatchStream, Sequence[str]]]:
        request = await self._calls.request(convert.watch_request, message, caller)
        with self._calls.long_running(request):
            response = await self._calls.open(request)
            if response.watch is None:
                raise TypeError("the handler answered a watch without a stream")
            yield response.watch, response.warnings

    async def _watch_many(self, commands: AsyncIterator[pb.WatchManyRequest], context: Any) -> None:
        caller = self._callers.of(context)
        await caller.user()
        stream = WatchManyStream(partial(self._watching, caller), self._max_watch_buffer_bytes, self._calls.fault)
        with self._ended_by(stream.finish):
            await stream.run(commands, context.write)

    async def _logs(self, message: pb.LogsRequest, context: Any) -> None:
        request = await self._calls.request(convert.logs_request, message, self._callers.of(context))
        with self._calls.long_running(request):
            response = await self._calls.open(request)
            if response.stream is None:
                await context.write(pb.LogsChunk(data=response.body))
                return
            async for data in response.stream:
                for start in range(0, len(data), _LOG_BYTES):
                    await context.write(pb.LogsChunk(data=data[start : start + _LOG_BYTES]))

    async def _command(
        self, subresource: Literal["exec", "attach"], inputs: AsyncIterator[pb.CommandInput], context: Any
    ) -> None:
        caller = self._callers.of(context)
        start = await pod_streams.start_of(inputs)
        build = partial(convert.command_request, subresource)
        request = await self._calls.request(build, start, caller)
        with self._calls.long_running(request):
            connector = await self._calls.connect(request)
            await pod_streams.serve_command(connector, start, inputs, context.write)

    async def _port_forward(self, inputs: AsyncIterator[pb.PortForwardInput], context: Any) -> None:
        caller = self._callers.of(context)
        start = await pod_streams.start_of(inputs)
        request = await self._calls.request(convert.port_forward_request, start, caller)
        with self._calls.long_running(request):
            await pod_streams.serve_port(await self._calls.connect(request), inputs, context.write)

    async def _session(self, frames: AsyncIterator[pb.SessionCalls], context: Any) -> None:
        caller = self._callers.of(context)
        await caller.user()
        stream = SessionStream(partial(self._answer, caller), self._max_session_calls)
        with self._ended_by(stream.finish):
            await stream.run(frames, context.write)

    async def _answer(self, caller: Caller, call: pb.SessionCall) -> pb.SessionReply:
        try:
            which = call.WhichOneof("call")
            if which is None:
                raise errors.bad_request("a session call must hold a request that this server knows")
            message = getattr(call, which)
            response = await self._calls.answer(await self._calls.request(convert.CALLS[which], message, caller))
            if which == "list":
                return pb.SessionReply(id=call.id, list=convert.list_reply(response, message))
            return pb.SessionReply(id=call.id, object=convert.object_reply(response, message))
        except StatusError as error:
            return pb.SessionReply(id=call.id, status=convert.status_bytes(error))
        except Exception as error:  # noqa: BLE001  a fault in one call must not end the others
            return pb.SessionReply(id=call.id, status=convert.status_bytes(self._calls.fault(error)))

    # --- what all have in common

    @contextlib.contextmanager
    def _ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        self._enders.add(end)
        try:
            yield
        finally:
            self._enders.discard(end)

    def _answered(self, method: Method, message: type[Message]) -> Method:
        async def answered(data: bytes, context: Any) -> Any:
            try:
                return await method(_parse(message, data), context)
            except StatusError as error:
                await _fail(context, error)
            except Exception as error:  # noqa: BLE001  a fault is logged and answered, as over HTTPS
                await _fail(context, self._calls.fault(error))
            raise AssertionError("abort raises")

        return answered

    def _streamed(self, method: Method, parse: Callable[[Any], Any]) -> Method:
        async def streamed(data: Any, context: Any) -> None:
            try:
                await method(parse(data), context)
            except StatusError as error:
                await _fail(context, error)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception as error:  # noqa: BLE001
                if context.cancelled() or context.done():
                    return
                await _fail(context, self._calls.fault(error))

        return streamed


async def _fail(context: Any, error: StatusError) -> None:
    await context.abort(grpc_code(error), message_of(error), trailing_metadata(error))


def _parse(message: type[Message], data: bytes) -> Any:
    """Raises StatusError (400)."""
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise errors.bad_request(f"the request is no {message.DESCRIPTOR.full_name}") from error


async def _parse_all(message: type[Message], stream: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for data in stream:
        yield _parse(message, data)


def _serialize(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
