"""Forwarding a local port to a pod's: each local connection gets a WebSocket (v4.channel.k8s.io, channels 0 and 1)."""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from kubeactors.api.errors import StatusError
from kubeactors.client.command import WebSockets, path_of
from kubeactors.client.transport import ConnectionLost

logger = logging.getLogger(__name__)

_PROTOCOLS = ("v4.channel.k8s.io",)
_PIECE = 32 * 1024
#: Seconds that the pod may go on sending after the local side has ended.
_LINGER = 1.0


class PortForward:
    """Listens on `address`:`local_port` between `start` and `close`; a port of 0 lets the kernel choose."""

    def __init__(
        self,
        sockets: WebSockets,
        namespace: str,
        pod: str,
        port: int,
        *,
        address: str = "127.0.0.1",
        local_port: int = 0,
        timeout: float,
    ) -> None:
        self._sockets = sockets
        self._path = path_of(namespace, pod, "portforward")
        self._port = port
        self._timeout = timeout
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = address
        self.local_port = local_port
        #: What the last connection that failed failed with; empty when none has.
        self.error = ""

    async def start(self) -> None:
        """Raises OSError when the local port cannot be had, StatusError or ConnectionLost when the pod is not there."""
        # A first connection shows whether there is such a pod before anybody depends on it.
        socket = await self._connect()
        await socket.close()
        self._server = await asyncio.start_server(self._accept, self.address, self.local_port)
        self.local_port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """The local end as an http:// URL."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.local_port}"

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        return await self._sockets.websocket(self._path, [("ports", str(self._port))], _PROTOCOLS, self._timeout)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="port-forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            socket = await self._connect()
            try:
                await self._join(socket, reader, writer)
            finally:
                await socket.close()
        except (StatusError, ConnectionLost, OSError, aiohttp.ClientError) as error:
            self.error = str(error)
            logger.warning("forwarding a connection to port %d failed: %s", self._port, error)
        finally:
            writer.close()

    async def _join(
        self, socket: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async def to_pod() -> None:
            while data := await reader.read(_PIECE):
                await socket.send_bytes(b"\0" + data)

        sending = asyncio.create_task(to_pod())
        receiving = asyncio.create_task(self._to_local(socket, writer))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await asyncio.wait({receiving}, timeout=_LINGER)
        finally:
            sending.cancel()
            receiving.cancel()
            results = await asyncio.gather(sending, receiving, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _to_local(self, socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
        announced = {0: False, 1: False}  # each channel begins with the port
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel not in announced:
                continue
            if not announced[channel]:
                announced[channel] = True
                data = data[2:]
            if not data:
                continue
            if channel == 1:
                self.error = data.decode(errors="replace")
                logger.warning("%s", self.error)
                return
            writer.write(data)
            await writer.drain()
