"""Worker threads for blocking kernel calls, all in one network namespace."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from netplugin import netns

P = ParamSpec("P")
T = TypeVar("T")


class NodeThreads:
    """A pool whose threads stay in the node's namespace: that of the process, or the one whose file is given.

    Subprocesses that they start are in it too. `workers` 1 serialises the calls.
    """

    def __init__(self, name: str, workers: int, namespace: str | None = None) -> None:
        initialise = None if namespace is None else (lambda: netns.enter(namespace))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name, initializer=initialise)

    async def run(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Call a blocking function. It cannot be stopped half way: a cancelled caller waits for its end first."""
        work = asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*arguments, **keywords))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # nobody else will look at it
            raise

    async def close(self) -> None:
        """Wait for calls that run; then the threads end."""
        await asyncio.to_thread(self._pool.shutdown)
