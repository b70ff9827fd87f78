"""The gRPC server's sockets: mutual TLS, and TLS for those who have a token; health and reflection."""

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
    """Serves the Resources service on one address, on a second port for clients without a certificate.

    gRPC's servers either demand a client's certificate or do not ask for one, so that one port cannot be for both.
    """

    def __init__(self, service: ResourcesService, certificate: Path, key: Path, client_ca: Path) -> None:
        self._service = service
        pair = (key.read_bytes(), certificate.read_bytes())
        self._mutual = grpc.ssl_server_credentials(
            [pair], root_certificates=client_ca.read_bytes(), require_client_auth=True
        )
        self._one_sided = grpc.ssl_server_credentials([pair])
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        #: Where clients with a token are served; 0: nowhere.
        self.token_port = 0

    async def start(self, host: str, port: int, token_port: int | None = None) -> int:
        """Listen; returns the port, which the kernel chooses if `port` is 0. `token_port` None: no second port.

        Raises OSError.
        """
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((self._service.methods(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        address = f"[{host}]" if ":" in host else host
        chosen = _listen(server, f"{address}:{port}", self._mutual)
        if token_port is not None:
            self.token_port = _listen(server, f"{address}:{token_port}", self._one_sided)
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


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials) -> int:
    try:
        chosen: int = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from error
    return chosen
