"""Processes that outlive whoever started them: in a session of their own, child of init, found by a pid file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_RECORD_AND_EXEC = 'echo "$$ $(cut -d" " -f22 /proc/$$/stat)" >"$0.new" && mv "$0.new" "$0" && exec "$@"'
"""Writes the shell's process id and start time, then becomes the program: both stay the same."""


@dataclass(frozen=True)
class Daemon:
    """One daemon, named by its pid file. The file holds the process id and its start time, so that a pid that the
    kernel has given to another process since is never mistaken for it."""

    pid_file: Path

    def pid(self) -> int | None:
        """The process id while the daemon runs, else None."""
        try:
            pid, started = map(int, self.pid_file.read_text().split())
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (OSError, ValueError):
            return None
        state, *rest = stat[stat.rindex(")") + 2 :].split()
        return pid if state not in "ZX" and int(rest[18]) == started else None

    async def start(
        self, command: Sequence[str], *, environment: Mapping[str, str], log_file: Path, timeout: float = 10.0
    ) -> int:
        """Start `command` detached from this process and return its id. Raises OSError or TimeoutError."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.pid_file.unlink(missing_ok=True)
        log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            launcher = await asyncio.create_subprocess_exec(
                *("setsid", "--fork", "sh", "-c", _RECORD_AND_EXEC, str(self.pid_file), *command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        finally:
            os.close(log)
        async with asyncio.timeout(timeout):
            if await launcher.wait() != 0:
                raise OSError(f"could not launch {command[0]}; see {log_file}")
            while True:
                written, pid = self.pid_file.exists(), self.pid()
                if pid is not None and _is_the_program(pid):
                    return pid
                if written and pid is None:
                    raise OSError(f"{command[0]} ended at once; see {log_file}")
                await asyncio.sleep(0.005)  # the launcher is gone; nothing tells when the shell has become the program

    async def wait(self) -> None:
        """Until the daemon has ended."""
        pid = self.pid()
        if pid is None:
            return
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self, *, grace: float, whole_session: bool = False) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; `whole_session` kills what the daemon left in its group too."""
        pid = self.pid()
        if pid is None:
            self.pid_file.unlink(missing_ok=True)
            return
        os.kill(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            if self.pid() == pid:
                os.kill(pid, signal.SIGKILL)
        if whole_session:
            with contextlib.suppress(ProcessLookupError):  # nothing was left
                os.killpg(pid, signal.SIGKILL)
        async with asyncio.timeout(grace):
            await self.wait()
        self.pid_file.unlink(missing_ok=True)


def _is_the_program(pid: int) -> bool:
    """Not the shell before it any more. False too for what is ending, which its process id will tell."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty once its memory is gone
    except OSError:
        return False
    return bool(arguments) and _RECORD_AND_EXEC.encode() not in arguments.split(b"\0")
