"""Waiting in tests for something that has no event to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object], timeout: float = 20.0, interval: float = 0.01) -> None:
    """Returns once `condition()` is true. Raises AssertionError after `timeout` seconds."""
    now = asyncio.get_running_loop().time
    deadline = now() + timeout
    while not condition():
        if now() >= deadline:
            raise AssertionError(f"not met within {timeout:g} s")
        await asyncio.sleep(interval)
