"""pods/log: which container is meant, and its log from the node agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from kubeactors.api import errors, fielderrors, go_time
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.node.connections import NodeConnections, agent_address
from kubeactors.apiserver.node.containers import choose_container
from kubeactors.apiserver.request import LogOptions, Request, Response
from kubeactors.pb.node.v1 import node_pb2

logger = logging.getLogger(__name__)

# How long to wait for the agent's first word, in seconds. A log that is followed may have nothing to say for long; then
# the answer begins without it.
_FIRST_WORD = 30.0
_FIRST_WORD_FOLLOWING = 1.0
_NO_LIMIT = LogOptions()

Find = Callable[[str, str], Awaitable[Object]]


def check_log_options(pod: str, options: LogOptions) -> None:
    """Raises StatusError: 400 for a time that is none, 422 for values that are not allowed."""
    if options.since_time:
        try:
            go_time.parse(options.since_time)
        except ValueError as error:
            raise errors.bad_request(str(error)) from error
    found = []
    if options.tail_lines is not None and options.tail_lines < 0:
        message = "must be greater than or equal to 0"
        found.append(fielderrors.invalid("tailLines", options.tail_lines, message))
    if options.limit_bytes is not None and options.limit_bytes < 1:
        found.append(fielderrors.invalid("limitBytes", options.limit_bytes, "must be greater than 0"))
    if options.since_seconds is not None and options.since_time:
        message = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        found.append(fielderrors.forbidden("", message))
    elif options.since_seconds is not None and options.since_seconds < 1:
        found.append(fielderrors.invalid("sinceSeconds", options.since_seconds, "must be greater than 0"))
    if options.stream is not None:
        # Behind a feature gate that is off by default (PodLogsQuerySplitStreams, alpha).
        found.append(fielderrors.forbidden("stream", "may not be specified"))
    if found:
        raise errors.invalid("PodLogOptions", pod, found)


class PodLogs:
    """`find_pod(namespace, name)` and `find_node("", name)` give objects or raise StatusError (404)."""

    def __init__(self, connections: NodeConnections, find_pod: Find, find_node: Find) -> None:
        self._connections = connections
        self._find_pod = find_pod
        self._find_node = find_node

    async def log(self, request: Request) -> Response:
        """The log as a stream. Raises StatusError, with kubelet's words where the agent refuses."""
        options = request.options.log or _NO_LIMIT
        pod = await self._find_pod(request.namespace, request.name)
        check_log_options(request.name, options)
        container = choose_container(pod, options.container)
        node_name = (pod.get("spec") or {}).get("nodeName")
        if not node_name:
            return Response(204, content_type="text/plain")
        node = await self._find_node("", node_name)
        address = agent_address(node)
        if address is None:
            raise errors.unknown(f"no preferred addresses found; known addresses: [] of node {node_name}")
        message = node_pb2.LogsRequest(
            namespace=request.namespace,
            pod=request.name,
            uid=pod["metadata"].get("uid") or "",
            container=container,
            follow=options.follow,
            previous=options.previous,
            timestamps=options.timestamps,
            tail_lines=options.tail_lines,
            since_seconds=options.since_seconds,
            since_time=options.since_time,
            limit_bytes=options.limit_bytes,
        )
        try:
            stub = await self._connections.stub(address)
        except OSError as error:
            raise errors.internal(f"the certificates for node agents cannot be read: {error}") from error
        call = stub.Logs(message)
        stream = await self._begin(call, request, address, follow=options.follow)
        return Response(200, stream=stream, content_type="text/plain")

    async def _begin(self, call: Any, request: Request, address: str, *, follow: bool) -> AsyncIterator[bytes]:
        """Wait until it is known whether the agent has the log; then the stream of its bytes."""
        first: asyncio.Task[Any] = asyncio.ensure_future(call.read())
        try:
            limit = _FIRST_WORD_FOLLOWING if follow else _FIRST_WORD
            await asyncio.wait({first}, timeout=limit)
            if not first.done() and not follow:
                raise errors.unknown(f"the node agent at {address} did not answer within {_FIRST_WORD:g} s")
            if first.done():
                first.result()
        except grpc.aio.AioRpcError as error:
            raise _refusal(error, request, address) from error
        except BaseException:
            first.cancel()
            call.cancel()
            raise
        return _stream(call, first)


async def _stream(call: Any, first: asyncio.Task[Any]) -> AsyncIterator[bytes]:
    try:
        chunk = await first
        while chunk is not grpc.aio.EOF:
            yield chunk.data
            chunk = await call.read()
    except grpc.aio.AioRpcError as error:
        # The answer has begun; there is no place for an error in it any more.
        logger.info("a log ended early: %s", error.details())
    finally:
        first.cancel()
        call.cancel()


def _refusal(error: grpc.aio.AioRpcError, request: Request, address: str) -> StatusError:
    details = error.details() or "no reason given"
    code = error.code()
    if code is grpc.StatusCode.NOT_FOUND:
        message = f"the server could not find the requested resource ( pods/log {request.name})"
        causes = [{"reason": "UnexpectedServerResponse", "message": details}]
        about = {"name": request.name, "kind": "pods/log", "causes": causes}
        return StatusError(errors.status_failure(404, "NotFound", message, about))
    if code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT):
        return errors.bad_request(details)
    if code is grpc.StatusCode.UNAVAILABLE:
        return errors.unknown(f'Get "https://{address}/containerLogs/{request.namespace}/{request.name}": {details}')
    return errors.internal(details)
