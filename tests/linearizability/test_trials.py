"""A cluster under load from 64 writers whose members die, stop, are replaced, or all die at once.

CI's share has fewer repetitions; KUBEACTORS_LONG=1 (`make test-long`) has the full numbers. `python -m
tests.linearizability trials` prints the figures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.linearizability.clusters import LONG, cluster_on_loopback
from tests.linearizability.trials import (
    kill_all_at_once,
    kill_leaders,
    lagging_follower,
    percentile,
    replace_member,
    writers_of,
)

pytestmark = pytest.mark.timeout(900)


async def test_writes_go_on_within_three_seconds_of_a_leaders_death(tmp_path: Path) -> None:
    async with cluster_on_loopback(tmp_path, 3, tls=True) as target:
        result = await kill_leaders(target, 20 if LONG else 2)
    print(result)
    assert percentile(result.first, 0.99) <= 3.0, result


async def test_a_follower_that_was_stopped_catches_up_by_snapshot(tmp_path: Path) -> None:
    """Without slowing the others below half of what they did before."""
    async with cluster_on_loopback(tmp_path, 3, *([] if LONG else ["--snapshot-count", "4000"]), tls=True) as target:
        result = await lagging_follower(target, 100_000 if LONG else 12_000, seconds=3.0 if LONG else 1.5)
    print(result)
    assert result.by_snapshot, result
    assert result.rate_catching_up >= 0.5 * result.rate_before, result


async def test_members_are_replaced_under_load(tmp_path: Path) -> None:
    async with cluster_on_loopback(tmp_path, 3, tls=True) as target, writers_of(target, 64) as load:
        for of_leader in [False, True] * (3 if LONG else 1):
            result = await replace_member(target, load, of_leader=of_leader)
            print(result)
            assert result.gap <= (3.0 if of_leader else 1.0), result


async def test_all_killed_at_once_lose_nothing(tmp_path: Path) -> None:
    async with cluster_on_loopback(tmp_path, 3, tls=True) as target:
        print(await kill_all_at_once(target, 10 if LONG else 1))
