"""The part of `AsyncClient` that talks to containers: logs, exec, attach, port-forward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from os import PathLike
from pathlib import Path

from kubeactors.client import copying
from kubeactors.client.arguments import command_line, one_name
from kubeactors.client.calls import LogsCall
from kubeactors.client.command import CommandSession, Completed, run
from kubeactors.client.errors import ApiUnavailable
from kubeactors.client.port_forward import PortForward
from kubeactors.client.resource import resolve
from kubeactors.client.streams import CommandCall, PortCall
from kubeactors.client.transport import ConnectionLost, Transport

PODS = resolve("pods")


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
            one_name(pod, PODS),
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

        An exit code other than 0 is no error. Raises StatusError when the command cannot be run, and
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
        """A command with which one talks while it runs; leaving the block ends it.

        With `tty` it has a terminal: one output, and sizes (`CommandSession.resize`).
        """
        place = namespace or self.default_namespace
        call = CommandCall("exec", place, one_name(pod, PODS), container or "", command_line(command), stdin, tty)
        async with self._command(call) as session:
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
        does not end it. `tty` must be what the container's spec says."""
        place = namespace or self.default_namespace
        async with self._command(
            CommandCall("attach", place, one_name(pod, PODS), container or "", (), stdin, tty)
        ) as session:
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
        the pod's port."""
        call = PortCall(namespace or self.default_namespace, one_name(pod, PODS), port)
        connect = partial(self._transport.port, call, self.timeout)
        forward = PortForward(connect, port, address=address, local_port=local_port)
        try:
            await forward.start()
        except ConnectionLost as error:
            raise ApiUnavailable(error.message) from error
        try:
            yield forward
        finally:
            await forward.close()

    @asynccontextmanager
    async def _command(self, call: CommandCall) -> AsyncGenerator[CommandSession, None]:
        try:
            stream = await self._transport.command(call, self.timeout)
        except ConnectionLost as error:
            raise ApiUnavailable(error.message) from error
        session = CommandSession(stream)
        try:
            yield session
        finally:
            await session.close()
