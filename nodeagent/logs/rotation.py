"""Keeping container logs below a size: the file is renamed and the container's monitor opens a new one."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from nodeagent.runtime.interface import Runtime

logger = logging.getLogger(__name__)

_INTERVAL = 10.0  # seconds, kubelet's containerLogMonitorInterval


class LogRotation:
    """`running` gives the (container id, log path) pairs of the containers that run."""

    def __init__(
        self, runtime: Runtime, running: Callable[[], Iterable[tuple[str, Path]]], max_size: int, max_files: int
    ) -> None:
        self._runtime = runtime
        self._running = running
        self._max_size = max_size
        self._max_files = max_files
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="log rotation")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            await self.rotate()

    async def rotate(self) -> None:
        """Rotate every log that is too large, now."""
        for container_id, path in list(self._running()):
            try:
                if await asyncio.to_thread(rename_if_large, path, self._max_size, self._max_files, time.time()):
                    await self._runtime.reopen_log(container_id)
            except OSError as error:
                logger.warning("rotating the log of container %s: %s", container_id[:12], error)


def rename_if_large(path: Path, max_size: int, max_files: int, now: float) -> bool:
    """Rename a log above `max_size` bytes out of the way, and remove the oldest beyond `max_files`. Blocks."""
    try:
        if path.stat().st_size <= max_size:
            return False
    except FileNotFoundError:
        return False
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S.%f")
    os.rename(path, path.with_name(f"{path.name}.{stamp}"))
    rotated = sorted(path.parent.glob(f"{path.name}.*"))
    for old in rotated[: max(0, len(rotated) - (max_files - 1))]:
        old.unlink(missing_ok=True)
    return True
