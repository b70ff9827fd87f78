"""Running a command in a container through the OCI runtime itself.

An exec over Podman's REST leaves two monitor processes for five minutes; a probe every second would fill the machine.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

from nodeagent.runtime.interface import ExecResult

#: What is kept of a command's output, in bytes (kubelet's limit for probes).
OUTPUT_LIMIT = 10 * 1024

# crun and runc alike exit with these when the command itself could not be started.
_RUNTIME_FAILURES = (126, 127, 255)


async def oci_exec(
    runtime: str, container_id: str, command: tuple[str, ...], timeout: float, run_dir: str
) -> ExecResult:
    """Run `command` with the container's user, environment and directory; kill it after `timeout` seconds."""
    descriptor, pid_path = tempfile.mkstemp(prefix="exec-", dir=run_dir)
    os.close(descriptor)
    pid_file = Path(pid_path)
    try:
        process = await asyncio.create_subprocess_exec(
            runtime, "exec", "--pid-file", pid_path, container_id, *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        collected = bytearray()
        try:
            async with asyncio.timeout(timeout):
                await _collect(process, collected)
                code = await process.wait()
        except TimeoutError:
            return ExecResult(-1, bytes(collected), timed_out=True)
        finally:
            if process.returncode is None:
                _kill(pid_file, process)
                await process.wait()
        output = bytes(collected)
        text = output.decode(errors="replace")
        if code in _RUNTIME_FAILURES and ("exec failed" in text or "OCI runtime" in text or "crun:" in text):
            return ExecResult(code, output, error=text.strip())
        return ExecResult(code, output)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(pid_path)


async def _collect(process: asyncio.subprocess.Process, into: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(4096):
        into += data[: max(0, OUTPUT_LIMIT - len(into))]


def _kill(pid_file: Path, process: asyncio.subprocess.Process) -> None:
    """Kill the command, then its launcher: killing only the launcher would leave the command running."""
    with contextlib.suppress(ValueError, ProcessLookupError, FileNotFoundError):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
