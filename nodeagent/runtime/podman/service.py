"""Our own `podman system service`: started so that it survives the agent, adopted by the next one."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
from pathlib import Path

from nodeagent.runtime.interface import RuntimeUnavailable
from nodeagent.runtime.podman import processes
from nodeagent.runtime.podman.configuration import Directories, PodmanConfiguration
from nodeagent.runtime.podman.rest import PodmanRest

logger = logging.getLogger(__name__)

_START_DEADLINE = 20.0
_REMNANT_ROUNDS = 5  # one that is ended may have begun another

_SPAWN = """
exec </dev/null >>"$1" 2>&1
echo 0 >/proc/$$/oom_score_adj || true
pid_file=$2
shift 2
"$1" "$2" "$3" "$4" system service --time=0 "unix://$5" &
echo $! >"$pid_file"
"""


class PodmanService:
    """The process behind the socket. `ensure` may be called by many at once."""

    def __init__(self, podman: str, configuration: PodmanConfiguration, directories: Directories) -> None:
        self._podman = podman
        self._configuration = configuration
        self._directories = directories
        self._lock = asyncio.Lock()

    @property
    def _pid_file(self) -> Path:
        return Path(self._directories.run_dir) / "podman.pid"

    async def ensure(self, rest: PodmanRest) -> None:
        """Adopt the running service, or start one. One with another configuration is replaced; containers go on.

        Raises RuntimeUnavailable when it does not come up.
        """
        async with self._lock:
            changed = await asyncio.to_thread(self._write_files)
            pid = await asyncio.to_thread(self._running_pid)
            if pid is not None and not changed and await rest.ping():
                return
            if pid is not None:
                logger.info("replacing the podman service %d", pid)
                await processes.end(pid)
            await rest.close()
            await self._start(rest)

    async def end(self) -> None:
        """End the service for good, and what it left beside it. To be called when there are no containers any more."""
        async with self._lock:
            pid = await asyncio.to_thread(self._running_pid)
            if pid is not None:
                await processes.end(pid)
            await self._end_remnants()
            for leftover in (self._pid_file, Path(self._directories.socket)):
                with contextlib.suppress(FileNotFoundError):
                    leftover.unlink()

    async def _end_remnants(self) -> None:
        """Monitors outlive the execs that they watched, and clean up after them in our directories when they end."""
        variable = "CONTAINERS_CONF", self._configuration.environment["CONTAINERS_CONF"]
        for _ in range(_REMNANT_ROUNDS):
            remnants = await asyncio.to_thread(processes.with_variable, *variable)
            if not remnants:
                return
            for pid in remnants:
                await processes.end(pid, first=signal.SIGKILL)
        logger.warning("processes of Podman's are still there: %s", sorted(remnants))

    async def _start(self, rest: PodmanRest) -> None:
        pid = await asyncio.to_thread(self._spawn)
        deadline = asyncio.get_running_loop().time() + _START_DEADLINE
        while not await rest.ping(timeout=1.0):
            # The socket has no event for "now listening": its directory's would come before listen(2).
            if asyncio.get_running_loop().time() > deadline or not _alive(pid):
                log = await asyncio.to_thread(self._log_tail)
                raise RuntimeUnavailable(f"podman system service did not come up: {log or 'it wrote nothing'}")
            await asyncio.sleep(0.02)
        logger.info("started the podman service %d on %s", pid, self._directories.socket)

    def _spawn(self) -> int:
        """Start the service under a shell that ends at once, so that it is nobody's child and in its own session."""
        run_dir = self._directories.run_dir
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._directories.socket)
        # Containers inherit niceness and out-of-memory score from here, and the agent's may be a worker's.
        nice = str(-os.nice(0))
        log, socket, pid_file = f"{run_dir}/podman.log", self._directories.socket, str(self._pid_file)
        subprocess.run(
            ["/bin/sh", "-c", _SPAWN, "sh", log, pid_file, "nice", "-n", nice, self._podman, socket],
            env={**os.environ, **self._configuration.environment},
            cwd="/",
            start_new_session=True,
            timeout=10,
            check=True,
        )
        return int(self._pid_file.read_text())

    def _write_files(self) -> bool:
        """Write the configuration; whether anything differs from what was there."""
        os.makedirs(self._directories.run_dir, mode=0o700, exist_ok=True)
        changed = False
        for path, text in self._configuration.files.items():
            file = Path(path)
            if file.exists() and file.read_text() == text:
                continue
            changed = True
            new = file.with_name(file.name + ".new")
            new.write_text(text)
            new.chmod(0o755 if text.startswith("#!") else 0o644)
            new.rename(file)
        return changed

    def _running_pid(self) -> int | None:
        """The pid of the service if it is alive and ours (the number may have been given to another process)."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if f"unix://{self._directories.socket}".encode() in command else None

    def _log_tail(self) -> str:
        try:
            return Path(f"{self._directories.run_dir}/podman.log").read_text(errors="replace")[-1000:].strip()
        except FileNotFoundError:
            return ""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
