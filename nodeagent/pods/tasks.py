"""The tasks of one pod: operations, which have names that the planner knows, and chores, for which nobody waits."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Set
from typing import Any

logger = logging.getLogger(__name__)


class PodTasks:
    """Owns the tasks. `on_change` is called whenever an operation has begun or ended; `pod` is for messages."""

    def __init__(self, pod: str, on_change: Callable[[], None]) -> None:
        self._pod = pod
        self._on_change = on_change
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._aborted: set[str] = set()
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def operations(self) -> Set[str]:
        """The names of the operations under way."""
        return self._operations.keys()

    def operate(self, name: str, operation: Coroutine[Any, Any, None]) -> None:
        """Run one operation. Another of that name must have ended."""
        task = asyncio.create_task(operation, name=f"{name} of {self._pod}")
        self._operations[name] = task
        self._on_change()

        def done(finished: asyncio.Task[None]) -> None:
            if self._operations.get(name) is finished:
                del self._operations[name]
                self._aborted.discard(name)
            self._on_change()
            _log_failure(finished)

        task.add_done_callback(done)

    def abort(self, name: str) -> None:
        """Cancel an operation, once: a second time would break into its cleaning up."""
        if name not in self._aborted:
            self._aborted.add(name)
            self._operations[name].cancel()

    def chore(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for, but `stop` ends."""
        task = asyncio.create_task(coroutine, name=f"chore of {self._pod}")
        self._chores.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._chores.discard(finished)
            _log_failure(finished)

        task.add_done_callback(done)

    async def stop(self) -> None:
        """Cancel everything and wait for it."""
        tasks = [*self._operations.values(), *self._chores]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(finished: asyncio.Task[None]) -> None:
    if not finished.cancelled() and (error := finished.exception()) is not None:
        logger.error("%s failed", finished.get_name(), exc_info=error)
