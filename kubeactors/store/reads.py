"""Linearizable reads that wait: first for a read index, then until it is applied.

One round is outstanding at a time, and whatever comes meanwhile shares the next one: a read must be asked about after
it came, so it cannot join a round that was asked before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from kubeactors.store.errors import StoreError, StoreUnavailable

ReadDone = Callable[[StoreError | None], None]
"""None: the applied state reflects every write acknowledged before the read was asked for. Called once."""


class _Read(NamedTuple):
    done: ReadDone
    deadline: float


class Reads:
    """`context`: the first round's; none may have been used by this member before, in an earlier life neither.
    `retry`: seconds after which a round that was not answered is asked about again, with a new context."""

    def __init__(self, context: int, retry: float, timeout: float) -> None:
        self._context = context
        self._retry = retry
        self._timeout = timeout
        self._waiting: list[_Read] = []
        self._round: list[_Read] = []
        self._asked = 0.0
        self._confirmed: deque[tuple[int, list[_Read]]] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._round) + sum(len(reads) for _, reads in self._confirmed)

    def add(self, done: ReadDone, now: float) -> None:
        self._waiting.append(_Read(done, now + self._timeout))

    @property
    def due(self) -> bool:
        """A round may begin."""
        return bool(self._waiting) and not self._round

    def begin(self, now: float) -> int:
        """The new round's context."""
        self._round, self._waiting = self._waiting, []
        self._asked = now
        self._context += 1
        return self._context

    def abandon(self) -> None:
        """The round will not be answered: its reads go into the next one."""
        if self._round:
            self._waiting[:0] = self._round
            self._round = []

    def confirmed(self, context: int, index: int) -> None:
        """An answer to an earlier round than the present one is passed over."""
        if context == self._context and self._round:
            self._confirmed.append((index, self._round))
            self._round = []

    def applied(self, index: int) -> None:
        while self._confirmed and self._confirmed[0][0] <= index:
            for read in self._confirmed.popleft()[1]:
                read.done(None)

    def tick(self, now: float) -> None:
        if self._round and now - self._asked >= self._retry:
            self.abandon()
        for reads in (self._waiting, self._round, *(reads for _, reads in self._confirmed)):
            late = 0
            while late < len(reads) and reads[late].deadline <= now:
                late += 1
            if late:
                timed_out = reads[:late]
                del reads[:late]
                for read in timed_out:
                    read.done(StoreUnavailable("etcdserver: request timed out", outcome_unknown=False))

    def fail(self, error: StoreError) -> None:
        everything = [*self._waiting, *self._round, *(read for _, reads in self._confirmed for read in reads)]
        self._waiting, self._round = [], []
        self._confirmed.clear()
        for read in everything:
            read.done(error)
