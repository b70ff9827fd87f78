"""A constant loop of writes through a kubeconfig, run as a process of its own on a machine of a cluster.

    python -m tests.support.write_loop      # KUBECONFIG says where; ends when a line comes in, and prints what it saw

One write after the other, each with a deadline: the longest time between two that succeeded is what a client felt.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from kubeactors.api.errors import StatusError
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.kubeconfig import load_kubeconfig

TIMEOUT = 3.0
PAUSE = 0.05
FIRST = "the first write is acknowledged"


@dataclass(frozen=True)
class Writes:
    """What a loop saw. Times are seconds since the epoch, of one clock for all machines on this one."""

    acknowledged: dict[str, float]
    """When the answer came, by the name of the object that was written."""
    failures: list[tuple[float, str]]

    @property
    def longest_gap(self) -> float:
        """The longest time between two answers that said yes, in seconds."""
        times = sorted(self.acknowledged.values())
        return max(later - earlier for earlier, later in pairwise(times))

    @staticmethod
    def wait_for_first(loop: subprocess.Popen[str]) -> None:
        """Until the loop that runs in a process has written something."""
        assert loop.stdout is not None
        assert loop.stdout.readline() == FIRST + "\n"

    @classmethod
    def end(cls, loop: subprocess.Popen[str], timeout: float = 30) -> Writes:
        """End a loop that runs in a process."""
        printed, _ = loop.communicate("end\n", timeout=timeout)
        document = json.loads(printed)
        return cls(document["acknowledged"], [tuple(failure) for failure in document["failures"]])


async def main() -> None:
    """Write until told to stop."""
    prefix = f"written-{time.time_ns()}"
    told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    acknowledged: dict[str, float] = {}
    failures: list[tuple[float, str]] = []
    client = AsyncClient(config=load_kubeconfig(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    async with client:
        number = 0
        while not told.done():
            number += 1
            name = f"{prefix}-{number}"
            body: dict[str, Any] = {"metadata": {"name": name, "labels": {"writes": prefix}}}
            try:
                await client.create("configmaps", body, "default", timeout=TIMEOUT)
                acknowledged[name] = time.time()
                if len(acknowledged) == 1:
                    print(FIRST, flush=True)
            except StatusError as error:
                failures.append((time.time(), str(error)))
            await asyncio.wait([told], timeout=PAUSE)
    print(json.dumps({"acknowledged": acknowledged, "failures": failures}))


if __name__ == "__main__":
    asyncio.run(main())
