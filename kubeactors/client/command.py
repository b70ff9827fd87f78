"""Commands in containers over a WebSocket (exec, attach; protocol v5.channel.k8s.io, KEP-4006)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import aiohttp
import orjson

from kubeactors.api.errors import StatusError, from_status, status_failure
from kubeactors.client.errors import ApiUnavailable

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_PIECE = 64 * 1024
#: Seconds between pings, and for their answers: a dead server ends a silent session.
HEARTBEAT = 30.0


class WebSockets(Protocol):
    """A transport that has WebSockets. Raises as `Transport` does."""

    async def websocket(
        self, path: str, query: list[tuple[str, str]], protocols: tuple[str, ...], timeout: float
    ) -> aiohttp.ClientWebSocketResponse: ...


@dataclass(frozen=True)
class Completed:
    """A command that has ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")


@dataclass(frozen=True)
class Output:
    """Some output of a command."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class CommandSession:
    """A command that runs, or a container's first process. Iterate for its output; `exit_code` is known after that.

    Who reads slowly slows the command.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._status: Mapping[str, Any] | None = None

    async def write(self, data: bytes) -> None:
        """Send to standard input; waits while the command does not read. Raises ApiUnavailable when it has ended."""
        for start in range(0, len(data), _PIECE):
            await self._send(_STDIN, data[start : start + _PIECE])

    async def close_stdin(self) -> None:
        """The end of standard input. Raises ApiUnavailable for servers before Kubernetes 1.30, which know none."""
        if self._socket.protocol != PROTOCOLS[0]:
            raise ApiUnavailable("this server cannot be told the end of standard input")
        await self._send(_CLOSE, bytes((_STDIN,)))

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size, in columns and rows."""
        await self._send(_RESIZE, orjson.dumps({"Width": width, "Height": height}))

    def __aiter__(self) -> AsyncIterator[Output]:
        return self._outputs()

    async def _outputs(self) -> AsyncIterator[Output]:
        while self._status is None:
            message = await self._socket.receive()
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                raise ApiUnavailable("the connection ended before the command did")
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            channel, data = data[0] if data else -1, data[1:]
            if channel == _STDOUT and data:
                yield Output("stdout", data)
            elif channel == _STDERR and data:
                yield Output("stderr", data)
            elif channel == _ERROR and data:
                self._status = orjson.loads(data)

    @property
    def exit_code(self) -> int:
        """Once the output has ended. Raises StatusError when the command could not be run."""
        status = self._status
        if status is None:
            raise ValueError("the command has not ended: read its output first")
        if status.get("status") == "Success":
            return 0
        if status.get("reason") == "NonZeroExitCode":
            causes = (status.get("details") or {}).get("causes") or ()
            return next(int(each["message"]) for each in causes if each.get("reason") == "ExitCode")
        raise from_status({"kind": "Status", "apiVersion": "v1", **status})

    async def wait(self) -> int:
        """Read and forget the output that is left; the exit code. Raises StatusError as `exit_code` does."""
        async for _ in self:
            pass
        return self.exit_code

    async def close(self) -> None:
        """Leave. A command of exec that still runs is ended."""
        await self._socket.close()

    async def _send(self, channel: int, data: bytes) -> None:
        try:
            await self._socket.send_bytes(bytes((channel,)) + data)
        except (ConnectionError, aiohttp.ClientError) as error:
            raise ApiUnavailable(f"the connection to the command is gone: {error}") from error


async def run(session: CommandSession, stdin: bytes | None) -> Completed:
    """Feed the command, collect its output and wait for its end."""
    collected: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

    async def feed(data: bytes) -> None:
        await session.write(data)
        await session.close_stdin()

    feeding = asyncio.create_task(feed(stdin)) if stdin is not None else None
    try:
        async for output in session:
            collected[output.stream].append(output.data)
    finally:
        if feeding is not None:
            feeding.cancel()
            # A command that ends without reading all of its input is no error.
            await asyncio.gather(feeding, return_exceptions=True)
    return Completed(session.exit_code, b"".join(collected["stdout"]), b"".join(collected["stderr"]))


def path_of(namespace: str, pod: str, subresource: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{pod}/{subresource}"


def query_of(
    *, command: tuple[str, ...] = (), container: str | None, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> list[tuple[str, str]]:
    """The query of exec and attach."""
    flags = {"stdin": stdin, "stdout": stdout, "stderr": stderr and not tty, "tty": tty}
    query = [("command", each) for each in command]
    if container:
        query.append(("container", container))
    return [*query, *((name, str(value).lower()) for name, value in flags.items())]


def not_over_grpc(what: str) -> StatusError:
    """The refusal of a client whose endpoints are gRPC."""
    message = f"{what} needs an https:// endpoint: this client does not do it over gRPC"
    return StatusError(status_failure(501, "NotImplemented", message))
