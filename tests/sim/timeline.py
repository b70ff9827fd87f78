"""Virtual time: what happens when. Events of the same moment happen in the order in which they were planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from tests.sim.trace import Trace


class Timeline:
    """`now` in seconds."""

    def __init__(self, trace: Trace) -> None:
        self.now = 0.0
        self.events = 0
        self._trace = trace
        self._planned = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        self._planned += 1
        heapq.heappush(self._queue, (self.now + seconds, self._planned, action, arguments))

    def run(self, until: float, done: Callable[[], bool] | None = None) -> bool:
        """Until that time, or until `done` says so, which is asked after every event. True: it said so."""
        queue, pop, trace = self._queue, heapq.heappop, self._trace
        while queue and queue[0][0] <= until:
            self.now, _, action, arguments = pop(queue)
            trace.time = self.now
            self.events += 1
            action(*arguments)
            if done is not None and done():
                return True
        self.now = until
        return False
