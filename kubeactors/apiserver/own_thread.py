"""One thread for checks that would keep every other request waiting."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from kubeactors.api import allowance
from kubeactors.api.allowance import TakesLongError

#: What is done at once on the loop (microseconds, by estimate).
AT_ONCE = 5000
#: Seconds that the thread keeps the interpreter while the loop wants it; Python's own choice is 5 ms. Each time the
#: loop has waited for the network it has to wait this long, too.
SWITCH_INTERVAL = 0.0005

P = ParamSpec("P")
T = TypeVar("T")


class OwnThread:
    """Long checks are done one after the other, so that they never take more than half of the interpreter's time."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def when_long(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a pure function here, or on the thread if it takes long (`kubeactors.api.allowance`)."""
        try:
            with allowance.limited(AT_ONCE):
                return function(*args, **kwargs)
        except TakesLongError:
            return await self.run(function, *args, **kwargs)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a pure function on the thread."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="long-checks")
            sys.setswitchinterval(SWITCH_INTERVAL)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """What has not begun is not done."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
