"""Bodies without an end: watches and logs.

A watch's frames are shared by all its watchers and go straight to the transport: no queue and no task per event.
What the transport cannot send waits in its buffer, and a watcher whose buffer passes the bound is cut off. It lists
again, which costs less than keeping its past.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

from aiohttp import web

from kubeactors.api.protobuf import encode_event
from kubeactors.apiserver.http.answer import DRAIN_TIMEOUT, Answer
from kubeactors.apiserver.http.connection import Connection
from kubeactors.apiserver.http.encode import as_beta, to_protobuf
from kubeactors.apiserver.request import JSON_LINES, WatchEncoding, WatchStream

logger = logging.getLogger(__name__)

_LAST_CHUNK = b"0\r\n\r\n"


def _chunk(events: Sequence[bytes]) -> bytes:
    body = b"".join(events)
    return b"%x\r\n%b\r\n" % (len(body), body)


#: Lines of JSON as chunks of HTTP/1.1.
CHUNKED_JSON_LINES = WatchEncoding("chunked-json-lines", JSON_LINES.encode, _chunk)
#: The same for clients that asked for meta.k8s.io/v1beta1.
CHUNKED_BETA = WatchEncoding(
    "chunked-json-lines-v1beta1", lambda type_, object_: JSON_LINES.encode(type_, as_beta(object_)), _chunk
)


def _protobuf_event(type_: str, object_: bytes) -> bytes:
    return encode_event(type_, to_protobuf(object_))


#: Events in protobuf, each behind its length.
PROTOBUF_EVENTS = WatchEncoding("protobuf", _protobuf_event)
CHUNKED_PROTOBUF_EVENTS = WatchEncoding("chunked-protobuf", _protobuf_event, _chunk)


class TransportSink:
    """Writes a watch's frames to a connection. Implements `WatchSink`."""

    def __init__(self, connection: Connection, max_buffer: int) -> None:
        self._connection = connection
        self._max_buffer = max_buffer
        #: Whether the watcher was too slow.
        self.overrun = False

    def deliver(self, frame: bytes) -> bool:
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(frame)
        if transport.get_write_buffer_size() > self._max_buffer + len(frame):
            self.overrun = True
            return False
        return True

    async def drain(self) -> None:
        async with asyncio.timeout(DRAIN_TIMEOUT):
            await self._connection._drain_helper()


async def send_watch(request: web.BaseRequest, watch: WatchStream, answer: Answer, max_buffer: int) -> Answer:
    """Run a watch until it ends or its client goes."""
    connection = cast(Connection, request.protocol)
    sink = TransportSink(connection, max_buffer)
    chunked = answer.start(request)
    with cancelled_when_lost(connection):
        await watch.run(sink)
    transport = connection.transport
    if transport is None:
        return answer
    if sink.overrun:
        logger.info("closing a slow watcher: %s", request.path_qs)
        transport.abort()
    elif chunked:
        transport.write(_LAST_CHUNK)
    return answer


async def send_stream(request: web.BaseRequest, chunks: AsyncIterator[bytes], answer: Answer) -> Answer:
    """Send what an iterator of bytes yields, waiting whenever the client is slower."""
    connection = cast(Connection, request.protocol)
    chunked = answer.start(request)
    with cancelled_when_lost(connection):
        async for data in chunks:
            transport = connection.transport
            if transport is None:
                return answer
            if data:
                transport.write(_chunk((data,)) if chunked else data)
                await connection._drain_helper()
    if chunked and connection.transport is not None:
        connection.transport.write(_LAST_CHUNK)
    return answer


@contextlib.contextmanager
def cancelled_when_lost(connection: Connection) -> Iterator[None]:
    """Cancel the current task when the client goes or the server stops, and end the block quietly then."""
    task = asyncio.current_task()
    lost = False

    def cancel() -> None:
        nonlocal lost
        lost = True
        if task is not None:
            task.cancel()

    connection.when_lost(cancel)
    try:
        yield
    except asyncio.CancelledError:
        if not lost or task is None or task.uncancel() > 0:
            raise
    finally:
        connection.when_lost(None)
