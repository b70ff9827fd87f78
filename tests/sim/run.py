"""Many seeds on all cores, and what came of them."""

from __future__ import annotations

import logging
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.sim.cluster import Cluster
from tests.sim.storage import StorageRun
from tests.sim.trace import Trace, Violation

BATCH = 20
MAX_FAILURES = 5
"""After so many no further seeds are begun."""


@dataclass(frozen=True, slots=True)
class Passed:
    scenario: str
    seed: int
    hash: int
    events: int
    operations: int

    def __str__(self) -> str:
        return f"{self.scenario} seed {self.seed}: passed, {self.events} events, trace {self.hash & (1 << 64) - 1:016x}"


@dataclass(frozen=True, slots=True)
class Failure:
    scenario: str
    seed: int
    reason: str
    long: bool

    def __str__(self) -> str:
        long = " --long" if self.long else ""
        return (
            f"{self.scenario} seed {self.seed}: {self.reason}\n"
            f"replay it: python -m tests.sim {self.scenario} --seed {self.seed}{long} --trace"
        )


@dataclass(slots=True)
class Summary:
    scenario: str
    seeds: int = 0
    events: int = 0
    operations: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    def __str__(self) -> str:
        failed = f"{len(self.failures)} FAILED" if self.failures else "none failed"
        return (
            f"simulated {self.scenario}: {self.seeds} seeds in {self.seconds:.0f} s, {self.events} events, "
            f"{self.operations} operations, {failed}"
        )


def _cluster(seed: int, trace: Trace, long: bool) -> tuple[int, int]:
    cluster = Cluster(seed, trace, long=long)
    cluster.run()
    return cluster.timeline.events, len(cluster.history)


def _storage(seed: int, trace: Trace, long: bool) -> tuple[int, int]:
    run = StorageRun(seed, trace)
    run.run()
    return run.disk.ops, run.counter


SCENARIOS: dict[str, Callable[[int, Trace, bool], tuple[int, int]]] = {"cluster": _cluster, "storage": _storage}
SEEDS = {"cluster": 10_000, "storage": 3_000}
"""How many make a share of a minute or so on two cores."""


def one(scenario: str, seed: int, verbose: bool = False, long: bool = False) -> Passed | Failure:
    trace = Trace(verbose)
    try:
        events, operations = SCENARIOS[scenario](seed, trace, long)
    except Violation as error:
        return Failure(scenario, seed, str(error), long)
    except Exception:  # noqa: BLE001 - whatever the product raises is a finding of this seed
        return Failure(scenario, seed, traceback.format_exc(), long)
    return Passed(scenario, seed, trace.hash, events, operations)


def _batch(task: tuple[str, int, int, bool]) -> list[Passed | Failure]:
    scenario, first, count, long = task
    return [one(scenario, seed, long=long) for seed in range(first, first + count)]


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def run(scenario: str, first: int, count: int, seconds: float | None, jobs: int, long: bool = False) -> Summary:
    """`count` seeds from `first` on, or as many as `seconds` allow."""
    started = time.monotonic()
    summary = Summary(scenario)

    def tasks() -> Iterator[tuple[str, int, int, bool]]:
        for start in range(first, first + count, BATCH):
            late = seconds is not None and time.monotonic() - started > seconds
            if late or len(summary.failures) >= MAX_FAILURES:
                return
            yield scenario, start, min(BATCH, first + count - start), long

    if jobs > 1:
        context = multiprocessing.get_context("fork")
        with context.Pool(jobs, initializer=_quiet) as pool:
            waiting = tasks()
            running = [pool.apply_async(_batch, (task,)) for task in _take(waiting, jobs * 2)]
            while running:
                _count(summary, running.pop(0).get())
                running.extend(pool.apply_async(_batch, (task,)) for task in _take(waiting, 1))
    else:
        for task in tasks():
            _count(summary, _batch(task))
    summary.seconds = time.monotonic() - started
    return summary


def _take(tasks: Iterator[tuple[str, int, int, bool]], count: int) -> Iterator[tuple[str, int, int, bool]]:
    for _ in range(count):
        task = next(tasks, None)
        if task is None:
            return
        yield task


def _count(summary: Summary, results: list[Passed | Failure]) -> None:
    for result in results:
        summary.seeds += 1
        if isinstance(result, Failure):
            summary.failures.append(result)
        else:
            summary.events += result.events
            summary.operations += result.operations
