"""The gRPC server's socket: mutual TLS, health and reflection."""

from __future__ import annotations

from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kubeactors.apiserver.grpc.service import SERVICE, ResourcesService

#: A frame of a session may hold many bodies.
_MAX_FRAME_BYTES = 64 * 1024 * 1024

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not take half of the calls
    ("grpc.max_receive_message_length", _MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", -1),  # lists of everything
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.keepalive_time_ms", 30000),
    ("grpc.keepalive_timeout_ms", 10000),
    ("grpc.server_handshake_timeout_ms", 10000),
)


class GrpcListener:
    """Serves the Resources service on one address."""

    def __init__(self, service: ResourcesService, certificate: Path, key: Path, client_ca: Path) -> None:
        self._service = service
        self._credentials = grpc.ssl_server_credentials(
            [(key.read_bytes(), certificate.read_bytes())],
            root_certificates=client_ca.read_bytes(),
            require_client_auth=True,
        )
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses if `port` is 0. Raises OSError."""
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((self._service.methods(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        address = f"[{host}]" if ":" in host else host
        try:
            chosen: int = server.add_secure_port(f"{address}:{port}", self._credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}:{port}: {error}") from error
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
