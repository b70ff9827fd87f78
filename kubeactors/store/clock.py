"""Cluster time: the primary's clock, which every log entry carries and which never goes back."""

from __future__ import annotations

from collections.abc import Callable


class ClusterClock:
    """Milliseconds that pass while there is a primary. `monotonic` gives seconds, as time.monotonic does."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._base = 0
        self._since = monotonic()

    def resume(self, time: int) -> None:
        """This member became the primary; the last applied entry was of cluster time `time`."""
        self._base = time
        self._since = self._monotonic()

    def now(self) -> int:
        return self._base + int((self._monotonic() - self._since) * 1000)
