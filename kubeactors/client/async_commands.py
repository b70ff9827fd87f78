"""The part of `AsyncClient` that talks to containers: logs, exec, attach, port-forward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from os import PathLike
from pathlib import Path

from kubeactors.client import copying
from kubeactors.client.calls import LogsCall
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

    async def logs(
        self,
        pod: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        since_time: str | None = None,
        limit_bytes: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[str, None]:
        """The lines that a container (by default the pod's only one) has written, without their ends. With `follow`,
        goes on until it ends; `previous` is the container before its last restart.

        `tail_lines`, `since_seconds` and `since_time` (RFC 3339) leave out what is older; `timestamps` puts its time
        before each line.
        """
        call = LogsCall(
            namespace or self.default_namespace,
            pod,
            container or "",
            follow,
            previous,
            timestamps,
            tail_lines,
            since_seconds,
            since_time or "",
            limit_bytes,
        )
        stream = self._transport.logs(call, self.timeout)
        begun: list[bytes] = []  # of a line whose end has not come yet
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    first, *others = chunk.split(b"\n")
                    begun.append(first)
                    for other in others:
                        yield b"".join(begun).decode(errors="replace")
                        begun = [other]
        except ConnectionLost as error:
            raise ApiUnavailable(error.message) from error
        if rest := b"".join(begun):
            yield rest.decode(errors="replace")

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

    async def copy_to(
        self,
        pod: str,
        source: str | PathLike[str],
        target: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Copies a file or directory into a container, to just that path; its directory must exist.

        Needs `tar` in the container. Raises CopyFailed (an OSError) with what tar says, and what `exec` raises.
        """
        command = copying.unpack_command(target)
        async with (
            asyncio.timeout(timeout),
            self.exec_session(pod, command, namespace, container=container) as session,
        ):
            await copying.send(session, Path(source), target)

    async def copy_from(
        self,
        pod: str,
        source: str,
        target: str | PathLike[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Copies a file or directory out of a container, to just that path, in place of what is there.

        Needs `tar` in the container. What would be written elsewhere (links that lead out, "..") is refused. Raises as
        `copy_to`.
        """
        command = copying.pack_command(source)
        async with (
            asyncio.timeout(timeout),
            self.exec_session(pod, command, namespace, container=container, stdin=False) as session,
        ):
            await copying.receive(session, source, Path(target))

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
