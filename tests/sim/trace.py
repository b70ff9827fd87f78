"""What happened, in order: a hash of all of it, and readable lines when somebody looks."""

from __future__ import annotations

import sys
import zlib


class Violation(AssertionError):
    """The product did what it must never do."""


class Trace:
    """`note` is called for everything that a seed decides or the product does. Without `verbose` only the hash is kept:
    equal hashes of one seed show that the run is deterministic."""

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.hash = 0
        self.events = 0
        self.time = 0.0

    def note(self, text: str) -> None:
        self.hash = zlib.crc32(text.encode(), self.hash)
        self.events += 1
        if self.verbose:
            sys.stdout.write(f"{self.time:9.3f}  {text}\n")
