"""The clients of exec and attach: WebSocket channels, and SPDY streams. Both look alike to `commands.py`."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from aiohttp import WSMsgType, web

from kubeactors.apiserver.streams import channels, statuses
from kubeactors.apiserver.streams.channels import Codec, SizeReader
from kubeactors.apiserver.streams.options import CommandOptions
from kubeactors.apiserver.streams.spdy.connection import SpdyConnection, SpdyStream
from kubeactors.apiserver.streams.spdy.frames import CANCEL, SpdyError
from kubeactors.apiserver.streams.statuses import Status

logger = logging.getLogger(__name__)

#: Seconds in which a SPDY client must open its streams (kubelet's DefaultStreamCreationTimeout).
CREATION_TIMEOUT = 30.0
#: Seconds that a SPDY client has to read the rest and close, once everything was sent.
_SPDY_END_TIMEOUT = 10.0


class CommandInput(Protocol):
    """Where a client's input goes."""

    async def stdin(self, data: bytes) -> None: ...

    async def end_of_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...


class CommandClient(Protocol):
    """The client's end of a command."""

    async def feed(self, sink: CommandInput) -> None:
        """Pass on what the client sends; returns when the client has gone."""
        ...

    async def stdout(self, data: bytes) -> None:
        """Waits while the client is slow. Raises ConnectionError."""
        ...

    async def stderr(self, data: bytes) -> None: ...

    async def finish(self, status: Status) -> None:
        """Send how it ended and close, once the client has read all."""
        ...


class ChannelClient:
    """A WebSocket."""

    def __init__(self, socket: web.WebSocketResponse[bool], codec: Codec, options: CommandOptions) -> None:
        self._socket = socket
        self._codec = codec
        self._options = options

    async def greet(self) -> None:
        """An empty message on the lowest channel that we write: the connection stands."""
        options = self._options
        lowest = channels.STDOUT if options.stdout else channels.STDERR if options.stderr else channels.ERROR
        await self._send(lowest, b"")

    async def feed(self, sink: CommandInput) -> None:
        sizes = SizeReader()
        while True:
            message = await self._socket.receive()
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return
            decoded = self._codec.decode(message.data)
            if decoded is None:
                continue
            channel, data = decoded
            if channel == channels.STDIN and self._options.stdin:
                await sink.stdin(data)
            elif channel == channels.RESIZE:
                for width, height in sizes.feed(data):
                    await sink.resize(width, height)
            elif channel == channels.CLOSE and self._codec.protocol == channels.V5 and data == b"\0":
                await sink.end_of_stdin()

    async def stdout(self, data: bytes) -> None:
        await self._send(channels.STDOUT, data)

    async def stderr(self, data: bytes) -> None:
        await self._send(channels.STDERR, data)

    async def finish(self, status: Status) -> None:
        text = statuses.encode(status, as_json=self._codec.json_status)
        if text:
            await self._send(channels.ERROR, text)
        await self._socket.close()

    async def _send(self, channel: int, data: bytes) -> None:
        message = self._codec.encode(channel, data)
        if self._codec.base64:
            await self._socket.send_str(message.decode())
        else:
            await self._socket.send_bytes(message)


class SpdyClient:
    """SPDY streams: error, and stdin, stdout, stderr and resize as far as they are wanted."""

    def __init__(self, connection: SpdyConnection, protocol: str, options: CommandOptions) -> None:
        self._connection = connection
        self._json_status = protocol.startswith(("v4.", "v5."))
        self._wanted = {"error"}
        for name in ("stdin", "stdout", "stderr"):
            if getattr(options, name):
                self._wanted.add(name)
        if options.tty and protocol.startswith(("v3.", "v4.", "v5.")):
            self._wanted.add("resize")
        self._streams: dict[str, SpdyStream] = {}
        self._running = asyncio.create_task(connection.run(), name="spdy")

    async def open(self) -> bool:
        """Wait for the client's streams; False when it did not open them in time."""
        try:
            async with asyncio.timeout(CREATION_TIMEOUT):
                while self._wanted - self._streams.keys():
                    stream = await self._connection.accept()
                    if stream is None:
                        return False
                    self._streams[stream.headers.get("streamtype", "")] = stream
        except TimeoutError:
            logger.info("timed out waiting for a client to create streams")
            return False
        self._connection.refuse_streams()
        for name, stream in self._streams.items():
            if name not in ("stdin", "resize"):
                stream.discard()
        return True

    async def feed(self, sink: CommandInput) -> None:
        tasks = []
        if stdin := self._streams.get("stdin"):
            tasks.append(asyncio.create_task(self._feed_stdin(stdin, sink)))
        if resize := self._streams.get("resize"):
            tasks.append(asyncio.create_task(self._feed_sizes(resize, sink)))
        try:
            await asyncio.wait({self._running})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _feed_stdin(self, stream: SpdyStream, sink: CommandInput) -> None:
        while data := await stream.read():
            await sink.stdin(data)
        await sink.end_of_stdin()

    async def _feed_sizes(self, stream: SpdyStream, sink: CommandInput) -> None:
        sizes = SizeReader()
        while data := await stream.read():
            for width, height in sizes.feed(data):
                await sink.resize(width, height)

    async def stdout(self, data: bytes) -> None:
        await self._streams["stdout"].write(data)

    async def stderr(self, data: bytes) -> None:
        await self._streams["stderr"].write(data)

    async def finish(self, status: Status) -> None:
        for name in ("stdout", "stderr"):
            if name in self._streams:
                await self._streams[name].close()
        error = self._streams["error"]
        if text := statuses.encode(status, as_json=self._json_status):
            await error.write(text)
        await error.close()
        for name in ("stdin", "resize"):
            if name in self._streams:
                self._streams[name].discard()
                await self._streams[name].reset(CANCEL)
        await self._connection.go_away()
        # A client that reads slowly has the rest in its socket; it closes when it has all.
        await asyncio.wait({self._running}, timeout=_SPDY_END_TIMEOUT)

    async def close(self) -> None:
        """End the reading."""
        self._running.cancel()
        results = await asyncio.gather(self._running, return_exceptions=True)
        for result in results:
            if isinstance(result, SpdyError):
                logger.info("a SPDY client broke the protocol: %s", result)
            elif isinstance(result, Exception) and not isinstance(result, ConnectionError):
                logger.error("a SPDY connection failed", exc_info=result)
