"""Automatic compaction, as etcd does it (v3.5, server/etcdserver/api/v3compactor): by age or by number of revisions.

Every member keeps count, so that a new leader goes on where the old one was; only the leader compacts.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kubeactors.store.errors import Compacted, StoreError

logger = logging.getLogger(__name__)

HOUR = 3600.0
CHECKS_A_PERIOD = 10
REVISION_INTERVAL = 300.0
"""Seconds between two looks in revision mode."""
_DURATION = re.compile(r"(?:(\d+(?:\.\d*)?)h)?(?:(\d+(?:\.\d*)?)m(?!s))?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?")


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: `seconds` of history, or this many `revisions`; neither: everything."""

    seconds: float = 0.0
    revisions: int = 0


def parse_retention(mode: str, text: str) -> Retention:
    """`periodic`: hours as a number, or 5m30s; `revision`: a number. Raises ValueError."""
    text = text.strip()
    if mode == "revision":
        if not re.fullmatch(r"\d+", text):
            raise ValueError(f"--auto-compaction-retention: {text!r} is no number of revisions")
        return Retention(revisions=int(text))
    if mode != "periodic":
        raise ValueError(f"--auto-compaction-mode: {mode!r} is neither periodic nor revision")
    if re.fullmatch(r"\d+", text):
        return Retention(seconds=int(text) * HOUR)
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"--auto-compaction-retention: {text!r} is no duration, such as 5m30s, or a number of hours")
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return Retention(seconds=hours * HOUR + minutes * 60 + seconds + milliseconds / 1000)


class PeriodicHistory:
    """Which revision was the present one so many checks ago."""

    def __init__(self, retention: float) -> None:
        period = min(retention, HOUR)
        self.interval = period / CHECKS_A_PERIOD
        """Seconds between two checks."""
        self._kept = max(1, round(retention / self.interval))
        self._revisions: deque[int] = deque(maxlen=self._kept + 1)

    def check(self, revision: int) -> int:
        """Call once an interval with the present revision: up to which one to compact, 0 while it is too early."""
        self._revisions.append(revision)
        return self._revisions[0] if len(self._revisions) > self._kept else 0


class Compactor:
    """`revision` gives the present one, `leading` whether this member leads, `compact` carries it out.

    `sleep`: seconds, as asyncio.sleep; an argument so that tests need not wait.
    """

    def __init__(
        self,
        retention: Retention,
        revision: Callable[[], int],
        leading: Callable[[], bool],
        compact: Callable[[int], Awaitable[object]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retention = retention
        self._revision = revision
        self._leading = leading
        self._compact = compact
        self._sleep = sleep
        self._done = 0
        self._due = 0

    async def run(self) -> None:
        """For ever; returns at once when everything is kept."""
        if self._retention.revisions:
            while True:
                await self._sleep(REVISION_INTERVAL)
                await self._compact_to(self._revision() - self._retention.revisions)
        if self._retention.seconds:
            history = PeriodicHistory(self._retention.seconds)
            checks = 0
            while True:
                due = history.check(self._revision())
                # One compaction a period, or as soon as possible after one that failed.
                if due and (checks % CHECKS_A_PERIOD == 0 or self._due > self._done):
                    await self._compact_to(due)
                checks += 1
                await self._sleep(history.interval)

    async def _compact_to(self, revision: int) -> None:
        self._due = max(self._due, revision)
        if revision <= max(0, self._done) or not self._leading():
            return
        try:
            await self._compact(revision)
        except Compacted:
            pass  # somebody else was faster
        except StoreError as error:
            logger.warning("automatic compaction at revision %d failed, it is tried again: %s", revision, error)
            return
        else:
            logger.info("compacted at revision %d", revision)
        self._done = revision
