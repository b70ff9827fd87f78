"""A watch that survives reconnects: every change once, in order, without gaps."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from types import TracebackType

import grpc.aio

from kubeactors.pb.etcd import kv_pb2, rpc_pb2
from kubeactors.rpc.client import CallEnded
from kubeactors.store import errors
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.client.results import WatchBatch, events
from kubeactors.store.client.stream import WatchStream, open_watch

logger = logging.getLogger(__name__)

BACKOFF_FIRST, BACKOFF_LAST = 0.05, 2.0
CONNECT_TIMEOUT = 5.0
HASTY_TIMEOUT = 1.5
"""How long a member may take to confirm a watch while there are others that were not asked yet."""


class Watch:
    """An async iterator of WatchBatch over one stream. Close it, or use it as an async context manager.

    Iterating raises Compacted when changes that were not seen yet are gone: list anew and watch from there. A lost
    connection is made again without end; cancelling one wait loses nothing. `endpoints` may change meanwhile.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        tls: TlsFiles | None,
        request: rpc_pb2.WatchCreateRequest,
    ) -> None:
        self._endpoints = endpoints
        self._tls = tls
        self._request = request
        self._turn = 0
        self._failures = 0
        self._stream: WatchStream | None = None
        self._fragments: list[kv_pb2.Event] = []
        self._closed = False

    @property
    def next_revision(self) -> int:
        """The first revision not yet seen; 0 before the store has confirmed a watch "from now on"."""
        return self._request.start_revision

    async def __aenter__(self) -> Watch:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Watch:
        return self

    async def start(self) -> None:
        """Returns once the store has confirmed the watch. Iterating does the same by itself."""
        while self._stream is None:
            if self._closed:
                raise StopAsyncIteration
            try:
                await self._connect()
            except (CallEnded, OSError, TimeoutError) as error:
                await self._lost(error)

    async def request_progress(self) -> None:
        """Ask for a batch (possibly empty) that tells how far the watch has come. Nothing while disconnected."""
        if self._stream is not None:
            try:
                await self._stream.write(rpc_pb2.WatchRequest(progress_request=rpc_pb2.WatchProgressRequest()))
            except CallEnded as error:
                logger.debug("progress not asked for, the connection is gone: %s", error)

    async def __anext__(self) -> WatchBatch:
        while True:
            await self.start()
            assert self._stream is not None
            try:
                response = await self._stream.read()
            except CallEnded as error:
                await self._lost(error)
                continue
            if response is grpc.aio.EOF:
                await self._lost(ConnectionError("the member ended the watch"))
                continue
            self._failures = 0
            batch = self._take(response)
            if batch is not None:
                return batch

    async def close(self) -> None:
        self._end()

    aclose = close

    async def _connect(self) -> None:
        endpoint = self._endpoints[self._turn % len(self._endpoints)]
        hasty = self._failures < len(self._endpoints) - 1
        stream: WatchStream | None = None
        try:
            async with asyncio.timeout(HASTY_TIMEOUT if hasty else CONNECT_TIMEOUT):
                stream = await open_watch(endpoint, self._tls)
                await stream.write(rpc_pb2.WatchRequest(create_request=self._request))
                response = await stream.read()
            if response is grpc.aio.EOF:
                raise ConnectionError("the member ended the watch at once")
            self._stream = stream
        finally:
            if stream is not None and self._stream is None:
                stream.close()
        self._fragments.clear()
        if response.canceled:
            self._take(response)
        if not self._request.start_revision:
            self._request.start_revision = response.header.revision + 1

    def _take(self, response: rpc_pb2.WatchResponse) -> WatchBatch | None:
        if response.canceled:
            self._end()
            if response.compact_revision:
                raise errors.Compacted(compact_revision=response.compact_revision)
            raise errors.InvalidRequest(response.cancel_reason or "the store cancelled the watch")
        if response.fragment:
            self._fragments.extend(response.events)
            return None
        encoded = [*self._fragments, *response.events]
        self._fragments.clear()
        if encoded:
            revision = encoded[-1].kv.mod_revision
        elif response.created:
            return None
        else:
            revision = response.header.revision
        # A member that lags behind tells of progress that another one has gone beyond.
        revision = max(revision, self._request.start_revision - 1)
        self._request.start_revision = revision + 1
        return WatchBatch(events(encoded), revision)

    async def _lost(self, error: BaseException) -> None:
        self._drop()
        self._turn += 1
        self._failures += 1
        text = str(error) or type(error).__name__
        logger.info("watch of %r interrupted: %s", self._request.key, text)
        others = len(self._endpoints) - 1
        delay = min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** min(max(0, self._failures - others), 10))
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    def _end(self) -> None:
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
