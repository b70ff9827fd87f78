"""Histories of real clusters under faults are linearizable, and their watches tell every change once, in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.linearizability.clusters import LONG, cluster_in_namespaces
from tests.linearizability.nemesis import CHANGES, CUTS, KILLS, PAUSES
from tests.linearizability.run import Plan, Run, check_run

# Snapshots every few hundred entries: members that come back late need one.
FLAGS = ["--snapshot-count", "400"]
SEEDS = range(5) if LONG else range(1)
pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]


async def faults(directory: Path, members: int, names: Sequence[str], seed: int, *, tls: bool = False) -> Run:
    plan = Plan(
        90 if LONG else 4,
        names,
        at_least=len(names),
        seed=seed,
        clients=4 * members,
        watchers=3,
        lasting=(0.5, 4.0) if LONG else (0.5, 1.5),
        between=(0.2, 2.5) if LONG else (0.2, 0.6),
    )
    async with cluster_in_namespaces(directory / "cluster", members, *FLAGS, tls=tls) as target:
        run = await check_run(target, plan, directory)
    print(run.summary())
    assert set(run.faults) == set(names), run.faults
    assert run.history.counts()["ok"] > 200, run.summary()
    assert run.log.changes and all(watch.resumed for watch in run.watches), "no watch was resumed"
    return run


@pytest.mark.parametrize("seed", SEEDS)
async def test_three_members_under_every_fault(tmp_path: Path, seed: int) -> None:
    names = [*KILLS, *PAUSES, *CUTS] if LONG else ["kill_leader", "isolate_leader", "pause_leader", "kill_all"]
    await faults(tmp_path, 3, sorted(names), seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_five_members_cut_apart_and_killed(tmp_path: Path, seed: int) -> None:
    names = [*KILLS, *PAUSES, *CUTS] if LONG else ["bridge", "halves", "kill_and_cut", "deafen_leader"]
    await faults(tmp_path, 5, sorted(names), seed, tls=True)


@pytest.mark.parametrize("seed", SEEDS)
async def test_members_come_and_go(tmp_path: Path, seed: int) -> None:
    names = [*CHANGES, "kill_one", "kill_leader", "isolate_leader", "pause_one"] if LONG else [*CHANGES]
    await faults(tmp_path, 3, sorted(names), seed)
