"""gRPC to an API server: one connection at a time, to whichever endpoint answers, replaced when it dies."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc

from kubeactors.api.errors import StatusError
from kubeactors.client.backoff import Backoff
from kubeactors.client.calls import Call, ListCall, LogsCall, RawEvent, Reply, WatchCall
from kubeactors.client.discovery import ServedResource
from kubeactors.client.grpc_messages import (
    failure,
    list_reply,
    list_request,
    logs_request,
    served_resources,
)
from kubeactors.client.grpc_session import Session, cancelled_by_caller
from kubeactors.client.grpc_streams import GrpcCommand, GrpcPort
from kubeactors.client.grpc_watches import SharedWatches
from kubeactors.client.kubeconfig import ClientConfig
from kubeactors.client.streams import CommandCall, PortCall
from kubeactors.client.tls import TlsConfig, system_ca
from kubeactors.client.transport import ConnectionLost
from kubeactors.pb.api.v1 import api_pb2 as pb
from kubeactors.pb.api.v1 import api_pb2_grpc

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 4.0
KEEPALIVE_TIME = 6.0
KEEPALIVE_TIMEOUT = 3.0
"""A server that is silent for KEEPALIVE_TIME is pinged, and given up KEEPALIVE_TIMEOUT later (seconds)."""


def channel_options(user_agent: str, server_name: str | None) -> list[tuple[str, str | int]]:
    options: list[tuple[str, str | int]] = [
        ("grpc.primary_user_agent", user_agent),
        ("grpc.keepalive_time_ms", int(KEEPALIVE_TIME * 1000)),
        ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT * 1000)),
        # Without this the ping's own limit (a minute) is what counts, whatever keepalive_timeout_ms says.
        ("grpc.http2.ping_timeout_ms", int(KEEPALIVE_TIMEOUT * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        # Each connection is its own: new certificates are used, and no back-off is inherited from an earlier one.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return options


class _Connection:
    """A channel with its session and its watches."""

    def __init__(self, endpoint: str, channel: grpc.aio.Channel, metadata: Sequence[tuple[str, str]]) -> None:
        self.endpoint = endpoint
        self.metadata = metadata
        self.stub: Any = api_pb2_grpc.ResourcesStub(channel)
        self.session = Session(self.stub.Session(metadata=metadata), endpoint)
        self._watches: list[SharedWatches] = []
        self._closed = False

    def watches(self) -> SharedWatches:
        """A stream that takes one more watch. Raises ConnectionLost."""
        if self._closed:
            raise ConnectionLost(f"{self.endpoint}: the connection was closed", sent=False)
        for shared in self._watches:
            if shared.usable:
                return shared
        shared = SharedWatches(self.stub.WatchMany(metadata=self.metadata), self.endpoint)
        self._watches = [each for each in self._watches if not each.over]
        self._watches.append(shared)
        return shared

    async def close(self) -> None:
        self._closed = True
        for shared in self._watches:
            await shared.close()


class GrpcTransport:
    """See `Transport`. Connects at the first call; `rand` (in [0, 1)) spreads clients over endpoints and in time."""

    def __init__(
        self,
        endpoints: Sequence[str],
        config: ClientConfig,
        user_agent: str,
        *,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._endpoints = list(endpoints)
        self._config = config
        self._user_agent = user_agent
        self._rand = rand
        self._next = int(rand() * len(self._endpoints))
        self._current: _Connection | None = None
        self._waiters: asyncio.Future[_Connection] | None = None
        self._failure = "not connected yet"
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    # -- calls -------------------------------------------------------------------------------------------------------

    async def call(self, call: Call, timeout: float) -> Reply:
        now = asyncio.get_running_loop().time
        deadline = now() + timeout
        async with self._using(timeout) as connection:
            left = deadline - now()
            if not isinstance(call, ListCall):
                return await connection.session.call(call, left)
            # A list may be many megabytes, so it goes beside the session and holds up nobody's answer.
            rpc = connection.stub.List(list_request(call), metadata=connection.metadata, timeout=left)
            try:
                return list_reply(await rpc)
            except grpc.aio.AioRpcError as error:
                raise failure(error, connection.endpoint) from error
            except asyncio.CancelledError:
                if cancelled_by_caller():
                    raise
                raise ConnectionLost(f"{connection.endpoint}: the connection was closed", sent=True) from None

    async def watch(self, call: WatchCall, timeout: float) -> AsyncGenerator[Sequence[RawEvent], None]:
        async with self._using(timeout) as connection, aclosing(connection.watches().watch(call)) as batches:
            async for batch in batches:
                yield batch

    async def logs(self, call: LogsCall, timeout: float) -> AsyncGenerator[bytes, None]:
        async with self._using(timeout) as connection:
            rpc = connection.stub.Logs(logs_request(call), metadata=connection.metadata)
            async with aclosing(_frames(rpc, connection.endpoint)) as chunks:
                async for chunk in chunks:
                    yield chunk.data

    async def command(self, call: CommandCall, timeout: float) -> GrpcCommand:
        async with _begun_within(timeout), self._using(timeout) as connection:
            stub = connection.stub
            method = stub.Exec if call.kind == "exec" else stub.Attach
            return await GrpcCommand.open(method(metadata=connection.metadata), connection.endpoint, call)

    async def port(self, call: PortCall, timeout: float) -> GrpcPort:
        async with _begun_within(timeout), self._using(timeout) as connection:
            rpc = connection.stub.PortForward(metadata=connection.metadata)
            return await GrpcPort.open(rpc, connection.endpoint, call)

    async def discover(self, timeout: float) -> list[ServedResource] | None:
        """Everything that the server serves; None from servers that cannot tell it at once."""
        async with self._using(timeout) as connection:
            request = pb.DiscoverRequest()
            try:
                reply = await connection.stub.Discover(request, metadata=connection.metadata, timeout=timeout)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return None
                raise failure(error, connection.endpoint) from error
            return served_resources(reply)

    async def close(self) -> None:
        self._closed = True
        if self._waiters is not None and not self._waiters.done():
            self._waiters.set_exception(ConnectionLost("the client is closed", sent=False, final=True))
            self._waiters.exception()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- the connection ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _using(self, timeout: float) -> AsyncGenerator[_Connection, None]:
        """The connection. A token that has ended, in place of which there is a new one, looks like a lost connection:
        what is refused for it has had no effect."""
        connection = await self._connect(timeout)
        try:
            yield connection
        except StatusError as error:
            if error.code != 401 or connection.metadata == await self._metadata():
                raise
            if self._current is connection:
                self._current = None
            connection.session.end()
            raise ConnectionLost(f"{connection.endpoint}: there is a new token", sent=False) from error

    async def _connect(self, timeout: float) -> _Connection:
        if self._current is not None:
            return self._current
        if self._closed:
            raise ConnectionLost("the client is closed", sent=False, final=True)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="kubeactors API connection")
        if self._waiters is None:
            self._waiters = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(self._waiters)
        except TimeoutError:
            raise ConnectionLost(f"no API server answers: {self._failure}", sent=False) from None

    async def _run(self) -> None:
        """Keeps one connection: tries the endpoints in turn, and backs off when none of them answers."""
        backoff = Backoff(0.05, 5.0, jitter=1.0, rand=self._rand)
        now = asyncio.get_running_loop().time
        failed = 0
        while True:
            endpoint = self._endpoints[self._next % len(self._endpoints)]
            started = now()
            try:
                await self._serve(endpoint)
            except ConnectionLost as lost:
                self._failure = lost.message
            except (OSError, ValueError) as error:
                self._failure = f"{endpoint}: {error}"
            except StatusError as refused:
                self._failure = refused.message
                if self._waiters is not None and not self._waiters.done():
                    self._waiters.set_exception(refused)
                    self._waiters.exception()  # nobody may be waiting
                self._waiters = None
            logger.info("no connection to the API server: %s", self._failure)
            self._next += 1
            if now() - started > 10.0:
                backoff.reset()
                failed = 0
            failed += 1
            if failed >= len(self._endpoints):
                await asyncio.sleep(backoff.next())

    async def _serve(self, endpoint: str) -> None:
        """Connects and holds the connection until it is lost. Raises ConnectionLost, always."""
        metadata, channel = await self._open_channel(endpoint)
        connection = _Connection(endpoint, channel, metadata)
        try:

            def opened() -> None:
                deadline.reschedule(None)
                self._current = connection
                if self._waiters is not None and not self._waiters.done():
                    self._waiters.set_result(connection)
                self._waiters = None
                logger.debug("connected to the API server at %s", endpoint)

            try:
                async with asyncio.timeout(CONNECT_TIMEOUT) as deadline:
                    await connection.session.run(opened)
            except TimeoutError:
                raise ConnectionLost(f"{endpoint}: no connection within {CONNECT_TIMEOUT:g} s", sent=False) from None
        finally:
            self._current = None
            await connection.close()
            await channel.close()

    async def _open_channel(self, endpoint: str) -> tuple[Sequence[tuple[str, str]], grpc.aio.Channel]:
        config = self._config
        options = channel_options(self._user_agent, config.tls.server_name if config.tls else None)
        metadata = await self._metadata()
        if config.tls is None:
            return metadata, grpc.aio.insecure_channel(endpoint, options=options)
        credentials = await asyncio.to_thread(_credentials, config.tls)
        return metadata, grpc.aio.secure_channel(endpoint, credentials, options=options)

    async def _metadata(self) -> list[tuple[str, str]]:
        """Who calls, and as whom. Raises OSError."""
        config = self._config
        token = config.token
        if config.token_file is not None:
            token = (await asyncio.to_thread(config.token_file.read_text)).strip()
        return [*([("authorization", f"Bearer {token}")] if token else []), *config.impersonate]


def _credentials(tls: TlsConfig) -> grpc.ChannelCredentials:
    if tls.insecure_skip_verify:
        raise ValueError("gRPC cannot skip the verification of the server's certificate; give its CA or use https://")
    loaded = tls.load()
    return grpc.ssl_channel_credentials(loaded.ca or system_ca(), loaded.key, loaded.cert)


@asynccontextmanager
async def _begun_within(timeout: float) -> AsyncGenerator[None, None]:
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        raise ConnectionLost(f"the pod's node has not answered within {timeout:g} s", sent=True) from None


async def _frames(rpc: Any, endpoint: str) -> AsyncGenerator[Any, None]:
    """The messages of a server stream, until it ends well.

    Raises StatusError or ConnectionLost.
    """
    try:
        while (frame := await rpc.read()) is not grpc.aio.EOF:
            yield frame
    except grpc.aio.AioRpcError as error:
        raise failure(error, endpoint) from error
    except asyncio.CancelledError:
        if cancelled_by_caller():
            raise
        raise ConnectionLost(f"{endpoint}: the connection was closed", sent=True) from None
    finally:
        rpc.cancel()
