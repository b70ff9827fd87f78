"""Memory and idle CPU of every process of a cluster.

    python -m benchmarks.footprint [--seconds 60]

The cluster runs nothing. CPU is a share of one core over the whole time, memory is PSS at its end.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.bench_cluster import cluster
from benchmarks.figures import cpu_seconds, machine, pss
from kubeactors.actors.daemon import Daemon
from tests.support.cluster import TestCluster, run


def processes(running: TestCluster) -> dict[str, list[int]]:
    """Process ids by what they are: each component, Podman's service, and Ray's own."""
    status = running.status()
    groups = {item["component"]: [item["pid"]] for item in status["components"] if item["pid"]}
    groups["store (actor)"] = groups.pop("store")
    groups["cluster (actor)"] = [status["pid"]]
    groups["store (member)"] = [pid for pid in [running.store_pid()] if pid]
    podman = running.paths.run / "podman" / "podman.pid"
    groups["podman service"] = [int(podman.read_text().split()[0])] if podman.exists() else []
    ray = Daemon(running.paths.ray_pid).pid()
    known = {pid for pids in groups.values() for pid in pids}
    listed = run(["ps", "-o", "pid=", "-s", str(ray)]).stdout.split() if ray else []
    groups["Ray itself"] = [int(pid) for pid in listed if int(pid) not in known and Path(f"/proc/{pid}").exists()]
    return groups


def main() -> None:
    """Run on a cluster of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch (default: 60)")
    parser.add_argument("--settle", type=float, default=20.0, help="how long to wait first (default: 20)")
    options = parser.parse_args()
    with cluster() as running:
        time.sleep(options.settle)
        groups = processes(running)
        before = {name: sum(map(cpu_seconds, pids)) for name, pids in groups.items()}
        started = time.monotonic()
        time.sleep(options.seconds)
        elapsed = time.monotonic() - started
        print(f"{machine()}; idle for {elapsed:.0f} s")
        totals = [0.0, 0.0]
        for name, pids in groups.items():
            share = (sum(map(cpu_seconds, pids)) - before[name]) / elapsed * 100
            memory = sum(map(pss, pids)) / 1e6
            print(f"{name:20} {share:6.2f} % CPU {memory:8.1f} MB PSS")
            if name != "Ray itself":
                totals[0] += share
                totals[1] += memory
        print(f"{'all but Ray itself':20} {totals[0]:6.2f} % CPU {totals[1]:8.1f} MB PSS (target: under 5 % CPU)")


if __name__ == "__main__":
    main()
