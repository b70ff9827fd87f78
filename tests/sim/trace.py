"""What happened, in order: a hash of all of it, and readable lines when somebody looks."""

from __future__ import annotations

import sys


class Violation(AssertionError):
    """The product did what it must never do."""


class Trace:
    """`mix` takes numbers of everything that happens: equal hashes of one seed show that a run is deterministic.
    `note` prints a line when `verbose`; ask that first where making the line costs something."""

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.hash = 0
        self.time = 0.0

    def mix(self, *numbers: int) -> None:
        # hash() of a tuple of integers does not depend on PYTHONHASHSEED.
        self.hash = hash((self.hash, *numbers))

    def note(self, text: str) -> None:
        if self.verbose:
            sys.stdout.write(f"{self.time:9.4f}  {text}\n")
