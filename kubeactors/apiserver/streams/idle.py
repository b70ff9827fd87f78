"""A session's idle timeout."""

from __future__ import annotations

import asyncio
from types import TracebackType

#: Seconds without a byte after which a session ends (kubelet's --streaming-connection-idle-timeout).
IDLE_TIMEOUT = 4 * 3600.0
#: Moving a deadline costs a timer: not for each message.
_GRAIN = 60.0


class IdleTimeout:
    """`async with` it around a session; TimeoutError comes out of it when `touch` was not called for `seconds`."""

    def __init__(self, seconds: float = IDLE_TIMEOUT) -> None:
        self._seconds = seconds
        self._grain = min(_GRAIN, seconds / 10)
        self._moved = 0.0
        self._deadline = asyncio.timeout(seconds)

    async def __aenter__(self) -> IdleTimeout:
        await self._deadline.__aenter__()
        self._moved = asyncio.get_running_loop().time()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._deadline.__aexit__(kind, error, trace)

    def touch(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._moved > self._grain and not self._deadline.expired():
            self._moved = now
            self._deadline.reschedule(now + self._seconds)
