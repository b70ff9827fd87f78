"""Three members of this store beside three of etcd: the same run, the same machine, both with their data on disk.

    python -m benchmarks.store [--rounds 5] [--seconds 2] [--keys 100000] [--only put,get,watch,restart,memory]

Both systems are up all the time and loaded in turn, in short rounds, so that a noisy machine disturbs both alike; the
figures are medians over the rounds and the ratios are ratios of those. Writers and readers are spread over the members
(`@leader`: all at the leader). `python -m benchmarks.store.one_member` looks closer at one member of this store alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import uvloop

from benchmarks.figures import machine
from benchmarks.store.comparison import Comparison, Scenario, many_keys
from benchmarks.store.systems import Etcd, Store, System
from benchmarks.store.workers import Workers

SCENARIOS = [
    Scenario("put", "put", 1, to_leader=True),
    Scenario("put", "put", 64),
    Scenario("put", "put", 256),
    Scenario("put", "put", 64, to_leader=True),
    Scenario("put", "put", 256, to_leader=True),
    Scenario("linearizable get", "get", 1, to_leader=True),
    Scenario("linearizable get", "get", 64),
    Scenario("serializable get", "serializable", 64),
    Scenario("watch", "watch", 100, writers=1),
    Scenario("watch", "watch", 100, writers=16),
]


async def run(arguments: argparse.Namespace) -> None:
    print(machine(), f"load average {os.getloadavg()[0]:.1f}", flush=True)
    only = set(arguments.only.split(",")) if arguments.only else None
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="store-benchmark-") as directory:
        root = Path(directory)
        if only is None or only & {"put", "get", "watch"}:
            async with Workers(arguments.processes) as workers:
                systems = await _start(root / "load", arguments)
                try:
                    comparison = Comparison(systems, workers, arguments.processes, arguments.seconds)
                    for scenario in SCENARIOS:
                        if only is None or scenario.group in only:
                            await comparison.run(scenario, arguments.rounds)
                finally:
                    await _stop(systems)
        if only is None or only & {"restart", "memory"}:
            async with Workers(arguments.processes) as workers:
                for system in _systems(root / "keys", arguments):
                    try:
                        await system.start()
                        await many_keys(system, workers, arguments.processes, arguments.keys, arguments.restarts)
                    finally:
                        await system.stop()


def _systems(root: Path, arguments: argparse.Namespace) -> list[System]:
    every: list[System] = [
        Store(root / "store", arguments.members, arguments.tls),
        Etcd(root / "etcd", arguments.members, arguments.tls),
    ]
    return [system for system in every if system.name in arguments.systems.split(",")]


async def _start(root: Path, arguments: argparse.Namespace) -> list[System]:
    systems = _systems(root, arguments)
    try:
        for system in systems:
            await system.start()
    except BaseException:
        await _stop(systems)
        raise
    return systems


async def _stop(systems: list[System]) -> None:
    for system in systems:
        await system.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2, help="of load")
    parser.add_argument("--systems", default="store,etcd")
    parser.add_argument("--only", default="", help="some of put,get,watch,restart,memory")
    parser.add_argument("--tls", action="store_true", help="mutual TLS between clients and members")
    parser.add_argument("--dir", default=None, help="on the disk that is meant; default: the temporary directory")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
