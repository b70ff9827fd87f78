"""Podman's processes on this machine: which are ours, and how one is ended."""

import asyncio
import logging
import os
import signal
from pathlib import Path

from nodeagent.waiting import wait_event

logger = logging.getLogger(__name__)

_GRACE = 5.0


def with_variable(name: str, value: str) -> set[int]:
    """Pids of the processes that were started with `name` set to `value`. Blocks."""
    wanted = f"{name}={value}".encode()
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
            except OSError:  # it has just ended
                continue
            if wanted in environment.split(b"\0"):
                found.add(int(process.name))
    return found


def open_monitor(pid_file: Path, container_id: str) -> int | None:
    """A pidfd of the container's conmon, which the caller closes; None when it does not run."""
    try:
        pid = int(pid_file.read_text())
        monitor = os.pidfd_open(pid)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    # The file outlives conmon, and the number may be another process's by now; conmon is started with the id.
    try:
        if container_id.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return monitor
    except OSError:
        logger.debug("the monitor of container %s has just ended", container_id[:12])
    os.close(monitor)
    return None


async def end(pid: int, *, first: signal.Signals = signal.SIGTERM) -> None:
    """Tell a process to end, kill it when it has not after some seconds, and return when it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        signal.pidfd_send_signal(descriptor, first)
        if not await wait_event(gone, _GRACE):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            if not await wait_event(gone, _GRACE):
                logger.warning("Podman's process %d does not end after SIGKILL", pid)
    except ProcessLookupError:
        logger.debug("Podman's process %d had ended", pid)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
