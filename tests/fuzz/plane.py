"""A control plane in a thread of its own, for tests that block."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.client import Client
from tests.support.control_plane import HOST, ControlPlane, control_plane

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0


class Plane:
    """A running control plane, and clients for it."""

    def __init__(self, control: ControlPlane) -> None:
        self.control = control

    def client(self, user: str | None = "admin") -> Client:
        """A client with the user's certificate; None: without one."""
        return Client(HOST, self.control.https_port, self.control.ssl_context(user))

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.control.https_port

    def resident(self, name: str = "apiserver") -> int:
        """The resident memory of a process in bytes."""
        status = Path(f"/proc/{self.control.pid(name)}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def worked(self, name: str = "apiserver") -> float:
        """The seconds of a processor that a process has taken: what bounds work where other programs run too."""
        fields = Path(f"/proc/{self.control.pid(name)}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self, name: str = "apiserver") -> str:
        """All that a process has written."""
        return (self.control.directory / f"{name}.log").read_text(errors="replace")


@contextlib.contextmanager
def running(directory: Path, **config: Any) -> Iterator[Plane]:
    """A control plane until the block ends."""
    ready: asyncio.Future[Plane]
    loop = asyncio.new_event_loop()
    ready = loop.create_future()
    done = asyncio.Event()
    started = threading.Event()

    async def hold() -> None:
        try:
            async with control_plane(directory, **config) as control:
                ready.set_result(Plane(control))
                started.set()
                await done.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise
        finally:
            started.set()

    thread = threading.Thread(target=lambda: loop.run_until_complete(hold()), name="control plane", daemon=True)
    thread.start()
    assert started.wait(_START_TIMEOUT), "the control plane did not start"
    try:
        yield ready.result()
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(_STOP_TIMEOUT)
        assert not thread.is_alive(), "the control plane did not stop"
        loop.close()
