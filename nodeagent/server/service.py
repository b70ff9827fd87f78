"""What the agent serves to the API server on port 10250: kubeactors.node.v1.Node over mutual TLS."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc

from kubeactors.api.meta import parse_time
from kubeactors.pb.node.v1 import node_pb2, node_pb2_grpc
from nodeagent.config import NodeAgentConfig
from nodeagent.logs.reader import LogOptions, read_log
from nodeagent.pods.manager import PodManager
from nodeagent.pods.state import ContainerState, Run
from nodeagent.pods.status import not_started_reason
from nodeagent.pods.worker import PodWorker
from nodeagent.runtime.interface import Runtime
from nodeagent.server.pages import Health, Pages
from nodeagent.streams.commands import Commands
from nodeagent.streams.port_forward import PortForwarder
from nodeagent.streams.refusal import Refusal

logger = logging.getLogger(__name__)

_OPTIONS = [
    # API servers ping idle connections every 30 s to find dead nodes.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
]


class NodeService(node_pb2_grpc.NodeServicer):
    def __init__(self, pods: PodManager, runtime: Runtime, health: Health) -> None:
        self._pods = pods
        self._pages = Pages(pods, health)
        self._commands = Commands(runtime, pods)
        self._ports = PortForwarder(pods)

    async def Exec(  # type: ignore[override]
        self, request_iterator: AsyncIterator[node_pb2.CommandInput], context: grpc.aio.ServicerContext
    ) -> None:
        await _serve(self._commands.exec, request_iterator, context)

    async def Attach(  # type: ignore[override]
        self, request_iterator: AsyncIterator[node_pb2.CommandInput], context: grpc.aio.ServicerContext
    ) -> None:
        await _serve(self._commands.attach, request_iterator, context)

    async def PortForward(  # type: ignore[override]
        self, request_iterator: AsyncIterator[node_pb2.PortForwardInput], context: grpc.aio.ServicerContext
    ) -> None:
        await _serve(self._ports.forward, request_iterator, context)

    async def Get(self, request: node_pb2.GetRequest, context: grpc.aio.ServicerContext) -> node_pb2.GetAnswer:
        return await self._pages.get(request.path)

    async def Logs(
        self, request: node_pb2.LogsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[node_pb2.LogsChunk]:
        try:
            options = log_options(request, datetime.now(UTC))
            worker, container, run = self._find(request)
            path = worker.paths.log(container.name, run.attempt)

            def is_running() -> bool:
                return container.run is run and run.status != "exited"

            async for piece in read_log(path, options, is_running):
                yield node_pb2.LogsChunk(data=piece)
        except Refusal as refusal:
            await context.abort(refusal.code, str(refusal))
        except FileNotFoundError:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"unable to retrieve container logs for {request.container}: no log file"
            )

    def _find(self, request: node_pb2.LogsRequest) -> tuple[PodWorker, ContainerState, Run]:
        worker = self._pods.find(request.namespace, request.pod, request.uid)
        if worker is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f'pod "{request.pod}" not found')
        container = worker.state.containers.get(request.container)
        if container is None:
            raise Refusal(
                grpc.StatusCode.NOT_FOUND, f"container {request.container} is not valid for pod {request.pod}"
            )
        where = f'container "{container.name}" in pod "{request.pod}"'
        if request.previous:
            previous = container.last
            if container.has_exited and container.waiting is not None:
                previous = container.run  # it waits for its restart: what ended is the previous one
            if previous is None:
                raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f"previous terminated {where} not found")
            return worker, container, previous
        if container.run is None or container.run.status == "created":
            waiting = container.waiting
            reason = waiting.reason if waiting else not_started_reason(worker.pod)
            if waiting is not None and reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName"):
                raise Refusal(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"{where} is waiting to start: {_why(reason)}",
                )
            if container.last is None:
                raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f"{where} is waiting to start: {reason}")
            return worker, container, container.last
        return worker, container, container.run


async def _serve(
    serve: Callable[[Any, Any], Awaitable[None]], inputs: AsyncIterator[Any], context: grpc.aio.ServicerContext
) -> None:
    try:
        await serve(inputs, context.write)
    except Refusal as refusal:
        await context.abort(refusal.code, str(refusal))


def _why(reason: str) -> str:
    return {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}.get(
        reason, "image name is not valid"
    )


def log_options(request: node_pb2.LogsRequest, now: datetime) -> LogOptions:
    """Raises Refusal for times that are none."""
    since = None
    if request.HasField("since_seconds"):
        since = now - timedelta(seconds=request.since_seconds)
    elif request.since_time:
        try:
            since = parse_time(request.since_time)
        except ValueError as error:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
    return LogOptions(
        follow=request.follow,
        timestamps=request.timestamps,
        tail_lines=request.tail_lines if request.HasField("tail_lines") else None,
        since=since,
        limit_bytes=request.limit_bytes if request.HasField("limit_bytes") else None,
    )


class OnlyApiServer(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets in the one certificate name that may ask; everyone else's certificate is good for nothing here."""

    def __init__(self, common_name: str) -> None:
        self._common_name = common_name

    async def intercept_service(self, continuation, handler_call_details):  # type: ignore[no-untyped-def]
        handler = await continuation(handler_call_details)
        if handler is None:
            return None

        async def check(context: grpc.aio.ServicerContext) -> None:
            names = context.auth_context().get("x509_common_name") or []
            if [name.decode(errors="replace") for name in names] != [self._common_name]:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this certificate may not call a node agent")

        if handler.request_streaming:

            async def checked_stream(requests, context):  # type: ignore[no-untyped-def]
                await check(context)
                await handler.stream_stream(requests, context)

            return grpc.stream_stream_rpc_method_handler(
                checked_stream,
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )

        if not handler.response_streaming:

            async def checked_call(request, context):  # type: ignore[no-untyped-def]
                await check(context)
                return await handler.unary_unary(request, context)

            return grpc.unary_unary_rpc_method_handler(
                checked_call,
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )

        async def checked(request, context):  # type: ignore[no-untyped-def]
            await check(context)
            async for message in handler.unary_stream(request, context):
                yield message

        return grpc.unary_stream_rpc_method_handler(
            checked, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )


class NodeServer:
    """The listening server. `port` is known after `start`."""

    def __init__(self, config: NodeAgentConfig, pods: PodManager, runtime: Runtime, health: Health) -> None:
        self._config = config
        self._service = NodeService(pods, runtime, health)
        self._server: grpc.aio.Server | None = None
        self.port = config.port

    async def start(self) -> None:
        """Raises OSError when the certificates cannot be read or the address cannot be had."""
        config = self._config
        secured = config.tls_cert is not None and config.tls_key is not None and config.client_ca is not None
        interceptors = [OnlyApiServer(config.client_common_name)] if secured else []
        self._server = grpc.aio.server(options=_OPTIONS, interceptors=interceptors)
        node_pb2_grpc.add_NodeServicer_to_server(self._service, self._server)
        try:
            if config.tls_cert is not None and config.tls_key is not None and config.client_ca is not None:
                address = f"{config.bind_address}:{config.port}"
                credentials = _credentials(config.tls_cert, config.tls_key, config.client_ca)
                self.port = self._server.add_secure_port(address, credentials)
            else:
                self.port = self._server.add_insecure_port(f"127.0.0.1:{config.port}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on port {config.port}: {error}") from error
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(grace=0.5)
            self._server = None


def _credentials(certificate: Path, key: Path, ca: Path) -> grpc.ServerCredentials:
    pair = (key.read_bytes(), certificate.read_bytes())
    return grpc.ssl_server_credentials([pair], root_certificates=ca.read_bytes(), require_client_auth=True)
