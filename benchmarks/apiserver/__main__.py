"""What the API server costs and how fast it is, beside Kubernetes' own (the ratio in parentheses).

    python -m benchmarks.apiserver [--members 1] [--seconds 3] [--pods 1000,10000] [--watchers 1,100,1000]
                                   [--memory-pods 25000] [--only calls,grpc,lists,watches,memory]

API server and store are real processes with a throwaway PKI, TLS between all; the load comes from this process on the
same machine. CPU is the servers' own, from /proc: API server + store (all members); "load" is this process's. Where
other work runs on the machine trust the CPU, not the times: the load average is printed with every part.

All parts take about two minutes with one member. For short: --seconds 2 --only calls,lists,watches.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

import uvloop

from benchmarks.apiserver.calls import Pods
from benchmarks.apiserver.grpc_writes import grpc_writes
from benchmarks.apiserver.peer import FAN_OUT, MEMORY_MIB, READY_SECONDS, ratio
from benchmarks.apiserver.servers import Servers, servers
from benchmarks.apiserver.watching import fan_out, idle
from benchmarks.figures import load_average, machine

CALLERS = (1, 16, 64)
PARTS = ("calls", "grpc", "lists", "watches", "memory")


async def calls(pods: Pods, seconds: float) -> None:
    """Each verb with one caller, some, and many."""
    await pods.keep(max(CALLERS))
    for title, call in (("create", pods.create), ("get", pods.get), ("patch", pods.patch)):
        for callers in CALLERS:
            await pods.measure(title, call, callers, seconds)
    for callers in CALLERS:
        share = (pods.count - max(CALLERS)) // len(CALLERS)
        await pods.measure("delete", pods.delete, callers, seconds, most=share)


async def measure(running: Servers, options: argparse.Namespace) -> None:
    """The parts that were asked for."""
    pods, others = Pods(running, "default"), 0
    if "calls" in options.only:
        print(load_average())
        await calls(pods, options.seconds)
    if "grpc" in options.only:
        await grpc_writes(running, pods, options.seconds)
    if "lists" in options.only:
        print(load_average())
        listed = Pods(running, "lists")
        await listed.make_namespace()
        for number in options.pods:
            await listed.fill(number)
            for form in ("JSON", "gzip", "Table"):
                await listed.list_all(form)
        others = listed.count
    if "watches" in options.only:
        print(load_average())
        for watchers in options.watchers:
            await fan_out(running, watchers, options.seconds)
            peer = FAN_OUT.get(watchers)
            await fan_out(running, watchers, options.seconds, peer.rate if peer else min(50, 5000 / watchers))
        await idle(running, max(options.watchers), options.seconds)
    if "memory" in options.only:
        print(load_average())
        empty = running.resident()
        await pods.fill(options.memory_pods - others)
        found, number = running.resident(), pods.count + others
        print(f"memory  {number} pods: {running.memory()} ({ratio(found, MEMORY_MIB)}); {empty:.0f} MiB RSS before")
        ready = await running.seconds_to_ready()
        print(f"start   with {number} pods: ready after {ready:.2f} s; {running.memory()}")


async def run(options: argparse.Namespace) -> None:
    print(f"{machine()}; store members: {options.members}")
    with tempfile.TemporaryDirectory(prefix="kbench-") as directory:
        async with servers(Path(directory), options.members) as running:
            ready = await running.seconds_to_ready()
            print(f"start   ready after {ready:.2f} s ({ratio(ready, READY_SECONDS)}); {running.memory()}")
            await measure(running, options)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Run on servers of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1, help="members of the store (default: 1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement (default: 3)")
    parser.add_argument("--pods", type=numbers, default=[1000, 10_000], help="pods in the lists")
    parser.add_argument("--watchers", type=numbers, default=[1, 100, 1000], help="watchers in the fan-out")
    parser.add_argument("--memory-pods", type=int, default=25_000, help="pods when memory is taken (default: 25000)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    # Servers start from compiled modules, as installed ones do.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(options))


if __name__ == "__main__":
    main()
