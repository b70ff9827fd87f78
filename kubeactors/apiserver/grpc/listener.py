"""The gRPC server's socket, its health and its reflection."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from kubeactors.apiserver.grpc.caller import SERVICE, admit
from kubeactors.apiserver.grpc.service import ResourcesService
from kubeactors.apiserver.metrics.families import Counter, Family
from kubeactors.rpc.server import RpcServer

#: A frame of a session, or a batch, may hold many bodies.
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_MAX_HELD_BYTES = 2 * _MAX_MESSAGE_BYTES
#: Calls under way on one connection. A client that wants more watches takes WatchMany.
_MAX_STREAMS = 1000


class GrpcListener:
    """Serves the Resources service on one address."""

    def __init__(self, service: ResourcesService, context: ssl.SSLContext) -> None:
        self._service = service
        self._context = context
        self._health = health.aio.HealthServicer()
        self._server: RpcServer | None = None

    def metrics(self) -> Iterable[Family]:
        """What the server counts."""
        if self._server is None:
            return ()
        faults = Counter("apiserver_grpc_faults_total", "gRPC calls that ended by an error that nobody expected.", ())
        faults.child().value = self._server.faults + self._service.faults
        floods = Counter(
            "apiserver_grpc_floods_total",
            "gRPC connections that were ended because their clients asked for too much.",
            (),
        )
        floods.child().value = self._server.floods
        return faults, floods

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses if `port` is 0. Raises OSError."""
        server = RpcServer(_MAX_MESSAGE_BYTES, max_held=_MAX_HELD_BYTES, max_streams=_MAX_STREAMS, admit=admit)
        server.add_registered_method_handlers(SERVICE, self._service.methods())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection.aio.ReflectionServicer(names), server)
        chosen = await server.listen(host, port, self._context)
        await server.start()
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server = server
        return chosen

    async def stop(self, grace: float) -> None:
        """Accept no more, let calls under way go on for `grace` seconds, then end every call."""
        if self._server is None:
            return
        await self._health.enter_graceful_shutdown()
        self._service.end_streams()
        await self._server.stop(grace)
        self._server = None
