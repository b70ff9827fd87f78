"""Daemons outlive their parents and are found again by their pid files, and never mistaken for another process."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeactors.actors.daemon import Daemon


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path / "run" / "daemon.pid")
    yield daemon
    await daemon.stop(grace=5)


async def start(daemon: Daemon, tmp_path: Path, *command: str) -> int:
    return await daemon.start(command, environment=os.environ, log_file=tmp_path / "log" / "daemon.log")


async def test_it_is_nobody_s_child_and_found_by_its_file(daemon: Daemon, tmp_path: Path) -> None:
    pid = await start(daemon, tmp_path, "sleep", "60")
    stat = Path(f"/proc/{pid}/stat").read_text()
    parent, group = (int(word) for word in stat[stat.rindex(")") + 2 :].split()[1:3])
    assert parent != os.getpid()
    assert group == pid
    assert Daemon(daemon.pid_file).pid() == pid


async def test_waiting_ends_with_the_process(daemon: Daemon, tmp_path: Path) -> None:
    pid = await start(daemon, tmp_path, "sleep", "60")
    waiting = asyncio.create_task(daemon.wait())
    await asyncio.sleep(0)
    os.kill(pid, 9)
    async with asyncio.timeout(20):
        await waiting
    assert daemon.pid() is None


async def test_a_reused_process_id_is_not_the_daemon(daemon: Daemon) -> None:
    daemon.pid_file.parent.mkdir(parents=True)
    daemon.pid_file.write_text(f"{os.getpid()} 12345\n")
    assert daemon.pid() is None


async def test_one_that_ignores_sigterm_is_killed(daemon: Daemon, tmp_path: Path) -> None:
    await start(daemon, tmp_path, "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    await daemon.stop(grace=0.5, whole_session=True)
    assert daemon.pid() is None
    assert not daemon.pid_file.exists()


async def test_a_program_that_cannot_start_is_an_error_that_names_the_log(daemon: Daemon, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"daemon\.log"):
        await start(daemon, tmp_path, "/nonexistent/program")
