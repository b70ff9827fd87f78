"""How long a key waits before it is tried again: client-go's DefaultControllerRateLimiter."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)


class RateLimiter(Protocol[K_contra]):
    def when(self, key: K_contra) -> float:
        """Seconds to wait now; counts a failure of `key`."""
        ...

    def forget(self, key: K_contra) -> None:
        """`key` succeeded: its next failure counts as the first."""
        ...

    def num_requeues(self, key: K_contra) -> int:
        """Failures since `forget`."""
        ...


class ItemExponential(Generic[K]):
    """`base` seconds, doubled by every failure, for each key, at most `cap`."""

    def __init__(self, base: float = 0.005, cap: float = 1000.0) -> None:
        self._base = base
        self._cap = cap
        self._failures: dict[K, int] = {}

    def when(self, key: K) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(self._cap, self._base * 2.0 ** min(failures, 64))

    def forget(self, key: K) -> None:
        self._failures.pop(key, None)

    def num_requeues(self, key: K) -> int:
        return self._failures.get(key, 0)


class TokenBucket:
    """`rate` tokens a second, at most `burst` saved. `clock` returns seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._last = clock()

    def reserve(self) -> float:
        """Takes a token, on credit if need be; the seconds until it is there."""
        self._refill()
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)

    def try_take(self) -> bool:
        """Takes a token if there is one."""
        self._refill()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now


class ControllerRateLimiter(Generic[K]):
    """The longer of the key's exponential delay (5 ms … 1000 s) and the overall bucket's (10 a second, burst 100)."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        base: float = 0.005,
        cap: float = 1000.0,
        rate: float = 10.0,
        burst: int = 100,
    ) -> None:
        self._item: ItemExponential[K] = ItemExponential(base, cap)
        self._bucket = TokenBucket(rate, burst, clock)

    def when(self, key: K) -> float:
        return max(self._item.when(key), self._bucket.reserve())

    def forget(self, key: K) -> None:
        self._item.forget(key)

    def num_requeues(self, key: K) -> int:
        return self._item.num_requeues(key)
