"""Commands in containers: talking to one that runs, and running one to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from kubeactors.client.streams import CommandStream, Ended, Output

_PIECE = 64 * 1024


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


class CommandSession:
    """A command that runs, or a container's first process. Iterate for its output; `exit_code` is known after that.

    Who reads slowly slows the command.
    """

    def __init__(self, stream: CommandStream) -> None:
        self._stream = stream
        self._ended: Ended | None = None

    async def write(self, data: bytes) -> None:
        """Send to standard input; waits while the command does not read. Raises ApiUnavailable when it has ended."""
        for start in range(0, len(data), _PIECE):
            await self._stream.send(data[start : start + _PIECE])

    async def close_stdin(self) -> None:
        """The end of standard input. Raises ApiUnavailable for servers before Kubernetes 1.30, which know none."""
        await self._stream.end_input()

    async def resize(self, width: int, height: int) -> None:
        """The terminal's size, in columns and rows."""
        await self._stream.resize(width, height)

    def __aiter__(self) -> AsyncIterator[Output]:
        return self._outputs()

    async def _outputs(self) -> AsyncIterator[Output]:
        while self._ended is None:
            received = await self._stream.receive()
            if isinstance(received, Ended):
                self._ended = received
            else:
                yield received

    @property
    def exit_code(self) -> int:
        """Once the output has ended. Raises StatusError when the command could not be run."""
        if self._ended is None:
            raise ValueError("the command has not ended: read its output first")
        if self._ended.failure is not None:
            raise self._ended.failure
        return self._ended.exit_code

    async def wait(self) -> int:
        """Read and forget the output that is left; the exit code. Raises StatusError as `exit_code` does."""
        async for _ in self:
            pass
        return self.exit_code

    async def close(self) -> None:
        """Leave. A command of exec that still runs is ended."""
        await self._stream.close()


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
