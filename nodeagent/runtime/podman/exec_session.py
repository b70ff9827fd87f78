"""A command in a running container with its streams, by the OCI runtime's own `exec`.

Not by Podman's REST, which costs more and leaves two monitors for a while (docs/decisions/0011-streams.md). Terminals
are in `terminal_session.py`.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from nodeagent.kernel.inotify import IN_CREATE, IN_MOVED_TO, Inotify
from nodeagent.runtime.interface import Emit, SessionResult
from nodeagent.runtime.podman.failure_text import failure_text

_PIECE = 32 * 1024
#: How much of the runtime's own error message is kept, in bytes.
_MESSAGE_LIMIT = 4096
#: Seconds in which a command that is being started must have started, before the launcher alone is killed.
_START_DEADLINE = 10.0
_END_DEADLINE = 10.0


class ExecSession:
    """Implements `Session`. Made by `start`."""

    def __init__(
        self, process: asyncio.subprocess.Process, directory: Path, watcher: Inotify, begun: asyncio.Event
    ) -> None:
        self._process = process
        self._directory = directory
        self._watcher = watcher
        #: The command itself runs: until then what is written to standard error is the runtime's.
        self._begun = begun
        self._message = b""

    @classmethod
    async def start(
        cls, runtime: str, container_id: str, command: tuple[str, ...], *, stdin: bool, run_dir: str
    ) -> "ExecSession":
        """Begin `command` with the container's user, environment and directory. Raises OSError."""
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="exec-", dir=run_dir))
        begun = asyncio.Event()
        # The runtime renames the complete file to this name.
        watcher = Inotify(lambda events: begun.set() if any(e.name == "pid" for e in events) else None)
        try:
            watcher.add(str(directory), IN_MOVED_TO | IN_CREATE)
            process = await asyncio.create_subprocess_exec(
                runtime,
                *("exec", "--pid-file", str(directory / "pid"), container_id),
                *command,
                stdin=PIPE if stdin else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                limit=_PIECE,
            )
        except BaseException:
            watcher.close()
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
            raise
        return cls(process, directory, watcher, begun)

    async def pump(self, emit: Emit) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump_stdout(emit))
            group.create_task(self._pump_stderr(emit))

    async def _pump_stdout(self, emit: Emit) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(_PIECE):
            await emit("stdout", data)

    async def _pump_stderr(self, emit: Emit) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_PIECE):
            if not self._begun.is_set() and not await self._has_begun():
                self._message += data[: _MESSAGE_LIMIT - len(self._message)]
            else:
                await emit("stderr", data)

    async def _has_begun(self) -> bool:
        """Wait until the command runs, or has turned out not to."""
        begun = asyncio.create_task(self._begun.wait())
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({begun, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            ended.cancel()
        return self._begun.is_set() or (self._directory / "pid").exists()

    async def write(self, data: bytes) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._process.stdin.write(data)
                await self._process.stdin.drain()

    async def close_stdin(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def resize(self, width: int, height: int) -> None:
        """Nothing: there is no terminal."""

    async def result(self) -> SessionResult:
        code = await self._process.wait()
        if not self._begun.is_set() and not (self._directory / "pid").exists():
            return SessionResult(code, failure_text(self._message) or f"the OCI runtime ended with {code}")
        return SessionResult(code)

    async def close(self) -> None:
        try:
            if self._process.returncode is None:
                await self._kill()
        finally:
            self._watcher.close()
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    async def _kill(self) -> None:
        """Kill the command, then its launcher: killing only the launcher would leave the command running."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_DEADLINE):
                if not await self._has_begun():
                    return
        with contextlib.suppress(ValueError, ProcessLookupError, FileNotFoundError):
            os.kill(int((self._directory / "pid").read_text()), signal.SIGKILL)
        # Output that nobody reads would keep the launcher.
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        async with asyncio.timeout(_END_DEADLINE):
            await self._process.wait()
