"""Sizes of a deployment's ReplicaSets: single decisions, and what holds over whole rollouts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api.meta import Object
from kubeactors.controllers.deployment.replica_sets import replicas_of, size_annotations
from kubeactors.controllers.deployment.scaling import (
    Scale,
    is_scaling_event,
    max_surge,
    max_unavailable,
    new_set_size,
    scale_all,
    scale_new,
    scale_old,
)
from tests.unit.controllers.objects import deployment, replica_set


def rolling(replicas: int, surge: int | str, unavailable: int | str) -> Object:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return deployment(replicas=replicas, strategy=strategy)


def sizes(steps: list[Scale]) -> dict[str, int]:
    return {step.replica_set["metadata"]["name"]: step.replicas for step in steps}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", (1, 1)),
        (3, "25%", "25%", (1, 0)),  # surge rounds up, unavailable down
        (10, 2, 1, (2, 1)),
        (3, 0, "25%", (0, 1)),  # nothing could move: one may be missing
        (0, "25%", "25%", (0, 0)),
        (2, 1, 5, (1, 2)),  # never more than there are
    ],
)
def test_fence_posts(replicas: int, surge: Any, unavailable: Any, expected: tuple[int, int]) -> None:
    made = rolling(replicas, surge, unavailable)
    assert (max_surge(made), max_unavailable(made)) == expected


def test_recreate_has_no_surge() -> None:
    made = deployment(replicas=5, strategy={"type": "Recreate"})
    assert (max_surge(made), max_unavailable(made)) == (0, 0)
    assert new_set_size(made, [replica_set("old", 3)], 0) == 5


def test_new_set_starts_as_large_as_surge_allows() -> None:
    assert new_set_size(rolling(4, "25%", "25%"), [replica_set("old", 4)], 0) == 1
    assert new_set_size(rolling(3, 0, 1), [replica_set("old", 3)], 0) == 0


def test_new_set_shrinks_at_once() -> None:
    new = replica_set("new", 5)
    assert sizes(scale_new(rolling(3, 1, 0), [new], new)) == {"new": 3}


def test_old_pods_go_as_new_ones_become_available() -> None:
    made, old, new = rolling(4, 1, 1), replica_set("old", 4, 4), replica_set("new", 1, 0)
    assert sizes(scale_old(made, [old], new)) == {"old": 3}
    assert scale_old(made, [replica_set("old", 3, 3)], replica_set("new", 2, 0)) == []
    assert sizes(scale_old(made, [replica_set("old", 3, 3)], replica_set("new", 2, 2))) == {"old": 1}


def test_unavailable_old_pods_go_first_whatever_their_age() -> None:
    older, sick = replica_set("older", 3, 3, age=100), replica_set("sick", 2, 0, age=50)
    made = rolling(3, 1, 0)
    assert sizes(scale_old(made, [older, sick], replica_set("new", 1, 0))) == {"sick": 0}


def test_nothing_is_taken_below_the_minimum() -> None:
    assert scale_old(rolling(2, 1, 0), [replica_set("old", 2, 2)], replica_set("new", 1, 0)) == []


# Scaling in the middle of a rollout


def sized(name: str, replicas: int, desired: int, surge: int, available: int = 0, age: float = 0) -> Object:
    return replica_set(name, replicas, available, age=age, annotations=size_annotations(desired, surge))


def test_a_stuck_rollout_scales_in_proportion() -> None:
    made = rolling(10, 2, 1)
    steps = scale_all(made, sized("new", 3, 4, 2), [sized("old", 3, 4, 2, available=3, age=100)])
    assert sizes(steps) == {"new": 6, "old": 6}


def test_scaling_down_in_proportion() -> None:
    made = rolling(4, 2, 1)
    steps = scale_all(made, sized("new", 6, 10, 2), [sized("old", 6, 10, 2, available=6, age=100)])
    assert sizes(steps) == {"new": 3, "old": 3}


def test_the_only_set_with_pods_takes_the_whole_change() -> None:
    steps = scale_all(rolling(7, 1, 0), sized("new", 0, 3, 1), [sized("old", 3, 3, 1)])
    assert sizes(steps) == {"old": 7}


def test_the_newest_set_takes_it_when_none_has_pods() -> None:
    olds = [sized("oldest", 0, 0, 1, age=9), sized("old", 0, 0, 1, age=5)]
    assert sizes(scale_all(rolling(2, 1, 0), None, olds)) == {"old": 2}


def test_old_sets_go_when_the_new_one_is_saturated() -> None:
    made = rolling(3, 1, 0)
    assert sizes(scale_all(made, sized("new", 3, 3, 1, available=3), [sized("old", 1, 3, 1, available=1)])) == {
        "old": 0
    }


def test_down_to_nothing() -> None:
    steps = scale_all(rolling(0, 2, 1), sized("new", 3, 4, 2), [sized("old", 3, 4, 2)])
    assert sizes(steps) == {"new": 0, "old": 0}


def test_a_change_of_size_is_told_from_a_rollout() -> None:
    made = rolling(4, 1, 0)
    assert not is_scaling_event(made, [sized("a", 4, 4, 1)])
    assert is_scaling_event(made, [sized("a", 3, 3, 1)])
    assert not is_scaling_event(made, [sized("empty", 0, 3, 1)])


@settings(max_examples=200, deadline=None)
@given(
    after=st.integers(0, 30),
    surge=st.integers(0, 5),
    parts=st.lists(st.integers(1, 10), min_size=2, max_size=4),
)
def test_proportional_scaling_adds_up(after: int, surge: int, parts: list[int]) -> None:
    before = max(1, sum(parts) - surge)  # all that the surge allowed
    made = rolling(after, surge, 1)
    sets = [sized(f"s{i}", size, before, surge, age=100 - i) for i, size in enumerate(parts)]
    steps = scale_all(made, sets[-1], sets[:-1])
    total = sum(step.replicas for step in steps)
    assert all(step.replicas >= 0 for step in steps)
    assert total <= (after + surge if after else 0)
    grow = (after + surge if after else 0) >= sum(parts)
    for step in steps:
        assert step.replicas >= replicas_of(step.replica_set) if grow else True


# Whole rollouts


class Rollout:
    """Old and new sets with their pods; the controller decides, sets follow, pods become available or lose it."""

    def __init__(self, made: Object, olds: list[tuple[int, int]]) -> None:
        self.made = made
        self.sets = [replica_set(f"old{i}", size, min(up, size), age=100 - i) for i, (size, up) in enumerate(olds)]
        self.sets.append(replica_set("new", 0, 0))

    @property
    def new(self) -> Object:
        return self.sets[-1]

    def available(self) -> int:
        return sum(rs["status"]["availableReplicas"] for rs in self.sets)

    def decide(self) -> bool:
        steps = scale_new(self.made, self.sets, self.new) or scale_old(self.made, self.sets[:-1], self.new)
        for step in steps:
            step.replica_set["spec"]["replicas"] = step.replicas
            # The ReplicaSet controller deletes pods that are not ready first.
            status = step.replica_set["status"]
            status["availableReplicas"] = min(status["availableReplicas"], step.replicas)
            status["replicas"] = step.replicas
        return bool(steps)

    def change(self, index: int, up: bool) -> None:
        rs = self.sets[index % len(self.sets)]
        count = rs["status"]["availableReplicas"] + (1 if up else -1)
        rs["status"]["availableReplicas"] = max(0, min(replicas_of(rs), count))

    def done(self) -> bool:
        return replicas_of(self.new) == self.made["spec"]["replicas"] and not any(map(replicas_of, self.sets[:-1]))


PERCENT_OR_COUNT = st.one_of(st.integers(0, 6), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))


@settings(max_examples=300, deadline=None)
@given(
    replicas=st.integers(1, 20),
    surge=PERCENT_OR_COUNT,
    unavailable=PERCENT_OR_COUNT,
    olds=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=3),
    events=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60),
)
def test_rollouts_keep_within_bounds(replicas: int, surge: Any, unavailable: Any, olds: Any, events: Any) -> None:
    made = rolling(replicas, surge, unavailable)
    rollout = Rollout(made, olds)
    ceiling = replicas + max_surge(made)
    floor = replicas - max_unavailable(made)
    for index, up in events:
        total, available = sum(map(replicas_of, rollout.sets)), rollout.available()
        rollout.decide()
        # Never above the surge, unless it was before: then never further.
        assert sum(map(replicas_of, rollout.sets)) <= max(ceiling, total)
        # Never below what must be available by our doing.
        assert rollout.available() >= min(available, floor)
        rollout.change(index, up)


@settings(max_examples=200, deadline=None)
@given(replicas=st.integers(1, 20), surge=PERCENT_OR_COUNT, unavailable=PERCENT_OR_COUNT, sick=st.integers(0, 20))
def test_rollouts_end(replicas: int, surge: Any, unavailable: Any, sick: int) -> None:
    """When new pods become available, the rollout comes to its end, even if old pods are broken."""
    rollout = Rollout(rolling(replicas, surge, unavailable), [(replicas, max(0, replicas - sick))])
    for _ in range(8 * replicas + 8):
        if not rollout.decide():
            rollout.change(len(rollout.sets) - 1, True)
    assert rollout.done()


def test_a_quarter_each_way_for_four() -> None:
    """The sizes that a rolling update of 4 with 25 % and 25 % goes through when pods become ready one by one."""
    rollout = Rollout(rolling(4, "25%", "25%"), [(4, 4)])
    seen = []
    while not rollout.done():
        moved = rollout.decide()
        state = replicas_of(rollout.sets[0]), replicas_of(rollout.new)
        if not seen or seen[-1] != state:
            seen.append(state)
        if not moved:
            rollout.change(1, True)
        assert len(seen) < 20
    assert seen[0] == (4, 1)
    assert seen[1] == (3, 1)
    assert seen[2] == (3, 2)
    assert seen[-1] == (0, 4)
    assert math.isclose(max(sum(state) for state in seen), 5)
