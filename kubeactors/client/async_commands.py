"""The part of `AsyncClient` that talks to containers: exec, attach, port-forward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from kubeactors.client.command import (
    PROTOCOLS,
    CommandSession,
    Completed,
    WebSockets,
    not_over_grpc,
    path_of,
    query_of,
    run,
)
from kubeactors.client.errors import ApiUnavailable
from kubeactors.client.https_transport import HttpsTransport
from kubeactors.client.port_forward import PortForward
from kubeactors.client.transport import ConnectionLost, Transport


class AsyncCommands:
    """Base of `AsyncClient`."""

    default_namespace: str
    timeout: float
    _transport: Transport

    async def exec(
        self,
        pod: str,
        command: Sequence[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Runs a command (no shell) in a pod's container, by default its only one, and waits for its end.

        Over HTTPS only. An exit code other than 0 is no error. Raises StatusError when the command cannot be run, and
        TimeoutError after `timeout` seconds (None: never), which ends the command.
        """
        async with (
            asyncio.timeout(timeout),
            self.exec_session(pod, command, namespace, container=container, stdin=stdin is not None) as session,
        ):
            return await run(session, stdin)

    @asynccontextmanager
    async def exec_session(
        self,
        pod: str,
        command: Sequence[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: bool = True,
        tty: bool = False,
    ) -> AsyncGenerator[CommandSession, None]:
        """A command with which one talks while it runs; leaving the block ends it. Over HTTPS only.

        With `tty` it has a terminal: one output, and sizes (`CommandSession.resize`).
        """
        query = query_of(command=tuple(command), container=container, stdin=stdin, stdout=True, stderr=True, tty=tty)
        async with self._command("exec", pod, namespace, query) as session:
            yield session

    @asynccontextmanager
    async def attach(
        self,
        pod: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: bool = False,
        tty: bool = False,
    ) -> AsyncGenerator[CommandSession, None]:
        """The first process of a pod's container: its output from now on, and with `stdin` its input. Leaving the block
        does not end it. `tty` must be what the container's spec says. Over HTTPS only."""
        query = query_of(container=container, stdin=stdin, stdout=True, stderr=True, tty=tty)
        async with self._command("attach", pod, namespace, query) as session:
            yield session

    @asynccontextmanager
    async def port_forward(
        self,
        pod: str,
        port: int,
        namespace: str | None = None,
        *,
        address: str = "127.0.0.1",
        local_port: int = 0,
    ) -> AsyncGenerator[PortForward, None]:
        """Within the block, connections to `address`:`local_port` (0: any free one, see `PortForward.local_port`) reach
        the pod's port. Over HTTPS only."""
        sockets = self._websockets("port_forward")
        forward = PortForward(
            sockets,
            namespace or self.default_namespace,
            pod,
            port,
            address=address,
            local_port=local_port,
            timeout=self.timeout,
        )
        try:
            await forward.start()
        except ConnectionLost as error:
            raise ApiUnavailable(error.message) from error
        try:
            yield forward
        finally:
            await forward.close()

    @asynccontextmanager
    async def _command(
        self, kind: str, pod: str, namespace: str | None, query: Sequence[tuple[str, str]]
    ) -> AsyncGenerator[CommandSession, None]:
        sockets = self._websockets(kind)
        path = path_of(namespace or self.default_namespace, pod, kind)
        try:
            socket = await sockets.websocket(path, list(query), PROTOCOLS, self.timeout)
        except ConnectionLost as error:
            raise ApiUnavailable(error.message) from error
        session = CommandSession(socket)
        try:
            yield session
        finally:
            await session.close()

    def _websockets(self, what: str) -> WebSockets:
        if isinstance(self._transport, HttpsTransport):
            return self._transport
        raise not_over_grpc(what)
