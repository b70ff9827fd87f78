from __future__ import annotations

import pytest

from tests.support.raft_members import voters


def test_without_voters_nobody_wins() -> None:
    assert voters(learners=(1,)).outcome({1: True}) is not True


@pytest.mark.parametrize(
    ("size", "yes", "no", "outcome"),
    [
        (1, 1, 0, True),
        (3, 1, 0, None),
        (3, 2, 0, True),
        (3, 1, 1, None),
        (3, 1, 2, False),
        (4, 2, 1, None),
        (4, 2, 2, False),
        (4, 3, 0, True),
        (5, 2, 2, None),
        (5, 3, 2, True),
        (5, 2, 3, False),
    ],
)
def test_elections(size: int, yes: int, no: int, outcome: bool | None) -> None:
    votes = {member: member <= yes for member in range(1, yes + no + 1)}
    learner = {member: True for member in range(100, 110)}
    assert voters(*range(1, size + 1)).outcome(votes | learner) is outcome


def test_changes() -> None:
    three = voters(1, 2, 3)
    assert three.with_voter(4) == voters(1, 2, 3, 4)
    assert three.with_learner(4) == voters(1, 2, 3, learners=(4,))
    assert three.with_learner(4).with_voter(4) == voters(1, 2, 3, 4)
    assert three.without(2) == voters(1, 3)
    assert three.with_learner(4).without(4) == three
    assert three.with_learner(4).members == {1, 2, 3, 4}
    with pytest.raises(ValueError, match="both voters and learners"):
        three.with_learner(3)
