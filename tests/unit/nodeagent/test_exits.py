"""The end of a container as its first process and its monitor tell it; both are real processes here."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nodeagent.runtime.interface import Exit
from nodeagent.runtime.podman.exits import ExitWatcher

ID = "0123456789abcdef"


class Case:
    """A container that ends when told, and a monitor that goes on when told."""

    def __init__(self, directory: Path) -> None:
        self.exits = directory / "exits"
        self.pid_file = directory / "conmon.pid"
        self.watcher = ExitWatcher(str(self.exits), time.time)
        self.reported: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._processes: list[asyncio.subprocess.Process] = []

    async def process(self, *arguments: str) -> asyncio.subprocess.Process:
        started = await asyncio.create_subprocess_exec(
            "sh", "-c", "read line; :", *arguments, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._processes.append(started)
        return started

    async def monitor(self, *arguments: str) -> asyncio.subprocess.Process:
        started = await self.process(*arguments)
        self.pid_file.write_text(str(started.pid))
        return started

    async def container(self) -> asyncio.subprocess.Process:
        started = await self.process()
        self.watcher.expect(ID, self.reported.set_result, self.exits / "oom", self.pid_file)
        self.watcher.watch_process(ID, started.pid)
        return started

    def write_code(self, code: int) -> None:
        whole = self.exits.with_name("whole")
        whole.write_text(str(code))
        whole.rename(self.exits / ID)

    async def code(self) -> int | None:
        async with asyncio.timeout(10):
            return (await self.reported).exit_code

    async def close(self) -> None:
        self.watcher.stop()
        for process in self._processes:
            await ended(process)


async def ended(process: asyncio.subprocess.Process) -> None:
    """Let the process end, and the loop see what its pidfd tells."""
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
    await asyncio.sleep(0.05)


@asynccontextmanager
async def case(directory: Path) -> AsyncIterator[Case]:
    made = Case(directory)
    made.watcher.start()
    try:
        yield made
    finally:
        await made.close()


async def test_the_code_that_a_slow_monitor_writes(tmp_path: Path) -> None:
    async with case(tmp_path) as made:
        await made.monitor("conmon", "-c", ID)
        await ended(await made.container())
        assert not made.reported.done()
        made.write_code(7)
        assert await made.code() == 7


async def test_a_code_written_before_the_process_was_seen_to_end(tmp_path: Path) -> None:
    async with case(tmp_path) as made:
        container = await made.container()
        made.write_code(0)
        assert await made.code() == 0
        await ended(container)


async def test_a_monitor_that_ends_without_a_code(tmp_path: Path) -> None:
    async with case(tmp_path) as made:
        monitor = await made.monitor("conmon", "-c", ID)
        await ended(await made.container())
        assert not made.reported.done()
        await ended(monitor)
        assert await made.code() is None


@pytest.mark.parametrize("content", [None, "", "the number of another process"])
async def test_no_monitor(tmp_path: Path, content: str | None) -> None:
    async with case(tmp_path) as made:
        if content is not None:
            await made.monitor("something", "else")
        if content == "":
            made.pid_file.write_text("")
        await ended(await made.container())
        assert await made.code() is None


async def test_a_monitor_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.runtime.podman.exits._CODE_DEADLINE", 0.1)
    async with case(tmp_path) as made:
        await made.monitor("conmon", "-c", ID)
        await ended(await made.container())
        assert await made.code() is None
