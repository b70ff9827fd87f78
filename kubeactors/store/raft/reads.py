"""Linearizable reads by rounds of heartbeats (Raft dissertation, 6.4).

A read may be made from the state as of the commit index at the time when it was asked for, once a majority has
confirmed after that time that this leader still leads. Reads that come while nothing was sent yet share one round.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Read(NamedTuple):
    """`member` asked; `context` is its own name for the read."""

    member: int
    context: int


class ReadRounds:
    """Of one leader in one term."""

    __slots__ = ("_rounds", "last", "waiting")

    def __init__(self) -> None:
        self.waiting: list[Read] = []
        self.last = 0
        """The newest round's number; the first one's is 1."""
        self._rounds: deque[tuple[int, int, list[Read]]] = deque()

    @property
    def outstanding(self) -> bool:
        return bool(self._rounds)

    def start(self, index: int) -> int:
        """Begin a round for all that wait, to read as of `index`. Its number."""
        self.last += 1
        self._rounds.append((self.last, index, self.waiting))
        self.waiting = []
        return self.last

    def confirm(self, number: int) -> list[tuple[int, list[Read]]]:
        """A majority has answered this round, which confirms those before it too: (index, reads) of each."""
        done: list[tuple[int, list[Read]]] = []
        while self._rounds and self._rounds[0][0] <= number:
            _, index, reads = self._rounds.popleft()
            done.append((index, reads))
        return done
