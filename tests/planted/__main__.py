"""Plant every fault, one at a time, and see that the tests find it.

python -m tests.planted              all of them
python -m tests.planted --share 3    every third one, others each day
python -m tests.planted --only 7     one, by its number, with what the tests say
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.planted.faults import FAULTS, Fault, Simulation
from tests.planted.plant import plant

FOUND, SURVIVED, BROKEN = 0, 3, 4


def attempt(fault: Fault) -> int:
    """In this process, which is of no other use afterwards."""
    plant(fault.change)
    if isinstance(fault.found_by, Simulation):
        import logging

        from tests.sim import run

        logging.disable(logging.CRITICAL)
        for seed in range(fault.found_by.seeds):
            result = run.one(fault.found_by.scenario, seed)
            if isinstance(result, run.Failure):
                reason = result.reason.strip().splitlines()
                print(f"seed {seed}: {reason[-1] if reason[0].startswith('Traceback') else reason[0]}")
                return FOUND
        print(f"not found by {fault.found_by.seeds} seeds of {fault.found_by.scenario}")
        return SURVIVED
    import pytest

    code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *fault.found_by.paths])
    if code == pytest.ExitCode.TESTS_FAILED:
        return FOUND
    return SURVIVED if code == pytest.ExitCode.OK else BROKEN


def run_one(number: int) -> tuple[int, float, str]:
    started = time.monotonic()
    command = [sys.executable, "-m", "tests.planted", "--only", str(number)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        return BROKEN, time.monotonic() - started, "no end after 900 s"
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    said = next(
        (line for line in lines if line.startswith(("seed", "not found", "FAILED"))), lines[-1] if lines else ""
    )
    if done.returncode not in (FOUND, SURVIVED):
        said = (done.stderr.strip() or said).splitlines()[-1]
    return done.returncode, time.monotonic() - started, said


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description="Do the tests find planted faults?")
    parser.add_argument("--only", type=int, help="this one, in this process")
    parser.add_argument("--share", type=int, default=1, help="every so many-th one (default: %(default)s, all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.only is not None:
        return attempt(FAULTS[arguments.only])
    today = int(time.time()) // 86_400
    numbers = [number for number in range(len(FAULTS)) if number % arguments.share == today % arguments.share]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(run_one, numbers))
    outcome = {FOUND: "found", SURVIVED: "SURVIVED"}
    wrong = 0
    for number, (code, seconds, said) in zip(numbers, results, strict=True):
        wrong += code != FOUND
        print(
            f"{number:3}  {outcome.get(code, 'BROKEN'):8}  {seconds:5.1f} s  {FAULTS[number].name}\n{'':22}{said[:150]}"
        )
    print(f"{len(numbers) - wrong} of {len(numbers)} planted faults were found")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
