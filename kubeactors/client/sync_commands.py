"""The part of `Client` that talks to containers: logs, exec, attach, port-forward."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from os import PathLike
from typing import TypeVar

from kubeactors.client.command import CommandSession, Completed
from kubeactors.client.port_forward import PortForward
from kubeactors.client.streams import Output
from kubeactors.client.sync_bridge import SyncBridge, SyncIterator, result_of

T = TypeVar("T")


class SyncCommandSession:
    """The synchronous twin of `CommandSession`. Iterate for its output; `exit_code` is known after that."""

    def __init__(self, loop: asyncio.AbstractEventLoop, session: CommandSession) -> None:
        self._loop = loop
        self._session = session

    def __iter__(self) -> Iterator[Output]:
        outputs = aiter(self._session)

        async def following() -> Output | None:
            return await anext(outputs, None)

        while (output := result_of(self._loop, following())) is not None:
            yield output

    def write(self, data: bytes) -> None:
        """See `CommandSession.write`."""
        result_of(self._loop, self._session.write(data))

    def close_stdin(self) -> None:
        """See `CommandSession.close_stdin`."""
        result_of(self._loop, self._session.close_stdin())

    def resize(self, width: int, height: int) -> None:
        """See `CommandSession.resize`."""
        result_of(self._loop, self._session.resize(width, height))

    def wait(self) -> int:
        """See `CommandSession.wait`."""
        return result_of(self._loop, self._session.wait())

    @property
    def exit_code(self) -> int:
        """See `CommandSession.exit_code`."""
        return self._session.exit_code


class SyncCommands(SyncBridge):
    """Base of `Client`."""

    def logs(
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
    ) -> SyncIterator[str]:
        """See `AsyncClient.logs`."""
        return SyncIterator(
            self._loop,
            self._async.logs(
                pod,
                namespace,
                container=container,
                follow=follow,
                previous=previous,
                tail_lines=tail_lines,
                since_seconds=since_seconds,
                since_time=since_time,
                limit_bytes=limit_bytes,
                timestamps=timestamps,
            ),
        )

    def exec(
        self,
        pod: str,
        command: Sequence[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """See `AsyncClient.exec`."""
        return self._run(self._async.exec(pod, command, namespace, container=container, stdin=stdin, timeout=timeout))

    def copy_to(
        self,
        pod: str,
        source: str | PathLike[str],
        target: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """See `AsyncClient.copy_to`."""
        self._run(self._async.copy_to(pod, source, target, namespace, container=container, timeout=timeout))

    def copy_from(
        self,
        pod: str,
        source: str,
        target: str | PathLike[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """See `AsyncClient.copy_from`."""
        self._run(self._async.copy_from(pod, source, target, namespace, container=container, timeout=timeout))

    @contextmanager
    def exec_session(
        self,
        pod: str,
        command: Sequence[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: bool = True,
        tty: bool = False,
    ) -> Iterator[SyncCommandSession]:
        """See `AsyncClient.exec_session`."""
        opening = self._async.exec_session(pod, command, namespace, container=container, stdin=stdin, tty=tty)
        with self._entered(opening) as session:
            yield SyncCommandSession(self._loop, session)

    @contextmanager
    def attach(
        self,
        pod: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: bool = False,
        tty: bool = False,
    ) -> Iterator[SyncCommandSession]:
        """See `AsyncClient.attach`."""
        opening = self._async.attach(pod, namespace, container=container, stdin=stdin, tty=tty)
        with self._entered(opening) as session:
            yield SyncCommandSession(self._loop, session)

    @contextmanager
    def port_forward(
        self,
        pod: str,
        port: int,
        namespace: str | None = None,
        *,
        address: str = "127.0.0.1",
        local_port: int = 0,
    ) -> Iterator[PortForward]:
        """See `AsyncClient.port_forward`."""
        opening = self._async.port_forward(pod, port, namespace, address=address, local_port=local_port)
        with self._entered(opening) as forward:
            yield forward

    @contextmanager
    def _entered(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """An asynchronous context manager, entered and left on the loop."""
        entered = self._run(manager.__aenter__())
        try:
            yield entered
        except BaseException as error:
            if not self._run(manager.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self._run(manager.__aexit__(None, None, None))
