"""Forwarding a local port to a pod's: each local connection gets a stream of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kubeactors.api.errors import StatusError
from kubeactors.client.streams import PortStream
from kubeactors.client.transport import ConnectionLost

logger = logging.getLogger(__name__)

_PIECE = 32 * 1024
#: Seconds that the pod may go on sending after the local side has ended, where it cannot be told of that end.
_LINGER = 1.0


class PortForward:
    """Listens on `address`:`local_port` between `start` and `close`; a port of 0 lets the kernel choose."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[PortStream]],
        port: int,
        *,
        address: str = "127.0.0.1",
        local_port: int = 0,
    ) -> None:
        self._connect = connect
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = address
        self.local_port = local_port
        #: What the last connection that failed failed with; empty when none has.
        self.error = ""

    async def start(self) -> None:
        """Raises OSError when the local port cannot be had, StatusError or ConnectionLost when the pod is not there."""
        # A first connection shows whether there is such a pod before anybody depends on it.
        stream = await self._connect()
        await stream.close()
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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="port-forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            stream = await self._connect()
            try:
                await _join(stream, reader, writer)
            finally:
                await stream.close()
        except (StatusError, ConnectionLost, OSError) as error:
            self.error = str(error)
            logger.warning("forwarding a connection to port %d failed: %s", self._port, error)
        finally:
            writer.close()


async def _join(stream: PortStream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes bytes on both ways until the pod has ended its half. Raises what either side breaks with."""

    async def to_pod() -> bool:
        while data := await reader.read(_PIECE):
            await stream.send(data)
        return await stream.end_input()

    async def to_local() -> None:
        while data := await stream.receive():
            writer.write(data)
            await writer.drain()

    sending = asyncio.create_task(to_pod())
    receiving = asyncio.create_task(to_local())
    try:
        await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            told = not sending.exception() and sending.result()
            await asyncio.wait({receiving}, timeout=None if told else _LINGER)
    finally:
        sending.cancel()
        receiving.cancel()
        results = await asyncio.gather(receiving, sending, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
