"""Learning of a container's end within milliseconds, without asking Podman.

Two witnesses: a pidfd on the container's first process says that it ended even when its monitor (conmon) has died; the
file that conmon writes into the exits directory says with which code. Either may come first. A machine may be so busy
that conmon writes late: it is waited for as long as it lives.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nodeagent.kernel.inotify import IN_CREATE, IN_MOVED_TO, IN_Q_OVERFLOW, Event, Inotify
from nodeagent.runtime.interface import Exit, ExitCallback
from nodeagent.runtime.podman.processes import open_monitor

logger = logging.getLogger(__name__)

#: How long a conmon that lives may take to write the exit code after the process has ended, in seconds.
_CODE_DEADLINE = 30.0


@dataclass
class _Watched:
    on_exit: ExitCallback
    oom_file: Path
    monitor_pid_file: Path
    pidfd: int = -1
    monitor: int = -1  # conmon's pidfd, once the process has ended
    timeout: asyncio.TimerHandle | None = None


class ExitWatcher:
    """Watches containers by id. `clock` is seconds since the epoch."""

    def __init__(self, exits_dir: str, clock: Callable[[], float]) -> None:
        self._exits_dir = Path(exits_dir)
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._inotify: Inotify | None = None

    def start(self) -> None:
        self._exits_dir.mkdir(parents=True, exist_ok=True)
        self._inotify = Inotify(self._on_files)
        self._inotify.add(str(self._exits_dir), IN_CREATE | IN_MOVED_TO)

    def stop(self) -> None:
        for container_id in list(self._watched):
            self._forget(container_id)
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def expect(self, container_id: str, on_exit: ExitCallback, oom_file: Path, monitor_pid_file: Path) -> None:
        """Begin to watch for the exit file, before the container is started."""
        self._watched[container_id] = _Watched(on_exit, oom_file, monitor_pid_file)

    def watch_process(self, container_id: str, pid: int) -> None:
        """Add the second witness, once the container's pid is known. Reports at once a container that has ended."""
        watched = self._watched.get(container_id)
        if watched is None:
            return  # it ended before we got here and was reported
        if self._report_if_written(container_id):
            return
        try:
            watched.pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._process_ended(container_id)
            return
        asyncio.get_running_loop().add_reader(watched.pidfd, self._process_ended, container_id)

    def forget(self, container_id: str) -> None:
        """Stop watching; nothing will be reported."""
        self._forget(container_id)

    def signal(self, container_id: str, number: int) -> bool:
        """Send a signal to the watched process; False when it is not watched by a pidfd."""
        watched = self._watched.get(container_id)
        if watched is None or watched.pidfd < 0:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(watched.pidfd, number)
        return True

    def exit_code(self, container_id: str) -> int | None:
        """What conmon wrote, if it has."""
        try:
            return int((self._exits_dir / container_id).read_text().strip())
        except (FileNotFoundError, ValueError):
            return None

    def _on_files(self, events: list[Event]) -> None:
        if any(event.mask & IN_Q_OVERFLOW for event in events):
            names = list(self._watched)
        else:
            names = [event.name for event in events]
        for name in names:
            # conmon writes a temporary file and renames it: only whole files have a container's name.
            if name in self._watched:
                self._report_if_written(name)

    def _process_ended(self, container_id: str) -> None:
        watched = self._watched.get(container_id)
        if watched is None:
            return
        self._close(watched)
        if self._report_if_written(container_id):
            return
        monitor = open_monitor(watched.monitor_pid_file, container_id)
        if monitor is None:
            self._give_up_on_code(container_id)
            return
        loop = asyncio.get_running_loop()
        watched.monitor = monitor
        loop.add_reader(monitor, self._give_up_on_code, container_id)
        watched.timeout = loop.call_later(_CODE_DEADLINE, self._give_up_on_code, container_id)

    def _give_up_on_code(self, container_id: str) -> None:
        if container_id in self._watched and not self._report_if_written(container_id):
            logger.warning("container %s ended and nobody wrote its exit code", container_id[:12])
            self._report(container_id, None)

    def _report_if_written(self, container_id: str) -> bool:
        code = self.exit_code(container_id)
        if code is None:
            return False
        self._report(container_id, code)
        return True

    def _report(self, container_id: str, code: int | None) -> None:
        watched = self._forget(container_id)
        if watched is not None:
            watched.on_exit(Exit(container_id, code, watched.oom_file.exists(), self._clock()))

    def _forget(self, container_id: str) -> _Watched | None:
        watched = self._watched.pop(container_id, None)
        if watched is not None:
            self._close(watched)
            if watched.timeout is not None:
                watched.timeout.cancel()
        return watched

    def _close(self, watched: _Watched) -> None:
        for descriptor in (watched.pidfd, watched.monitor):
            if descriptor >= 0:
                asyncio.get_running_loop().remove_reader(descriptor)
                os.close(descriptor)
        watched.pidfd = watched.monitor = -1
