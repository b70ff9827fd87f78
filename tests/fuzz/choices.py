"""Decisions of a generator, each of which hypothesis makes, remembers and shrinks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
_PERCENT = st.integers(0, 99)


class Choices:
    """Wraps a `draw` function. What hypothesis shrinks towards comes first."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def below(self, limit: int) -> int:
        """An integer from 0 on and below the limit."""
        return int(self._draw(_integers(limit - 1)))

    def one(self, things: Sequence[T]) -> T:
        """One of them."""
        return things[self.below(len(things))]

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases; false is simpler."""
        return int(self._draw(_PERCENT)) >= 100 - percent

    def draw(self, strategy: st.SearchStrategy[T]) -> T:
        """Whatever a strategy gives."""
        drawn: T = self._draw(strategy)
        return drawn


@functools.lru_cache(maxsize=512)
def _integers(largest: int) -> st.SearchStrategy[int]:
    return st.integers(0, largest)
