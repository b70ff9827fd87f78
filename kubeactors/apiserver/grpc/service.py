"""The methods of kubeactors.api.v1.Resources."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import KindRegistry
from kubeactors.apiserver.grpc import convert
from kubeactors.apiserver.grpc.caller import Again, Callers, user_agent
from kubeactors.apiserver.grpc.errors import grpc_code, trailing_metadata
from kubeactors.apiserver.grpc.session import SessionStream
from kubeactors.apiserver.grpc.watch import QueueSink, run_watch
from kubeactors.apiserver.metrics import Metrics, request_key
from kubeactors.apiserver.request import APPLY_PATCH, ApiHandler, Request, Response, UserInfo
from kubeactors.pb.api.v1 import api_pb2 as pb

logger = logging.getLogger(__name__)

SERVICE = "kubeactors.api.v1.Resources"
_READS = frozenset({"get", "list"})

Convert = Callable[[KindRegistry, Any, UserInfo], Request]


class ResourcesService:
    """Brings gRPC calls to the handler and its answers back."""

    def __init__(
        self,
        *,
        handler: ApiHandler,
        registry: KindRegistry,
        callers: Callers,
        metrics: Metrics,
        max_request_bytes: int,
        max_watch_buffer_bytes: int,
        max_session_calls: int,
    ) -> None:
        self._handler = handler
        self._registry = registry
        self._callers = callers
        self._metrics = metrics
        self._max_request_bytes = max_request_bytes
        self._max_watch_buffer_bytes = max_watch_buffer_bytes
        self._max_session_calls = max_session_calls
        #: How to end each stream that is open.
        self._enders: set[Callable[[], None]] = set()

    def end_streams(self) -> None:
        """The server stops: let every watch and session end in good order."""
        for end in list(self._enders):
            end()

    def methods(self) -> grpc.GenericRpcHandler:
        """The handlers to add to a server. Watch writes serialized frames, so it has no serializer."""
        unary: dict[str, tuple[Convert, Any, Callable[[Response], Any]]] = {
            "Get": (convert.get_request, pb.GetRequest, convert.object_reply),
            "List": (convert.list_request, pb.ListRequest, convert.list_reply),
            "Create": (convert.create_request, pb.CreateRequest, convert.object_reply),
            "Update": (convert.update_request, pb.UpdateRequest, convert.object_reply),
            "Patch": (convert.patch_request, pb.PatchRequest, convert.object_reply),
            "Delete": (convert.delete_request, pb.DeleteRequest, convert.object_reply),
            "DeleteCollection": (
                convert.delete_collection_request,
                pb.DeleteCollectionRequest,
                convert.object_reply,
            ),
        }
        handlers: dict[str, grpc.RpcMethodHandler] = {
            name: grpc.unary_unary_rpc_method_handler(
                self._unary(build, reply),
                request_deserializer=message.FromString,
                response_serializer=_serialize,
            )
            for name, (build, message, reply) in unary.items()
        }
        handlers["Watch"] = grpc.unary_stream_rpc_method_handler(
            self._watch, request_deserializer=pb.WatchRequest.FromString, response_serializer=None
        )
        handlers["Logs"] = grpc.unary_stream_rpc_method_handler(
            self._logs, request_deserializer=pb.LogsRequest.FromString, response_serializer=_serialize
        )
        handlers["Session"] = grpc.stream_stream_rpc_method_handler(
            self._session, request_deserializer=pb.SessionCalls.FromString, response_serializer=_serialize
        )
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _unary(self, build: Convert, reply: Callable[[Response], Any]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def method(message: Any, context: Any) -> Any:
            try:
                user = await self._callers.user(context)
                request = build(self._registry, message, user)
                request.user_agent = user_agent(context)
                return reply(await self._handle(request))
            except StatusError as error:
                await _fail(context, error)
            except Exception as error:  # noqa: BLE001  a fault is logged and answered, as over HTTPS
                await _fail(context, _fault(error))
            raise AssertionError("abort raises")

        return method

    async def _handle(self, request: Request) -> Response:
        if len(request.body) > self._max_request_bytes:
            raise errors.too_large(f"limit is {self._max_request_bytes}")
        gauge = self._metrics.reading if request.verb in _READS else self._metrics.mutating
        started, code, size = time.perf_counter(), 500, 0
        gauge.value += 1
        try:
            response = await self._handler.handle(request)
            code, size = response.status, len(response.body)
            return response
        except StatusError as error:
            code = error.code
            raise
        finally:
            gauge.value -= 1
            apply = request.content_type == APPLY_PATCH
            key = request_key(
                request.verb, request.kind, request.subresource, request.namespace, request.name, apply=apply
            )
            dry_run = bool(request.options.dry_run)
            self._metrics.observe(key, code, time.perf_counter() - started, size, dry_run=dry_run)

    async def _watch(self, message: pb.WatchRequest, context: Any) -> None:
        await self._stream(context, lambda user: self._run_watch(message, context, user))

    async def _run_watch(self, message: pb.WatchRequest, context: Any, user: UserInfo) -> None:
        request = convert.watch_request(self._registry, message, user)
        key = request_key("watch", request.kind, "", request.namespace, "")
        gauge = self._metrics.long_running(key)
        gauge.value += 1
        try:
            response = await self._handler.handle(request)
            if response.watch is None:
                raise TypeError("the handler answered a watch without a stream")
            sink = QueueSink(self._max_watch_buffer_bytes)
            with self._ended_by(sink.end):
                await run_watch(response.watch, sink, context.write)
        finally:
            gauge.value -= 1

    async def _logs(self, message: pb.LogsRequest, context: Any) -> None:
        await self._stream(context, lambda user: self._run_logs(message, context, user))

    async def _run_logs(self, message: pb.LogsRequest, context: Any, user: UserInfo) -> None:
        response = await self._handler.handle(convert.logs_request(self._registry, message, user))
        if response.stream is None:
            await context.write(pb.LogsChunk(data=response.body))
            return
        async for data in response.stream:
            await context.write(pb.LogsChunk(data=data))

    async def _session(self, frames: AsyncIterator[pb.SessionCalls], context: Any) -> None:
        async def serve(_user: UserInfo) -> None:
            again, agent = await self._callers.lasting(context), user_agent(context)
            stream = SessionStream(lambda call: self._answer(call, again, agent), self._max_session_calls)
            with self._ended_by(stream.finish):
                await stream.run(frames, context.write)

        await self._stream(context, serve)

    @contextlib.contextmanager
    def _ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        self._enders.add(end)
        try:
            yield
        finally:
            self._enders.discard(end)

    async def _answer(self, call: pb.SessionCall, again: Again, agent: str) -> pb.SessionReply:
        try:
            which = call.WhichOneof("call")
            if which is None:
                raise errors.bad_request("a session call must hold a request that this server knows")
            request = convert.SESSION_CALLS[which](self._registry, getattr(call, which), await again())
            request.user_agent = agent
            response = await self._handle(request)
            if which == "list":
                return pb.SessionReply(id=call.id, list=convert.list_reply(response))
            return pb.SessionReply(id=call.id, object=convert.object_reply(response))
        except StatusError as error:
            return pb.SessionReply(id=call.id, status=convert.status_bytes(error))
        except Exception as error:  # noqa: BLE001  a fault in one call must not end the others
            return pb.SessionReply(id=call.id, status=convert.status_bytes(_fault(error)))

    async def _stream(self, context: Any, serve: Callable[[UserInfo], Awaitable[None]]) -> None:
        try:
            await serve(await self._callers.user(context))
        except StatusError as error:
            await _fail(context, error)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:  # noqa: BLE001
            if context.cancelled() or context.done():
                return
            await _fail(context, _fault(error))


async def _fail(context: Any, error: StatusError) -> None:
    await context.abort(grpc_code(error), error.message, trailing_metadata(error))


def _fault(error: Exception) -> StatusError:
    logger.error("unhandled error in a gRPC call", exc_info=error)
    return errors.internal("the server could not process the request")


def _serialize(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
