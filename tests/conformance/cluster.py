"""A control plane for tests that are clients and nothing else: they call, and block, as users' programs do.

Store and API server are processes of their own; controllers, scheduler and the kubelet that runs nothing live on a
loop in a thread. Everything talks TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.control_plane import KUBECTL, Completed, ControlPlane
from tests.support.simulated_nodes import simulated_nodes

T = TypeVar("T")
NODES = ("node-a", "node-b")
START_TIMEOUT = 90.0
STOP_TIMEOUT = 30.0


@dataclass
class Cluster:
    """A running control plane with two nodes that run nothing."""

    plane: ControlPlane
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """Where the REST API is."""
        return self.plane.url

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.plane.kubeconfig

    def kubectl(
        self, *arguments: str, namespace: str = "default", stdin: str = "", timeout: float = 60, check: bool = True
    ) -> Completed:
        """Run kubectl as the administrator. Unless `check` is False a failure fails the test."""
        return self.run(str(KUBECTL), "-n", namespace, *arguments, stdin=stdin, timeout=timeout, check=check)

    def run(
        self, *command: str, stdin: str = "", timeout: float = 60, check: bool = True, **environment: str
    ) -> Completed:
        """Run a program that finds the cluster by $KUBECONFIG, with a home directory of its own."""
        home = str(self.plane.directory)
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=home,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": home, **environment},
            check=False,
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return Completed(done.returncode, done.stdout, done.stderr)

    def call(self, work: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
        """Run something on the cluster's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)


@contextlib.contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    """Start it below `directory`; stop it whatever happened."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="conformance cluster", daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()

    def call(work: Coroutine[Any, Any, T], timeout: float) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout)

    try:
        yield Cluster(call(_start(stack, directory), START_TIMEOUT), loop)
    finally:
        try:
            call(stack.aclose(), STOP_TIMEOUT)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_TIMEOUT)
            loop.close()


async def _start(stack: contextlib.AsyncExitStack, directory: Path) -> ControlPlane:
    # The nodes never say again that they are there.
    patience = {"node_monitor_grace_period": 3600, "node_startup_grace_period": 3600}
    return (await stack.enter_async_context(simulated_nodes(directory, NODES, **patience))).plane
