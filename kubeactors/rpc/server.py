"""Methods, listening, stopping: in the shape of grpc.aio.Server, so that generated code registers its services here."""

from __future__ import annotations

import asyncio
import inspect
import logging
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from kubeactors.rpc import headers
from kubeactors.rpc.call import Call, Unreadable, parsed
from kubeactors.rpc.connection import Connection, TooLarge
from kubeactors.rpc.frames import Code, ConnectionBroken
from kubeactors.rpc.stream import Direct, Method, Request, Stream

logger = logging.getLogger(__name__)

UNIMPLEMENTED, INTERNAL, UNKNOWN, RESOURCE_EXHAUSTED, CANCELLED = 12, 13, 2, 8, 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a call that is not admitted."""

    code: grpc.StatusCode
    text: str
    trailing: Sequence[tuple[str, str | bytes]] = ()


#: Judges a call by its headers and its connection; None: it is admitted.
Admit = Callable[[Connection, Request], Refusal | None]


class RpcServer:
    """`max_message`: bytes of the largest message that is taken. `admit` refuses calls before their first message is
    read. `silence`: see Connection; the others: see Calls."""

    def __init__(
        self,
        max_message: int,
        silence: float | None = None,
        *,
        max_held: int | None = None,
        max_streams: int | None = None,
        admit: Admit | None = None,
    ) -> None:
        self._admit = admit
        self.max_message = max_message
        self.max_held = max_held
        self.max_streams = max_streams
        self._silence = silence
        self._methods: dict[bytes, Direct | Method] = {}
        self._listening: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self.faults = 0
        """Calls that ended by an error of ours, which is logged."""
        self.floods = 0
        """Connections that were ended because their clients asked for too much (GOAWAY, ENHANCE_YOUR_CALM)."""

    # ---- methods ----

    def add_direct(self, path: str, method: Direct) -> None:
        self._methods[path.encode()] = method

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Any: grpc's RpcMethodHandler, which has no types. What is there stays."""
        for name, handler in handlers.items():
            path = f"/{service}/{name}"
            self._methods.setdefault(path.encode(), _method(path, handler))

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Generated code registers each method once more in this way, which is not needed."""

    # ---- life ----

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Returns the port, a free one for 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self, self._silence),
            host,
            port,
            ssl=context,
            reuse_port=False,
            backlog=1024,
            start_serving=False,
        )
        self._listening.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def start(self) -> None:
        for server in self._listening:
            await server.start_serving()

    async def stop(self, grace: float) -> None:
        """New calls are refused at once, those under way have `grace` seconds."""
        for server in self._listening:
            server.close()
        for connection in self._connections:
            connection.drain()
        try:
            async with asyncio.timeout(grace):
                while any(connection.streams for connection in self._connections):
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            logger.info("calls are broken off at the stop")
        for connection in list(self._connections):
            connection.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._listening:
            await server.wait_closed()
        self._listening.clear()

    # ---- connections ----

    def connected(self, connection: Connection) -> None:
        self._connections.add(connection)

    def broken(self, connection: Connection, error: ConnectionBroken) -> None:
        if error.code is Code.ENHANCE_YOUR_CALM:
            self.floods += 1

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._idle.set()

    def request(self, found: Sequence[tuple[bytes, bytes]]) -> Request:
        fields = dict(found)
        path = fields.get(b":path", b"")
        text = path.decode("ascii", "replace")
        seconds = headers.timeout(fields.get(b"grpc-timeout", b""))
        method = self._methods.get(path)
        problem = ""
        if not fields.get(b"content-type", b"").startswith(b"application/grpc"):
            problem = "no gRPC"
        elif method is None:
            problem = f"unknown method {text}"
        return Request(method, text, headers.metadata(found), seconds, problem)

    # ---- calls ----

    def begin(self, connection: Connection, stream: Stream) -> None:
        request = stream.request
        method = request.method
        if request.problem:
            if method is None or request.problem != "no gRPC":
                connection.finish(stream, headers.trailers(UNIMPLEMENTED, request.problem))
            else:
                connection.refuse(stream, headers.NO_GRPC)
            return
        refusal = self._admit(connection, request) if self._admit is not None else None
        if refusal is not None:
            connection.finish(stream, headers.trailers(int(refusal.code.value[0]), refusal.text, refusal.trailing))
        elif type(method) is Method and method.request_streaming:
            call = Call(connection, stream, method)
            self._own(stream, self._run(call, stream, method, call.requests()))

    def message(self, connection: Connection, stream: Stream, message: bytes) -> None:
        method = stream.request.method
        if type(method) is Direct:
            if stream.messages is not None or stream.closed:
                return
            stream.messages = deque()  # there was one
            self._start(connection, stream, method, message)
        elif type(method) is Method and not stream.closed:
            if not method.request_streaming:
                call = Call(connection, stream, method)
                if stream.task is None:
                    self._own(stream, self._run(call, stream, method, message))
                return
            stream.deliver(message)

    def request_ended(self, connection: Connection, stream: Stream) -> None:
        if stream.closed:
            return
        method = stream.request.method
        if type(method) is Method and method.request_streaming:
            stream.wake()
        elif stream.messages is None:
            connection.finish(stream, headers.trailers(INTERNAL, "the request ended without a message"))

    def too_large(self, connection: Connection, stream: Stream, error: TooLarge) -> None:
        code = UNIMPLEMENTED if "compressed" in str(error) else RESOURCE_EXHAUSTED
        connection.finish(stream, headers.trailers(code, str(error)))
        if stream.task is not None:
            stream.task.cancel()

    def reset(self, stream: Stream) -> None:
        if stream.task is not None:
            stream.task.cancel()
        self._idle.set()

    def _start(self, connection: Connection, stream: Stream, method: Direct, message: bytes) -> None:
        failures = method.failures

        def answered(outcome: Any) -> None:
            if isinstance(outcome, failures):
                code, text = outcome.code, outcome.message  # type: ignore[attr-defined]  # see Direct
                connection.finish(stream, headers.trailers(code, text))
            else:
                connection.answer(stream, outcome.SerializeToString())
            if not connection.streams:
                self._idle.set()

        try:
            request = method.parse(message)
        except DecodeError as error:
            connection.finish(stream, headers.trailers(INTERNAL, f"the message cannot be read: {error}"))
            return
        try:
            refused = method.admit(request, stream.request.metadata) if method.admit is not None else None
            if refused is None:
                method.start(request, answered)
            else:
                answered(refused)
        except Exception as error:  # noqa: BLE001  it is logged
            connection.finish(stream, headers.trailers(UNKNOWN, self._fault(stream, error)))

    def _fault(self, stream: Stream, error: Exception) -> str:
        """A mistake of ours: it is logged and counted. Returns what the client is told."""
        self.faults += 1
        logger.error("%s failed", stream.request.path, exc_info=error)
        return f"Unexpected {type(error)}: {error}"

    def _own(self, stream: Stream, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        stream.task = task
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._idle.set()

    async def _run(self, call: Call, stream: Stream, method: Method, request: Any) -> None:
        """`request`: the message's bytes, or the iterator of them."""
        try:
            if not method.request_streaming:
                request = parsed(method, request)
            result = method.run(request, call)
            if inspect.isasyncgen(result):
                async for response in result:
                    await call.write(response)
            else:
                response = await result
                if not method.response_streaming and call.code() in (None, grpc.StatusCode.OK):
                    await call.write(response)
            call.finish()
        except grpc.aio.AbortError:
            call.finish()
        except asyncio.CancelledError:
            call.finish(grpc.StatusCode.CANCELLED, "the call was cancelled")
            raise
        except Unreadable as error:
            call.finish(grpc.StatusCode.INTERNAL, str(error))
        except Exception as error:  # noqa: BLE001  it is logged
            if isinstance(error, NotImplementedError) and call.code() is grpc.StatusCode.UNIMPLEMENTED:
                call.finish()  # generated code, which has said this of a method that the servicer lacks
            else:
                call.finish(grpc.StatusCode.UNKNOWN, self._fault(stream, error))


def _method(path: str, handler: Any) -> Method:
    """Any: see add_registered_method_handlers."""
    run: Callable[..., Any] = next(
        found
        for found in (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
        if found is not None
    )
    return Method(
        path,
        run,
        handler.request_streaming,
        handler.response_streaming,
        handler.request_deserializer,
        handler.response_serializer,
    )
