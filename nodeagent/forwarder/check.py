"""Asks one API server again and again whether it is ready, over a connection that stays open.

The connection's end tells at once of a server that died; asking tells of one that hangs, has lost its store, or whose
machine is gone.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable

from nodeagent.forwarder.choice import State

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2.0
ANSWER_TIMEOUT = 3.0
UNREADY_AFTER = 2
"""Answers in a row that say "not ready" before they count: a store that changes its leader is away for a moment."""


class BackendCheck:
    """Checks `host:port` until stopped; `on_state` hears of every change. `period` gives the seconds between checks."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: Callable[[], ssl.SSLContext],
        on_state: Callable[[State], None],
        period: Callable[[], float],
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._on_state = on_state
        self._period = period
        self._unready = 0
        self._pause: asyncio.Timeout | None = None
        self._askers: list[asyncio.Future[bool]] = []
        self.state = State.UNKNOWN
        self.problem = "not asked yet"
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"check {host}:{port}")

    async def stop(self) -> None:
        """End the check."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def ask_now(self) -> bool:
        """Whether the server says now that it is ready."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._askers.append(answer)
        if self._pause is not None:
            self._pause.reschedule(loop.time())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT + ANSWER_TIMEOUT):
                return await answer
        except TimeoutError:
            return False

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    context = await asyncio.to_thread(self._tls)
                    reader, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
            except TimeoutError:
                self._found(State.SILENT, f"no connection within {CONNECT_TIMEOUT:g} s")
            except ConnectionRefusedError as error:
                self._found(State.DEAD, str(error))
            except (OSError, ValueError) as error:  # unreachable, not the cluster's certificate, a file not there yet
                self._found(State.SILENT, str(error))
            else:
                if await self._converse(reader, writer):
                    continue  # it went well until the connection ended: see at once what that means
            await self._sleep(asyncio.get_running_loop().create_future())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Ask until the connection ends. Returns whether it was of any use."""
        useful = False
        try:
            while True:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (self._host.encode(), self._port))
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    await writer.drain()
                    status = await _read_answer(reader)
                useful = True
                self._answered(status)
                more = await self._sleep(reader.read(1))
                if more == b"":
                    return True
                if more is not None:
                    raise ConnectionError("an answer that was not asked for")
        except TimeoutError:
            self._found(State.SILENT, f"no answer within {ANSWER_TIMEOUT:g} s")
            return False
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.info("the connection to %s:%d ended: %s", self._host, self._port, error)
            return useful
        finally:
            writer.transport.abort()

    async def _sleep(self, until: Awaitable[bytes]) -> bytes | None:
        """What `until` brings, None once the period has passed or somebody wants to know now."""
        try:
            doubtful = 0 < self._unready < UNREADY_AFTER
            async with asyncio.timeout(1.0 if doubtful else self._period()) as self._pause:
                return await until
        except TimeoutError:
            return None
        finally:
            self._pause = None

    def _answered(self, status: int) -> None:
        if status == 200:
            self._unready = 0
            self._found(State.READY, "")
            return
        self._unready += 1
        if self._unready >= UNREADY_AFTER or self.state is not State.READY:
            self._found(State.UNREADY, f"it says that it is not ready (HTTP {status})")
        else:
            self._tell(False)

    def _tell(self, ready: bool) -> None:
        for asker in self._askers:
            if not asker.done():
                asker.set_result(ready)
        self._askers.clear()

    def _found(self, state: State, problem: str) -> None:
        self.problem = problem
        self._tell(state is State.READY)
        if state is not self.state:
            logger.info("API server %s:%d: %s %s", self._host, self._port, state.name.lower(), problem)
            self.state = state
            self._on_state(state)


async def _read_answer(reader: asyncio.StreamReader) -> int:
    """The status of one HTTP/1.1 answer, whose body is read and dropped. Raises ValueError for anything else."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, status, *_ = head[0].split(" ", 2)
    headers = dict(line.lower().split(":", 1) for line in head[1:] if ":" in line)
    if not version.startswith("HTTP/1.") or "content-length" not in headers:
        raise ValueError(f"not an answer to a health check: {head[0]!r}")
    await reader.readexactly(int(headers["content-length"]))
    return int(status)
