"""The SPDY side of port-forward: a pair of streams for each connection, one for errors, one for data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kubeactors.apiserver.streams.spdy.connection import ByteStream, SpdyConnection, SpdyStream
from kubeactors.apiserver.streams.spdy.frames import SpdyError

logger = logging.getLogger(__name__)

#: Seconds between the first and the second stream of a pair.
PAIR_TIMEOUT = 30.0


@dataclass
class _Pair:
    data: SpdyStream | None = None
    error: SpdyStream | None = None
    complete: asyncio.Event = field(default_factory=asyncio.Event)


def check_headers(headers: dict[str, str]) -> str | None:
    """What is wrong with the headers of a stream, if anything is."""
    port = headers.get("port", "")
    if not port:
        return '"port" header is required'
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        return f'unable to parse "{port}" as a port'
    if headers.get("streamtype") not in ("data", "error"):
        return f'invalid stream type "{headers.get("streamtype", "")}"'
    return None


def request_id(stream: SpdyStream) -> str:
    """Which pair a stream belongs to. Clients before Kubernetes 1.2 do not say: theirs come one after the other."""
    named = stream.headers.get("requestid", "")
    if named:
        return named
    return str(stream.number if stream.headers["streamtype"] == "error" else stream.number - 2)


class ForwardStreams:
    """Serves one SPDY connection.

    `forward(port, stream)` serves a forwarded connection and tells what went wrong, if anything.
    """

    def __init__(self, stream: ByteStream, forward: Callable[[int, SpdyStream], Awaitable[str]]) -> None:
        self._connection = SpdyConnection(stream, check_headers)
        self._forward = forward
        self._pairs: dict[str, _Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the client has gone."""
        running = asyncio.create_task(self._connection.run(), name="spdy")
        try:
            while (stream := await self._connection.accept()) is not None:
                self._add(stream)
            await asyncio.wait({running})
        finally:
            running.cancel()
            for task in self._tasks:
                task.cancel()
            results = await asyncio.gather(running, *self._tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, SpdyError):
                    logger.info("a SPDY client broke the protocol: %s", result)
                elif isinstance(result, Exception) and not isinstance(result, ConnectionError):
                    logger.error("port forwarding failed", exc_info=result)

    def _add(self, stream: SpdyStream) -> None:
        name = request_id(stream)
        pair = self._pairs.get(name)
        if pair is None:
            pair = self._pairs[name] = _Pair()
            task = asyncio.create_task(self._serve(name, pair), name="port-forward")
            self._tasks.add(task)
            task.add_done_callback(self._done)
        kind = stream.headers["streamtype"]
        if getattr(pair, kind) is not None:
            logger.info("a client opened the %s stream of request %s twice", kind, name)
            stream.discard()
            return
        setattr(pair, kind, stream)
        if kind == "error":
            stream.discard()
        if pair.data is not None and pair.error is not None:
            pair.complete.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, ConnectionError):
            logger.error("a forwarded connection failed", exc_info=error)

    async def _serve(self, name: str, pair: _Pair) -> None:
        try:
            async with asyncio.timeout(PAIR_TIMEOUT):
                await pair.complete.wait()
        except TimeoutError:
            logger.info("timed out waiting for the streams of request %s", name)
            if pair.error is not None:
                await pair.error.write(f"(request={name}) timed out waiting for streams".encode())
                await pair.error.close()
            return
        finally:
            self._pairs.pop(name, None)
        data, error = pair.data, pair.error
        assert data is not None and error is not None
        try:
            if message := await self._forward(int(data.headers["port"]), data):
                logger.info("%s", message)
                await error.write(message.encode())
        finally:
            await data.close()
            data.discard()
            await error.close()
