"""Run the checker, or a run on a real cluster, by hand.

python -m tests.linearizability check FILE        check a saved history
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.linearizability.checker import check
from tests.linearizability.history import load


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.linearizability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check a saved history")
    checking.add_argument("file", type=Path)
    checking.add_argument("--seconds", type=float, default=600, help="the most to spend on one key")
    options = parser.parse_args(arguments)
    operations = load(options.file)
    started = time.monotonic()
    failures = check(operations, seconds=options.seconds)
    for failure in failures:
        print(failure)
    verdict = "not linearizable" if failures else "linearizable"
    print(f"{len(operations)} operations: {verdict} ({time.monotonic() - started:.1f} s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
