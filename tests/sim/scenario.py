"""What one seed chooses: how large, how long, how bad."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.sim.network import Weather

FAULTS = (
    "kill",
    "power",
    "kill leader",
    "all die",
    "cut",
    "cut one way",
    "isolate leader",
    "pause",
    "slow disk",
    "failing sync",
    "full disk",
    "transfer",
    "snapshot",
    "compact",
    "member",
)


@dataclass
class Scenario:
    """Times in seconds; `tick`: of the members' clocks. `quiet`: time without faults at the end, in which the cluster
    must come to rest."""

    members: int = 3
    duration: float = 3.0
    quiet: float = 30.0
    clients: int = 3
    keys: int = 2
    think: float = 0.05
    tick: float = 0.05
    election_ticks: int = 10
    heartbeat_ticks: int = 2
    append_bytes: int = 4096
    inflight: int = 8
    apply_entries: int = 64
    tail_entries: int = 20
    request_seconds: float = 3.0
    snapshot_every: int = 40
    keep_entries: int = 10
    segment_bytes: int = 8192
    disk_latency: float = 0.001
    large_values: float = 0.0
    drift: float = 0.0
    weather: Weather = field(default_factory=Weather)
    faults: tuple[str, ...] = ()
    fault_every: float = 0.7

    def __str__(self) -> str:
        return (
            f"{self.members} members, {self.clients} clients, {self.duration:g} s, "
            f"faults: {', '.join(self.faults) or 'none'}, {self.weather}"
        )


def draw(rng: Random, long: bool = False) -> Scenario:
    """Many short ones, some long. `long`: of those only."""
    choice, random = rng.choice, rng.random
    kind = random()
    durations = (10.0, 40.0) if long or kind < 0.005 else (2.5, 6.0) if kind < 0.1 else (0.6, 1.6)
    scenario = Scenario(
        members=rng.choices((3, 5, 1, 2, 4), (70, 14, 8, 4, 4))[0],
        duration=rng.uniform(*durations),
        clients=choice((1, 2, 3, 5)),
        keys=choice((1, 2, 3, 6)),
        think=choice((0.01, 0.05, 0.1, 0.2)),
        election_ticks=choice((4, 6)),
        heartbeat_ticks=choice((1, 2, 2)),
        append_bytes=choice((100, 1000, 100_000)),
        inflight=choice((1, 2, 8)),
        apply_entries=choice((1, 4, 64)),
        tail_entries=choice((0, 3, 20, 1000)),
        snapshot_every=choice((5, 10, 30, 1000)) if durations[1] < 3 else choice((20, 50, 100)),
        keep_entries=choice((0, 5, 30)),
        segment_bytes=choice((2048, 8192, 65536)),
        disk_latency=choice((0.0002, 0.001, 0.01)),
        large_values=choice((0.0, 0.0, 0.2)),
        drift=choice((0.0, 0.0, 0.1)),
        fault_every=choice((0.1, 0.2, 0.4)),
    )
    if kind > 0.05:
        scenario.faults = tuple(sorted(rng.sample(FAULTS, rng.randrange(1, 7))))
        if random() < 0.6:
            scenario.weather = Weather(
                latency=choice((0.001, 0.004, 0.02)),
                slow=choice((0.0, 0.02, 0.2)),
                slowest=choice((0.1, 0.4, 1.0)),
                loss=choice((0.0, 0.01, 0.1, 0.3)),
                doubled=choice((0.0, 0.02, 0.2)),
            )
    return scenario
