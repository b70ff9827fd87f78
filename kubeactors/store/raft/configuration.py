"""Who votes, and what a majority of them has said. One member changes at a time, so that any majority of one
configuration meets every majority of the next (Raft dissertation, 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Configuration:
    """Members by id. A learner is sent everything and counted for nothing. No id is in both."""

    voters: frozenset[int] = frozenset()
    learners: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if both := self.voters & self.learners:
            raise ValueError(f"members {sorted(both)} are both voters and learners")

    @property
    def members(self) -> frozenset[int]:
        return self.voters | self.learners

    @property
    def quorum(self) -> int:
        """How many voters are a majority."""
        return len(self.voters) // 2 + 1

    def with_voter(self, member: int) -> Configuration:
        """`member` added as a voter, or promoted from learner."""
        return Configuration(self.voters | {member}, self.learners - {member})

    def with_learner(self, member: int) -> Configuration:
        """`member` added as a learner. A voter cannot become one: raises ValueError."""
        return Configuration(self.voters, self.learners | {member})

    def without(self, member: int) -> Configuration:
        return Configuration(self.voters - {member}, self.learners - {member})

    def outcome(self, votes: Mapping[int, bool]) -> bool | None:
        """Of an election: True won, False lost, None open. Only voters' votes count. No voters: never won."""
        granted = refused = 0
        for voter in self.voters:
            vote = votes.get(voter)
            if vote is True:
                granted += 1
            elif vote is False:
                refused += 1
        if granted >= self.quorum:
            return True
        return False if refused > len(self.voters) - self.quorum else None
