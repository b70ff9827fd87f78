"""What a controller has asked for and not yet seen come true in its informer.

Until it has, its view of the world is behind its own deeds, and acting on it again would do them twice
(client-go's UIDTrackingControllerExpectations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

TIMEOUT_S = 300.0  # after this an event was lost: believe the informer again


@dataclass
class _Expected:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    """Per key (an owner): how many creations and which deletions are still to be seen.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, key: str) -> bool:
        """Whether the owner's informer has caught up with its deeds (or should have long ago)."""
        expected = self._expected.get(key)
        if expected is None or (expected.creations <= 0 and not expected.deletions):
            return True
        return self._clock() - expected.since > TIMEOUT_S

    def expect_creations(self, key: str, count: int) -> None:
        self._expected[key] = _Expected(self._clock(), creations=count)

    def expect_deletions(self, key: str, uids: Iterable[str]) -> None:
        self._expected[key] = _Expected(self._clock(), deletions=set(uids))

    def creation_observed(self, key: str, count: int = 1) -> None:
        """An informer has shown a creation, or it has failed and will not come."""
        if expected := self._expected.get(key):
            expected.creations -= count

    def deletion_observed(self, key: str, uid: str) -> None:
        if expected := self._expected.get(key):
            expected.deletions.discard(uid)

    def forget(self, key: str) -> None:
        """The owner is gone."""
        self._expected.pop(key, None)
