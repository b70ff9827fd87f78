"""Which revision a read must reflect: the store's own, asked for once by all reads that arrive together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class ReadBarrier:
    """Gives each caller a store revision that was learned by a question asked after the caller came.

    A question that is under way may have been answered before a caller's last write; so callers that come meanwhile
    share the next question. A thousand concurrent reads cost one question, a lone read costs one too.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._waiting: list[asyncio.Future[int]] = []
        self._task: asyncio.Task[None] | None = None

    async def revision(self) -> int:
        """Raises what `ask` raises."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="read-barrier")
        return await future

    async def stop(self) -> None:
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        batch: list[asyncio.Future[int]] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    revision = await self._ask()
                except Exception as error:  # noqa: BLE001  every caller gets it
                    for future in batch:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for future in batch:
                        if not future.done():
                            future.set_result(revision)
        finally:
            self._task = None
            for future in [*batch, *self._waiting]:
                if not future.done():
                    future.cancel()
            self._waiting = []
