"""How much of the applied log stays in memory for followers that are behind."""

from __future__ import annotations

from collections import deque


class Tail:
    """`entries`, `max_bytes`: what is kept at the least, if there is as much. `catch_up_bytes`: what is kept at the
    most while a live follower needs it."""

    def __init__(self, entries: int, max_bytes: int, catch_up_bytes: int) -> None:
        self._keep = entries
        self._max_bytes = max_bytes
        self._catch_up_bytes = catch_up_bytes
        self._batches: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def applied(self, index: int, size: int) -> None:
        """Entries up to `index`, of `size` bytes, were applied."""
        self._batches.append((index, size))
        self._bytes += size

    def clear(self) -> None:
        """The log begins anew."""
        self._batches.clear()
        self._bytes = 0

    def drop(self, needed: int | None) -> int:
        """The last entry to drop, 0 for none. `needed`: the first one that a live follower still has to be sent."""
        dropped = 0
        batches = self._batches
        newest = batches[-1][0] if batches else 0
        while batches:
            index, size = batches[0]
            enough = index > newest - self._keep and self._bytes <= self._max_bytes
            wanted = needed is not None and index >= needed and self._bytes <= self._catch_up_bytes
            if enough or wanted or len(batches) == 1:
                break
            batches.popleft()
            self._bytes -= size
            dropped = index
        return dropped
