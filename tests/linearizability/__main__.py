"""Run the checker, or a run on a real cluster, by hand.

python -m tests.linearizability check FILE        check a saved history
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.linearizability.checker import check
from tests.linearizability.clusters import cluster_in_namespaces, cluster_on_loopback
from tests.linearizability.history import load
from tests.linearizability.nemesis import FAULTS
from tests.linearizability.run import Plan, check_run
from tests.linearizability.target import OurStore, RealEtcd, serving
from tests.linearizability.trials import kill_all_at_once, kill_leaders, lagging_follower, replace_member, writers_of

TRIALS = ("leader", "follower", "replace", "all")


def check_file(options: argparse.Namespace) -> int:
    operations = load(options.file)
    started = time.monotonic()
    failures = check(operations, seconds=options.limit)
    for failure in failures:
        print(failure)
    verdict = "not linearizable" if failures else "linearizable"
    print(f"{len(operations)} operations: {verdict} ({time.monotonic() - started:.1f} s)")
    return 1 if failures else 0


async def run(options: argparse.Namespace) -> int:
    """The history of a run that fails stays in a directory, whose name is printed."""
    directory = Path(tempfile.mkdtemp(prefix="linearizability-"))
    plan = Plan(options.seconds, options.fault or list(FAULTS), seed=options.seed, clients=4 * options.members)
    async with cluster_in_namespaces(directory / "cluster", options.members, "--snapshot-count", "400") as target:
        done = await check_run(target, plan, directory)
    print(done.summary())
    shutil.rmtree(directory)
    return 0


async def trials(options: argparse.Namespace) -> int:
    for name in options.names or TRIALS:
        with tempfile.TemporaryDirectory(prefix="trials-") as place:
            async with AsyncExitStack() as stack:
                target: OurStore | RealEtcd
                if options.etcd:
                    target = stack.enter_context(RealEtcd(Path(place)))
                    await serving(target)
                else:
                    target = await stack.enter_async_context(cluster_on_loopback(Path(place), 3))
                await trial(name, target, options.scale)
    return 0


async def trial(name: str, target: OurStore | RealEtcd, scale: float) -> None:
    if name == "leader":
        print(await kill_leaders(target, round(20 * scale)), flush=True)
    elif name == "follower":
        print(await lagging_follower(target, round(100_000 * scale)), flush=True)
    elif name == "replace":
        async with writers_of(target, 64) as load_:
            for of_leader in (False, True):
                print(await replace_member(target, load_, of_leader=of_leader), flush=True)
    else:
        print(await kill_all_at_once(target, max(1, round(10 * scale))), flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.linearizability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check a saved history")
    checking.add_argument("file", type=Path)
    checking.add_argument("--limit", type=float, default=600, help="the most seconds to spend on one key")
    running = commands.add_parser("run", help="faults on a cluster of the store's members, each in a network namespace")
    running.add_argument("--members", type=int, default=3)
    running.add_argument("--seconds", type=float, default=60)
    running.add_argument("--seed", type=int, default=0)
    running.add_argument("--fault", action="append", choices=sorted(FAULTS), help="these only; may be repeated")
    trying = commands.add_parser("trials", help="figures of a cluster under load from 64 writers")
    trying.add_argument("names", nargs="*", choices=[*TRIALS, []], help="default: all")
    trying.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the repetitions and writes")
    trying.add_argument("--etcd", action="store_true", help="three members of a real etcd instead")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    if options.command == "check":
        return check_file(options)
    return asyncio.run((run if options.command == "run" else trials)(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
