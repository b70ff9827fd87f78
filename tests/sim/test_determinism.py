"""One seed, one run: the same trace every time, watched or not, whatever Python's hash seed is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.sim.run import Failure, Passed, one

SEEDS = range(40, 48)


@pytest.mark.parametrize("scenario", ["cluster", "storage"])
def test_the_same_seed_makes_the_same_trace(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = [one(scenario, seed) for seed in SEEDS]
    assert all(isinstance(result, Passed) for result in first), first
    assert len({result.hash for result in first if isinstance(result, Passed)}) == len(SEEDS)
    assert [one(scenario, seed) for seed in reversed(SEEDS)] == first[::-1]
    assert one(scenario, SEEDS[0], verbose=True) == first[0]
    assert len(capsys.readouterr().out.splitlines()) > 10


@pytest.mark.parametrize("hash_seed", ["1", "2"])
@pytest.mark.parametrize("scenario", ["cluster", "storage"])
def test_other_hash_seeds_change_nothing(scenario: str, hash_seed: str) -> None:
    script = f"from tests.sim.run import one\nfor seed in {list(SEEDS)}: print(one({scenario!r}, seed))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == [str(one(scenario, seed)) for seed in SEEDS]


def test_a_failure_names_the_command_that_replays_it() -> None:
    assert str(Failure("cluster", 17, "it broke", long=False)).splitlines() == [
        "cluster seed 17: it broke",
        "replay it: python -m tests.sim cluster --seed 17 --trace",
    ]
