"""How much work a pure function may do where others wait for it, such as on an event loop.

What clients send can make checks long: expressions that are compiled and evaluated. Such work is announced by
`spend`, in microseconds by estimate. Within `limited`, TakesLongError says when it is more than allowed; the caller
then does all of it again on another thread, where nothing is limited.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


class TakesLongError(Exception):
    """There is more to do than was allowed."""


# What is left, in a list of one, in microseconds.
_left: ContextVar[list[int] | None] = ContextVar("allowance", default=None)


@contextlib.contextmanager
def limited(microseconds: int) -> Iterator[None]:
    """Allow this much to what is called inside, on this thread."""
    token = _left.set([microseconds])
    try:
        yield
    finally:
        _left.reset(token)


def spend(microseconds: int) -> None:
    """Raises TakesLongError if no more is left."""
    left = _left.get()
    if left is not None:
        left[0] -= microseconds
        if left[0] < 0:
            raise TakesLongError


def left() -> int | None:
    """The microseconds that are left; None without a limit."""
    found = _left.get()
    return None if found is None else found[0]
