"""Run seeds, or look at one.

python -m tests.sim                                  the share that `make test` runs
python -m tests.sim --seeds 100000 --first 50000     others
python -m tests.sim --seconds 600 --long             for ten minutes, long scenarios only, from a new first seed
python -m tests.sim cluster --seed 17 --trace        what happened in one
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

from tests.sim.run import SCENARIOS, SEEDS, Failure, one, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description="Deterministic simulation of the store.")
    parser.add_argument("scenario", nargs="?", choices=sorted(SCENARIOS), help="only these (default: all)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument("--first", type=int, help="the first seed (default: 0, with --seconds a new one)")
    parser.add_argument("--seeds", type=int, help="how many of each scenario (default: what `make test` runs)")
    parser.add_argument("--seconds", type=float, help="go on for so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--long", action="store_true", help="long scenarios only")
    arguments = parser.parse_args()
    if not arguments.trace:
        logging.disable(logging.CRITICAL)
    scenarios = [arguments.scenario] if arguments.scenario else sorted(SCENARIOS)
    if arguments.seed is not None:
        found = [one(scenario, arguments.seed, arguments.trace, arguments.long) for scenario in scenarios]
        for result in found:
            print(result)
        return 1 if any(isinstance(result, Failure) for result in found) else 0
    first = arguments.first
    if first is None:
        first = 0 if arguments.seconds is None else time.time_ns() // 1_000_000 % 10**9
    failed = False
    for scenario in scenarios:
        seconds = arguments.seconds / len(scenarios) if arguments.seconds is not None else None
        count = arguments.seeds if arguments.seeds is not None else SEEDS[scenario] if seconds is None else 10**12
        summary = run(scenario, first, count, seconds, arguments.jobs, arguments.long)
        print(summary, flush=True)
        for failure in summary.failures:
            print(f"\n{failure}", file=sys.stderr)
        failed = failed or bool(summary.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
