"""Rounds of the two systems in turn, their medians, and the ratios of those."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks.figures import cpu_seconds, percentile, pss
from benchmarks.store.load import Job, Outcome, Way, What
from benchmarks.store.systems import System, compact, leader, serving
from benchmarks.store.workers import Workers

KEYS = 5000
FAN_PUTS = 300


@dataclass(frozen=True)
class Scenario:
    """`to_leader`: every caller asks the leader; else they are spread over the members."""

    name: str
    what: What
    callers: int
    to_leader: bool = False
    writers: int = 1

    @property
    def group(self) -> str:
        return "get" if self.what in ("get", "serializable") else self.what

    @property
    def title(self) -> str:
        where = " @leader" if self.to_leader else ""
        if self.what == "watch":
            return f"{self.callers} watchers, {self.writers} writer{'s' if self.writers > 1 else ''}{where}"
        return f"{self.name}, {self.callers}{where}"


@dataclass
class Series:
    """What one way into one system came to, round by round. CPU in µs an operation (for a watch, an event)."""

    rates: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    failures: int = 0
    error: str = ""

    def add(self, outcome: Outcome, server_cpu: float) -> None:
        self.failures += outcome.failures
        self.error = self.error or outcome.error
        if not outcome.count:
            return
        self.rates.append(outcome.count / outcome.seconds)
        self.times += outcome.times
        self.server.append(server_cpu / outcome.count * 1e6)
        self.client.append(outcome.cpu / outcome.count * 1e6)
        self.busy.append((server_cpu + outcome.cpu) / outcome.seconds)


class Comparison:
    def __init__(self, systems: Sequence[System], workers: Workers, processes: int, seconds: float) -> None:
        self._systems = systems
        self._workers = workers
        self._processes = processes
        self._seconds = seconds
        self._filled = False

    async def run(self, scenario: Scenario, rounds: int) -> None:
        """Prints one line for each way into each system."""
        if scenario.what in ("get", "serializable") and not self._filled:
            for system in self._systems:
                await self._workers.do(_job(system, "raw", "fill", system.urls, callers=32, keys=KEYS), 1)
            self._filled = True
        series: dict[tuple[str, str], Series] = {}
        for _ in range(rounds):
            for system in self._systems:
                for way in system.ways:
                    one = series.setdefault((system.name, way), Series())
                    await self._round(system, way, scenario, one)
        _print(scenario, series)

    async def _round(self, system: System, way: Way, scenario: Scenario, series: Series) -> None:
        urls = [system.urls[await leader(system)]] if scenario.to_leader else system.urls
        processes = 1 if scenario.callers == 1 else self._processes
        if scenario.what == "watch":
            # One process, which knows when each put began; its first writer asks the leader.
            first = await leader(system)
            urls = urls[first:] + urls[:first]
            processes = 1
        keys = FAN_PUTS if scenario.what == "watch" else KEYS
        job = _job(system, way, scenario.what, urls, callers=scenario.callers, keys=keys)
        job = replace(job, seconds=self._seconds, writers=scenario.writers)
        before = sum(map(cpu_seconds, system.pids()))
        outcome = await self._workers.do(job, processes)
        series.add(outcome, sum(map(cpu_seconds, system.pids())) - before)
        await compact(system)


def _job(system: System, way: Way, what: What, urls: list[str], *, callers: int, keys: int = KEYS) -> Job:
    tls = [system.tls.ca, system.tls.cert, system.tls.key] if system.tls is not None else None
    return Job(way, what, urls, tls, callers=callers, keys=keys)


def _print(scenario: Scenario, series: dict[tuple[str, str], Series]) -> None:
    for (system, way), one in series.items():
        ratios = []
        if system != "etcd" and one.rates:
            for peer in ("unary", "raw"):
                other = series.get(("etcd", peer))
                if other is not None and other.rates and (way == "session" or way == peer):
                    ratios.append(f"{median(one.rates) / median(other.rates):.2f} x etcd {peer}")
        if not one.rates:
            print(f"{scenario.title:<30} {system:<6} {way:<8} failed: {one.error}", flush=True)
            continue
        low, high = min(one.rates), max(one.rates)
        print(
            f"{scenario.title:<30} {system:<6} {way:<8} {median(one.rates):8.0f}/s ({low:.0f}-{high:.0f})  "
            f"p50 {percentile(one.times, 0.5) / 1000:6.1f}  p99 {percentile(one.times, 0.99) / 1000:6.1f} ms  "
            f"CPU: servers {median(one.server):4.0f} + client {median(one.client):3.0f} µs, "
            f"{median(one.busy):.2f} cores  {', '.join(ratios)}"
            + (f"  {one.failures} failed: {one.error}" if one.failures else ""),
            flush=True,
        )


async def many_keys(system: System, workers: Workers, processes: int, keys: int, restarts: int) -> None:
    """Memory and restart with many keys. Prints lines."""

    def memory() -> str:
        return " + ".join(f"{pss(pid) / 1e6:.0f}" for pid in system.pids()) + " MB"

    print(f"{system.name:<6} memory, empty{'':<26} {memory()}", flush=True)
    await workers.do(_job(system, "raw", "fill", system.urls, callers=64, keys=keys), processes)
    print(f"{system.name:<6} memory, {keys} keys of 1 KB{'':<14} {memory()}", flush=True)
    times = []
    for _ in range(restarts):
        system.kill(0)
        begin = time.monotonic()
        system.start_member(0)
        times.append(await serving(system.urls[0], system.tls) - begin)
    print(f"{system.name:<6} one member killed, restart to a read{'':<4} {_seconds(times)}", flush=True)
    times = []
    for _ in range(restarts):
        for number in range(len(system.urls)):
            system.kill(number)
        begin = time.monotonic()
        for number in range(len(system.urls)):
            system.start_member(number)
        times.append(max([await serving(url, system.tls) for url in system.urls]) - begin)
    print(f"{system.name:<6} all killed, restart to a read{'':<11} {_seconds(times)}", flush=True)
    print(f"{system.name:<6} memory after the restart{'':<16} {memory()}", flush=True)


def _seconds(times: Sequence[float]) -> str:
    return f"{median(times):.2f} s ({min(times):.2f}-{max(times):.2f})"
