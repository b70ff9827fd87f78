"""The HTTPS server's socket: TLS, limits on handshakes, and an orderly end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from kubeactors.apiserver.http.connection import ConnectionServer

#: Seconds for a TLS handshake; a client that does not finish it is dropped.
HANDSHAKE_TIMEOUT = 10.0
#: Seconds to wait for a client's half of the end of TLS.
SHUTDOWN_TIMEOUT = 2.0
_BACKLOG = 1024


class HttpsListener:
    """Serves one handler on one address."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], context: ssl.SSLContext
    ) -> None:
        self._handler = handler
        self._context = context
        self._connections: ConnectionServer | None = None
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses if `port` is 0. Raises OSError."""
        self._connections = ConnectionServer(self._handler)
        self._server = await asyncio.get_running_loop().create_server(
            self._connections,
            host,
            port,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
            backlog=_BACKLOG,
            reuse_address=True,
        )
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def stop(self, grace: float) -> None:
        """Accept no more, let requests under way go on for `grace` seconds, then end every connection."""
        if self._server is None or self._connections is None:
            return
        self._server.close()
        self._connections.end_streams()
        self._connections.pre_shutdown()
        await self._connections.shutdown(grace)
        self._server = self._connections = None

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections.connections) if self._connections is not None else 0
