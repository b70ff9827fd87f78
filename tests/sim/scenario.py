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
    "strand leader",
    "kill at commit",
    "power at change",
    "transfer",
    "snapshot",
    "compact",
    "member",
)
LEADER_FAULTS = (
    "all die",
    "cut",
    "cut one way",
    "isolate leader",
    "kill at commit",
    "kill leader",
    "pause",
    "power",
    "strand leader",
    "transfer",
)


@dataclass
class Scenario:
    """Times in seconds; `tick`: of the members' clocks. `quiet`: time without faults at the end, in which the cluster
    must come to rest. `think`: of a client between two calls; `patience`: how long it waits for an answer;
    `to_leaders`: how often it asks one that believes to lead. `drift`: by how much clocks go wrong; `restart`: time
    until a dead process comes back. All of them at the most."""

    members: int = 3
    duration: float = 3.0
    quiet: float = 30.0
    clients: int = 3
    keys: int = 2
    think: float = 0.05
    patience: float = 6.0
    to_leaders: float = 0.0
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
    restart: float = 0.5
    weather: Weather = field(default_factory=Weather)
    faults: tuple[str, ...] = ()
    fault_every: float = 0.7

    def __str__(self) -> str:
        return (
            f"{self.members} members, {self.clients} clients, {self.duration:g} s, "
            f"faults: {', '.join(self.faults) or 'none'}, {self.weather}"
        )


def draw(rng: Random, long: bool = False) -> Scenario:
    """One of five kinds. `long`: ten times as long."""
    kind = rng.random()
    if kind < 0.3:
        scenario = _churn(rng)
    elif kind < 0.45:
        scenario = _members(rng)
    elif kind < 0.55:
        scenario = _figure_8(rng)
    elif kind < 0.6:
        scenario = _old_leaders(rng)
    else:
        scenario = _anything(rng)
    if long:
        scenario.duration *= 10
    return scenario


def _anything(rng: Random) -> Scenario:
    """Any faults together, mostly short."""
    choice, random = rng.choice, rng.random
    short = random() < 0.92
    scenario = Scenario(
        members=rng.choices((3, 5, 1, 2, 4), (70, 14, 8, 4, 4))[0],
        duration=rng.uniform(0.6, 1.5) if short else rng.uniform(2.5, 6.0),
        clients=choice((1, 2, 3, 5)),
        keys=choice((1, 2, 3, 6)),
        think=choice((0.02, 0.05, 0.1, 0.2)),
        patience=choice((0.3, 1.0, 6.0)),
        request_seconds=choice((0.2, 0.6, 3.0)),
        election_ticks=choice((4, 6)),
        heartbeat_ticks=choice((1, 2, 2)),
        append_bytes=choice((100, 1000, 100_000)),
        inflight=choice((1, 2, 8)),
        apply_entries=choice((1, 4, 64)),
        tail_entries=choice((0, 3, 20, 1000)),
        snapshot_every=choice((5, 10, 30, 1000)) if short else choice((20, 50, 100)),
        keep_entries=choice((0, 5, 30)),
        segment_bytes=choice((2048, 8192, 65536)),
        disk_latency=choice((0.0002, 0.001, 0.01)),
        large_values=choice((0.0, 0.0, 0.2)),
        drift=choice((0.0, 0.0, 0.5)),
        fault_every=choice((0.1, 0.2, 0.4)),
    )
    if random() < 0.95:
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


def _churn(rng: Random) -> Scenario:
    """Leaders come and go as fast as messages travel, and leave entries behind that few members have."""
    choice = rng.choice
    return Scenario(
        members=choice((3, 3, 3, 5)),
        duration=rng.uniform(1.5, 3.5),
        clients=choice((2, 4)),
        keys=choice((1, 2)),
        think=choice((0.1, 0.3)),
        patience=choice((0.15, 0.5, 3.0)),
        request_seconds=choice((0.1, 0.3, 3.0)),
        to_leaders=0.7,
        election_ticks=4,
        heartbeat_ticks=2,
        append_bytes=choice((20, 60, 1000)),
        inflight=choice((1, 2, 8)),
        tail_entries=choice((3, 1000)),
        snapshot_every=choice((20, 1000)),
        disk_latency=choice((0.001, 0.01)),
        drift=choice((0.0, 1.0)),
        restart=choice((0.1, 0.4)),
        fault_every=choice((0.06, 0.12, 0.25)),
        faults=tuple(sorted(rng.sample(LEADER_FAULTS, rng.randrange(2, 5)))),
        weather=Weather(
            latency=choice((0.005, 0.02, 0.05)),
            slow=choice((0.0, 0.1)),
            slowest=choice((0.5, 1.0)),
            loss=choice((0.0, 0.05, 0.2)),
            doubled=choice((0.0, 0.1)),
        ),
    )


def _figure_8(rng: Random) -> Scenario:
    """Leaders that die with entries which nobody has, come back, and die again as soon as something is committed (the
    figure of the Raft paper's section 5.4.2)."""
    choice = rng.choice
    return Scenario(
        members=choice((3, 3, 5)),
        duration=rng.uniform(2.0, 4.0),
        clients=2,
        keys=1,
        think=choice((0.03, 0.1)),
        patience=choice((0.1, 0.3)),
        to_leaders=1.0,
        election_ticks=4,
        append_bytes=1,
        inflight=1,
        tail_entries=1000,
        snapshot_every=1000,
        disk_latency=0.001,
        restart=choice((0.05, 0.3)),
        fault_every=choice((0.1, 0.2)),
        faults=("strand leader", "strand leader", "kill at commit"),
        weather=Weather(latency=choice((0.005, 0.02))),
    )


def _old_leaders(rng: Random) -> Scenario:
    """Leaders that sleep, or are cut off, or whose clocks are slow, and are asked although others lead by now."""
    choice = rng.choice
    return Scenario(
        members=choice((3, 5)),
        duration=rng.uniform(2.0, 3.0),
        clients=4,
        keys=1,
        think=choice((0.05, 0.1)),
        patience=choice((0.5, 3.0)),
        to_leaders=1.0,
        election_ticks=4,
        snapshot_every=1000,
        drift=choice((0.0, 1.0)),
        fault_every=choice((0.2, 0.4)),
        faults=("pause leader", "pause leader", "isolate leader"),
        weather=Weather(latency=choice((0.001, 0.01))),
    )


def _members(rng: Random) -> Scenario:
    """Small clusters that grow and shrink while members die."""
    choice = rng.choice
    return Scenario(
        members=choice((1, 2, 3, 3)),
        duration=rng.uniform(1.5, 3.0),
        clients=choice((1, 2)),
        think=choice((0.2, 2.0)),
        patience=choice((0.3, 1.0)),
        election_ticks=4,
        tail_entries=choice((0, 3, 1000)),
        snapshot_every=choice((10, 30)),
        disk_latency=choice((0.001, 0.01)),
        restart=choice((0.1, 0.4, 3.0)),
        fault_every=choice((0.1, 0.2)),
        faults=("member", "member", "power at change", *rng.sample(LEADER_FAULTS, rng.randrange(1, 3))),
        weather=Weather(latency=choice((0.001, 0.02)), loss=choice((0.0, 0.05))),
    )
