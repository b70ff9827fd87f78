"""The processes of load, and one load that is spread over them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from benchmarks.store.load import Job, Outcome

LEAD = 0.15
"""Seconds between telling a process what to do and the moment at which all of them begin."""


class Workers:
    """`count` processes of benchmarks.store.load. Use as an async context manager."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Workers:
        for _ in range(self._count):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "benchmarks.store.load",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 28,
            )
            self._processes.append(process)
        for process in self._processes:
            await self._line(process)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def do(self, job: Job, processes: int) -> Outcome:
        """The job's callers (or keys) divided among the first `processes`, and what they came to together."""
        start = time.monotonic() + LEAD
        parts = []
        for number, callers in enumerate(_shares(job.callers, processes)):
            keys = _shares(job.keys, processes)
            part = replace(job, callers=callers, start=start)
            if job.what == "fill":
                part = replace(part, keys=keys[number], first=job.first + sum(keys[:number]))
            # Each process begins with another member, so that few callers are spread as many are.
            turn = number % len(job.endpoints)
            parts.append(replace(part, endpoints=job.endpoints[turn:] + job.endpoints[:turn]))
        outcomes = await asyncio.gather(*(self._do(p, part) for p, part in zip(self._processes, parts, strict=False)))
        whole = Outcome(seconds=max(outcome.seconds for outcome in outcomes))
        for outcome in outcomes:
            whole.count += outcome.count
            whole.failures += outcome.failures
            whole.cpu += outcome.cpu
            whole.times += outcome.times
            whole.error = whole.error or outcome.error
        return whole

    async def _do(self, process: asyncio.subprocess.Process, job: Job) -> Outcome:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        return Outcome(**json.loads(await self._line(process)))

    @staticmethod
    async def _line(process: asyncio.subprocess.Process) -> bytes:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of load ended with {await process.wait()}")
        return line


def _shares(number: int, parts: int) -> Sequence[int]:
    return [number // parts + (1 if n < number % parts else 0) for n in range(parts)]
