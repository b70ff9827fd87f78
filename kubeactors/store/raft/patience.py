"""How many ticks a member waits for a leader or for votes."""

from __future__ import annotations

import random

from kubeactors.store.raft.config import RaftConfig


class Patience:
    """`elapsed`: ticks since the leader was heard of, or since votes were asked for."""

    __slots__ = ("_attempts", "_config", "_rng", "_timeout", "elapsed")

    def __init__(self, config: RaftConfig, rng: random.Random) -> None:
        self._config = config
        self._rng = rng
        self._attempts = 0
        self._timeout = 0
        self.elapsed = 0
        self.for_leader()

    @property
    def over(self) -> bool:
        return self.elapsed >= self._timeout

    @property
    def in_lease(self) -> bool:
        """Less than the shortest election timeout has passed."""
        return self.elapsed < self._config.election_ticks

    def for_leader(self) -> None:
        """The election timeout: random, so that one campaigns before the others (Raft paper, 5.2). Not less than what
        the others need to be past the leader's lease as well, as they may have heard of it up to a heartbeat later."""
        ticks = self._config.election_ticks
        lease = min(ticks + self._config.heartbeat_ticks + 1, 2 * ticks)
        self._wait(lease + self._rng.randrange(max(1, ticks * 3 // 4)))

    def for_pre_votes(self) -> None:
        self._retry(self._config.election_ticks // 5)

    def for_votes(self) -> None:
        self._retry(self._config.election_ticks // 2)

    def tried(self) -> None:
        self._attempts += 1

    def found(self) -> None:
        """A leader is known: the next search begins anew."""
        self._attempts = 0

    def _retry(self, first: int) -> None:
        """Short at first, as a lost vote must not cost a whole election timeout; longer with each attempt, as disks may
        be slow."""
        base = min(max(2, first) << min(self._attempts, 16), self._config.election_ticks)
        self._wait(base + 1 + self._rng.randrange(base))

    def _wait(self, ticks: int) -> None:
        self.elapsed, self._timeout = 0, ticks
