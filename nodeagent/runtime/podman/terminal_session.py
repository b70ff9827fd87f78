"""A command in a running container with a terminal, by Podman's exec API.

Its monitor (conmon) gives the terminal itself. The OCI runtime, called directly, would join it to a second one, and
both would end lines in their own way (docs/decisions/0011-streams.md).
"""

import asyncio
import contextlib
import os
import signal
from typing import Any

import orjson

from nodeagent.runtime.interface import Emit, RuntimeFailure, RuntimeUnavailable, SessionResult
from nodeagent.runtime.podman.failure_text import failure_text
from nodeagent.runtime.podman.rest import BASE_PATH, PodmanRest

_PIECE = 32 * 1024
_MESSAGE_LIMIT = 4096
#: Seconds in which Podman must have begun a command, and in which it must know that one has ended.
_START_DEADLINE = 30.0
_END_DEADLINE = 10.0
_POLL = 0.02


class TerminalSession:
    """Implements `Session`. Made by `start`."""

    def __init__(self, rest: PodmanRest, exec_id: str, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self._rest = rest
        self._id = exec_id
        self._reader, self._writer = streams
        self._size: tuple[int, int] | None = None
        self._output = b""

    @classmethod
    async def start(cls, rest: PodmanRest, container_id: str, command: tuple[str, ...]) -> "TerminalSession":
        """Begin `command` with the container's user, environment and directory. Raises RuntimeFailure."""
        body = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": True,
            "Cmd": list(command),
            "Env": ["TERM=xterm"],
        }
        created = await rest.call("POST", f"/containers/{container_id}/exec", body=body)
        exec_id = str(created["Id"])
        try:
            async with asyncio.timeout(_START_DEADLINE):
                return cls(rest, exec_id, await _hijack(rest.socket, exec_id))
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise RuntimeUnavailable(f"podman does not begin an exec: {error}") from error

    async def pump(self, emit: Emit) -> None:
        while True:
            try:
                data = await self._reader.read(_PIECE)
            except ConnectionResetError:
                return
            if not data:
                return
            if self._size is not None:
                await self._resize()
            self._output = (self._output + data)[-_MESSAGE_LIMIT:]
            await emit("stdout", data)

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def close_stdin(self) -> None:
        """Nothing: a terminal's input has no end."""

    async def resize(self, width: int, height: int) -> None:
        self._size = (width, height)
        await self._resize()

    async def _resize(self) -> None:
        """Podman refuses a size while the command is being started: the first output then tries again."""
        assert self._size is not None
        width, height = self._size
        with contextlib.suppress(RuntimeFailure):
            await self._rest.call("POST", f"/exec/{self._id}/resize", query={"w": width, "h": height})
            self._size = None

    async def result(self) -> SessionResult:
        found = await self._ended()
        code = int(found.get("ExitCode") or 0)
        text = failure_text(self._output)
        if code in (126, 127) and "OCI runtime" in text:
            return SessionResult(code, text)
        return SessionResult(code)

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(RuntimeFailure):
            found = await self._inspect()
            if found.get("Running") and found.get("Pid"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(found["Pid"]), signal.SIGKILL)

    async def _ended(self) -> dict[str, Any]:
        """What Podman knows once the command has ended, of which it learns after the output. Raises RuntimeFailure."""
        end = asyncio.get_running_loop().time() + _END_DEADLINE
        while True:
            found = await self._inspect()
            if not found.get("Running"):
                return found
            if asyncio.get_running_loop().time() > end:
                raise RuntimeUnavailable(f"podman does not tell how the command ended within {_END_DEADLINE:g} s")
            # Podman has no event for it.
            await asyncio.sleep(_POLL)

    async def _inspect(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._rest.call("GET", f"/exec/{self._id}/json")
        return found


async def _hijack(socket: str, exec_id: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin the command; the connection is its terminal then. Raises OSError or RuntimeFailure."""
    reader, writer = await asyncio.open_unix_connection(socket, limit=2 * _PIECE)
    try:
        body = orjson.dumps({"Detach": False, "Tty": True})
        head = (
            f"POST {BASE_PATH}/exec/{exec_id}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = answer.split(b" ", 2)[1]
        if status not in (b"101", b"200"):
            text = (await reader.read(_MESSAGE_LIMIT)).decode(errors="replace")
            raise RuntimeFailure(f"podman answered {status.decode()}: {text}")
    except BaseException:
        writer.close()
        raise
    return reader, writer
