"""Listens on this machine's loopback and forwards to an API server that is ready, preferably this machine's own.

It forwards bytes: TLS is between the client and the API server, whose certificate names 127.0.0.1. A connection stays
where it is until its server dies, hangs or is not ready any more while another one is; then it is closed at once, so
that its client connects anew instead of waiting for a time-out.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.forwarder.check import CONNECT_TIMEOUT, BackendCheck
from nodeagent.forwarder.choice import Backend, State, given_up, order
from nodeagent.forwarder.pipe import Pipe, Side

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
USED_PERIOD = 2.0
SPARE_PERIOD = 10.0
"""Seconds between checks of a server that connections lead to, and of one that they do not."""


@dataclass(frozen=True)
class Route:
    """Connections to the loopback `port` go to `target_port` of an API server."""

    port: int
    target_port: int


@dataclass(frozen=True)
class ForwarderConfig:
    """`check_port` serves HTTPS with /readyz. The files are the machine's own certificate and the cluster's CA; they
    are read again for every connection."""

    name: str
    routes: tuple[Route, ...]
    check_port: int
    ca: Path
    certificate: Path
    key: Path


class Forwarder:
    """One for each machine. `set_backends` may be called at any time."""

    def __init__(self, config: ForwarderConfig) -> None:
        self._config = config
        self._turn = zlib.crc32(config.name.encode())
        self._backends: tuple[Backend, ...] = ()
        self._checks: dict[Backend, BackendCheck] = {}
        self._pipes: dict[Backend, set[Pipe]] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False

    async def start(self, backends: Sequence[Backend]) -> None:
        """Listen. Raises OSError when a port is taken."""
        loop = asyncio.get_running_loop()
        self._running = True
        self.set_backends(backends)
        for route in self._config.routes:

            def accept(target_port: int = route.target_port) -> Side:
                return Side(lambda side: self._accepted(side, target_port))

            self._servers.append(await loop.create_server(accept, LOOPBACK, route.port, backlog=512))

    @property
    def ports(self) -> list[int]:
        """Where it listens, in the order of the routes."""
        return [server.sockets[0].getsockname()[1] for server in self._servers]

    async def stop(self) -> None:
        """Close everything."""
        self._running = False
        for server in self._servers:
            server.close()
        self.set_backends(())
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._servers.clear()

    def set_backends(self, backends: Sequence[Backend]) -> None:
        """From now on forward to these. Connections to others are closed."""
        wanted = tuple(dict.fromkeys(backends)) if self._running else ()
        for backend in set(self._backends) - set(wanted):
            self._spawn(self._checks.pop(backend).stop())
            self._abort(backend)
        for backend in wanted:
            if backend not in self._checks:
                self._checks[backend] = self._check(backend)
        self._backends = wanted

    def health(self) -> str:
        """ "ok", or why no API server is ready."""
        if any(check.state is State.READY for check in self._checks.values()):
            return "ok"
        return "no API server is ready: " + "; ".join(
            f"{backend.host}: {check.problem}" for backend, check in self._checks.items()
        )

    def states(self) -> dict[str, str]:
        """Each API server's host and how it was last found: "ready", "silent", …"""
        return {backend.host: check.state.name.lower() for backend, check in self._checks.items()}

    def _check(self, backend: Backend) -> BackendCheck:
        return BackendCheck(
            backend.host,
            self._config.check_port,
            self._tls,
            lambda state: self._changed(backend, state),
            lambda: self._period(backend),
        )

    def _period(self, backend: Backend) -> float:
        used = self._pipes.get(backend) or self._order()[:1] == [backend]
        return USED_PERIOD if used else SPARE_PERIOD

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._config.ca)
        context.load_cert_chain(self._config.certificate, self._config.key)
        return context

    def _states(self) -> dict[Backend, State]:
        return {backend: check.state for backend, check in self._checks.items()}

    def _order(self) -> list[Backend]:
        return order(self._backends, self._states(), self._turn)

    def _changed(self, backend: Backend, state: State) -> None:
        if state in (State.DEAD, State.READY):
            self._give_up()
        elif state in (State.UNREADY, State.SILENT):
            # What is wrong with one may be wrong with all, and the others were asked some time ago.
            self._spawn(self._ask_others(backend))

    async def _ask_others(self, backend: Backend) -> None:
        others = [check for other, check in self._checks.items() if other != backend]
        answers = [asyncio.ensure_future(check.ask_now()) for check in others]
        try:
            for answer in asyncio.as_completed(answers):
                if await answer:
                    self._give_up()
                    return
        finally:
            for future in answers:
                future.cancel()

    def _give_up(self) -> None:
        for backend in given_up(self._backends, self._states()):
            if self._abort(backend):
                logger.warning("gave up the connections to the API server at %s", backend.host)

    def _abort(self, backend: Backend) -> bool:
        pipes = self._pipes.pop(backend, set())
        for pipe in pipes:
            pipe.abort()
        return bool(pipes)

    def _accepted(self, client: Side, target_port: int) -> None:
        assert client.transport is not None
        client.transport.pause_reading()
        self._spawn(self._connect(client, target_port))

    async def _connect(self, client: Side, target_port: int) -> None:
        loop = asyncio.get_running_loop()
        for backend in self._order():
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    _, server = await loop.create_connection(Side, backend.host, target_port)
            except (OSError, TimeoutError) as error:
                logger.debug("cannot connect to the API server at %s:%d: %s", backend.host, target_port, error)
                continue
            pipe = Pipe(client, server)
            if client.closed or backend not in self._checks:
                pipe.abort()
                return
            self._remember(backend, pipe)
            pipe.start()
            return
        client.abort()

    def _remember(self, backend: Backend, pipe: Pipe) -> None:
        pipes = self._pipes.setdefault(backend, set())
        for ended in [each for each in pipes if not each.open]:
            pipes.discard(ended)
        pipes.add(pipe)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
