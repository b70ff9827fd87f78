"""The proxy to a node's own port: pages that the agent gives by gRPC, in place of kubelet's HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio
from aiohttp import web

from kubeactors.api import errors
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.http.query import split_target
from kubeactors.apiserver.streams.proxy.urls import backend_path
from kubeactors.pb.node.v1 import node_pb2
from kubeactors.pb.node.v1.node_pb2_grpc import NodeStub

#: Seconds in which an agent must answer.
TIMEOUT = 30.0


class AgentConnector:
    """Implements `Connector`. `below` is the decoded path below `proxy`; `connect` gives the agent at `address`."""

    def __init__(self, address: str, below: str, connect: Callable[[str], Awaitable[NodeStub]]) -> None:
        self._address = address
        self._below = below
        self._connect = connect

    async def serve(self, http: web.BaseRequest) -> web.StreamResponse:
        path = backend_path(self._below, split_target(http._message.path).path)
        if not path and http.method in ("GET", "HEAD"):
            request_path, _, query = http._message.path.partition("?")
            to = f"{request_path}/" + (f"?{query}" if query else "")
            return Answer(301, b"", "", (("Location", to),))
        if http.method not in ("GET", "HEAD"):
            return Answer(405, b"Method Not Allowed\n", "text/plain; charset=utf-8", (("Allow", "GET"),))
        try:
            async with asyncio.timeout(TIMEOUT):
                stub = await self._connect(self._address)
                found: node_pb2.GetAnswer = await stub.Get(node_pb2.GetRequest(path=path))
        except (grpc.aio.AioRpcError, TimeoutError, OSError) as error:
            reason = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error) or "i/o timeout"
            message = f"error trying to reach service: dial tcp {self._address}: {reason}"
            raise errors.service_unavailable(message) from error
        return Answer(found.status, found.body, found.content_type)
