"""Says what goes on: one line for each step, its time, and what it waits for when that takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

QUIET_SECONDS = 2.0
"""On something that is not a terminal, what a step waits for is told after this long, and when it changes."""


class Step:
    """A step under way."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started = time.monotonic()
        self._status = console.status(title) if console.is_terminal else None
        self._told = ""
        if self._status is not None:
            self._status.start()

    def waiting_for(self, what: str) -> None:
        """Tell what the step waits for."""
        if self._status is not None:
            self._status.update(f"{self._title}: {what} ({self.elapsed:.0f} s)")
        elif what != self._told and self.elapsed > QUIET_SECONDS:
            self._console.print(f"  … {self._title}: {what}", highlight=False, markup=False)
            self._told = what

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def end(self, mark: str, note: str) -> None:
        """Replace the moving line by a lasting one."""
        if self._status is not None:
            self._status.stop()
        suffix = f": {note}" if note else ""
        self._console.print(f"{mark} {self._title}{suffix} ({self.elapsed:.1f} s)", highlight=False, markup=False)


class Progress:
    """The steps of one command, told on standard error, so that standard output holds results only."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step that ends well unless an exception leaves it."""
        step = Step(self._console, title)
        try:
            yield step
        except BaseException:
            step.end("✗", "failed")
            raise
        step.end("✓", "")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, highlight=False, markup=False)
