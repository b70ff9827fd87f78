"""client-go's work queue: a key is never handled twice at once, and changes during its handling bring it back once."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from itertools import count
from typing import Generic, TypeVar

from kubeactors.client.rate_limit import ControllerRateLimiter, RateLimiter

K = TypeVar("K", bound=Hashable)


class QueueShutDown(Exception):
    """`get` after `shut_down`, once nothing is left."""


class WorkQueue(Generic[K]):
    """Keys to handle, each once however often it was added, with delays and rate-limited retries.

    For one event loop; `add` and its kin are plain calls from that loop. `clock` returns seconds (default: the
    loop's own, so that virtual time works); the delay timer is the loop's.
    """

    def __init__(
        self,
        name: str = "",
        *,
        rate_limiter: RateLimiter[K] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._limiter = rate_limiter
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._getters: deque[asyncio.Future[None]] = deque()
        self._delayed: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._ticket = count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._shut = False

    def __len__(self) -> int:
        """Keys that are ready and not being handled."""
        return len(self._ready)

    @property
    def is_shut_down(self) -> bool:
        return self._shut

    @property
    def delayed(self) -> int:
        """Keys that wait for their time."""
        return len(self._due)

    # -- adding ------------------------------------------------------------------------------------------------------

    def add(self, key: K) -> None:
        """Has `key` handled: now, or once more after its handling that is under way. Ignored after `shut_down`."""
        if self._shut or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Adds `key` after `seconds`; of several delays for one key the shortest counts."""
        if self._shut:
            return
        if seconds <= 0:
            self.add(key)
            return
        due = self._now() + seconds
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._ticket), key))
        self._arm()

    def add_rate_limited(self, key: K) -> None:
        """Adds `key` after the rate limiter's delay, which grows until `forget`."""
        self.add_after(key, self._rate_limiter().when(key))

    def forget(self, key: K) -> None:
        """`key` was handled well: its next rate-limited delay is the shortest again."""
        if self._limiter is not None:
            self._limiter.forget(key)

    def num_requeues(self, key: K) -> int:
        """How often `key` was added by `add_rate_limited` since `forget`."""
        return 0 if self._limiter is None else self._limiter.num_requeues(key)

    # -- handling ----------------------------------------------------------------------------------------------------

    async def get(self) -> K:
        """The next key, in order of adding; call `done(key)` after handling it. Raises QueueShutDown at the end."""
        while not self._ready:
            if self._shut:
                raise QueueShutDown(self.name)
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.cancelled():
                    with suppress(ValueError):
                        self._getters.remove(waiter)
                else:
                    self._wake()  # this getter had been woken: its key is for another
                raise
        key = self._ready.popleft()
        self._processing.add(key)
        self._dirty.discard(key)
        return key

    def done(self, key: K) -> None:
        """Handling of `key` has ended, well or not. If it was added meanwhile it is ready again."""
        self._processing.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake()

    def shut_down(self) -> None:
        """Takes no more keys and drops delayed ones; `get` hands out those that are ready, then raises."""
        self._shut = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._delayed.clear()
        self._due.clear()
        while self._getters:
            self._wake()

    # -- internals ---------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _rate_limiter(self) -> RateLimiter[K]:
        if self._limiter is None:
            self._limiter = ControllerRateLimiter(self._now)
        return self._limiter

    def _wake(self) -> None:
        while self._getters:
            waiter = self._getters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self) -> None:
        """One timer, for the earliest key."""
        while self._delayed and self._due.get(self._delayed[0][2]) != self._delayed[0][0]:
            heapq.heappop(self._delayed)
        if not self._delayed:
            return
        due = self._delayed[0][0]
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._now()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._now() + 1e-6
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._arm()
