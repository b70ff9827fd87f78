"""Exponential back-off with jitter, as client-go's wait.Backoff."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Delays that grow from `base` to `cap` seconds by `factor`, each stretched by up to `jitter` of itself."""

    def __init__(
        self,
        base: float,
        cap: float,
        *,
        factor: float = 2.0,
        jitter: float = 0.5,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._base = base
        self._cap = cap
        self._factor = factor
        self._jitter = jitter
        self._rand = rand
        self._current = base

    def next(self) -> float:
        """The delay to take now, in seconds."""
        delay = self._current * (1.0 + self._jitter * self._rand())
        self._current = min(self._cap, self._current * self._factor)
        return min(delay, self._cap * (1.0 + self._jitter))

    def reset(self) -> None:
        """After a success: begin at `base` again."""
        self._current = self._base
