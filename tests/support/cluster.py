"""A whole cluster for a test: its own root directory, names, ranges and ports, so that none beside it is disturbed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from examples.debian_image import DebianImage
from kubeactors.actors.daemon import Daemon
from kubeactors.actors.paths import Paths
from kubeactors.client.async_client import AsyncClient
from tests.support.numbers import reserve
from tests.support.ports import free_ports

KUBECTL = Path(sys.executable).parent / "kubectl"
PORT_NAMES = (
    *("https_port", "grpc_port", "local_https_port", "local_grpc_port", "store_port", "store_peer_port"),
    *("agent_port", "ray_port", "ray_client_port"),
)


class CommandFailed(AssertionError):
    """A command that a test ran did not succeed."""


def run(
    command: Sequence[str | Path],
    *,
    check: bool = True,
    timeout: float = 120,
    stdin: str | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed. Raises CommandFailed, with what it printed, when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def until(condition: Callable[[], Any], *, timeout: float, what: str, period: float = 0.1) -> Any:
    """Ask until the answer is true, and return it. Raises AssertionError that says what was waited for."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still waiting after {timeout} s for {what}"
        time.sleep(period)


class TestCluster:
    """One cluster below a directory of its own.

    `advertise_address` must be an address of this machine. `ray_address` names a Ray that runs; empty: `up` starts one.
    """

    __test__ = False  # not a test class

    def __init__(self, root: Path, *, advertise_address: str, ray_address: str = "", **settings: Any) -> None:
        number = reserve("cluster", 60)
        self.root = root
        self.name = f"t{number}-{os.getpid()}"
        self.paths = Paths(root)
        self._ray_address = ray_address
        self.settings: dict[str, Any] = {
            "cluster_name": self.name,
            "advertise_address": advertise_address,
            "pod_cidr": f"10.{128 + number}.0.0/16",
            "service_cidr": f"10.{192 + number}.0.0/16",
            "node_port_range": f"{20000 + 100 * number}-{20099 + 100 * number}",
            **dict(zip(PORT_NAMES, free_ports(len(PORT_NAMES)), strict=True)),
            **settings,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What a command must be told to work on this cluster and no other."""
        return {
            "KUBECONFIG": str(self.paths.kubeconfig),
            "KUBEACTORS_ROOT_DIR": str(self.root),
            "RAY_ADDRESS": self._ray_address,
        }

    def kubeactors(self, *arguments: str, check: bool = True, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """The project's own command."""
        command = [sys.executable, "-m", "kubeactors.cli", *arguments, "--root-dir", str(self.root)]
        return run(command, check=check, timeout=timeout, **self.environment)

    def up(self, *arguments: str) -> None:
        """`kubeactors up` with this cluster's settings."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        self.kubeactors("up", *options, *arguments)

    def down(self) -> None:
        """`kubeactors down` with all data, then the directory itself."""
        try:
            self.kubeactors("down", "--delete-data")
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def kubectl(
        self, *arguments: str, check: bool = True, stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Unmodified kubectl."""
        return run([KUBECTL, *arguments], check=check, stdin=stdin, timeout=timeout, **self.environment)

    def get(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` prints, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def client(self) -> AsyncClient:
        """The SDK's client for the administrator; close it."""
        return AsyncClient.from_kubeconfig(self.paths.kubeconfig)

    def podman(self) -> list[str]:
        """The beginning of a podman command that works on the cluster's images and containers."""
        return podman_command(self.paths)

    def add_images(self, *images: DebianImage) -> None:
        """Make images known to the cluster's first machine."""
        for image in images:
            image.ensure(self.podman())

    def inspect(self, container: str) -> dict[str, Any]:
        """What podman knows of a container on the first machine."""
        inspected: dict[str, Any] = json.loads(run([*self.podman(), "container", "inspect", container]).stdout)[0]
        return inspected

    @staticmethod
    def memory_limit(pid: int) -> int:
        """The kernel's memory limit, in bytes, of the cgroup that a process is in."""
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "memory":
                return int(Path(f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes").read_text())
            if not controllers and (limit := Path(f"/sys/fs/cgroup{path}/memory.max")).exists():
                return int(limit.read_text())
        raise AssertionError(f"process {pid} is in no memory cgroup")

    def container_ids(self, namespace: str) -> set[str]:
        """Ids of the containers that run in a namespace's pods."""
        return {
            status["containerID"]
            for pod in self.get("pods", "-n", namespace)["items"]
            for status in pod["status"].get("containerStatuses", [])
            if "running" in status.get("state", {})
        }

    def component_pid(self, component: str) -> int | None:
        """The process that a component runs in, or None while it is away."""
        return self._pid_in(self.status(), component)

    def _pid_in(self, status: dict[str, Any], component: str) -> int | None:
        if component == "cluster":
            return status.get("pid")
        here = [item for item in status["components"] if item["address"] == self.settings["advertise_address"]]
        return next((item.get("pid") for item in here if item["component"] == component), None)

    def store_pid(self) -> int | None:
        """The store member's process, which is not its actor's."""
        return Daemon(self.paths.store_pid).pid()

    def kill_ray(self) -> None:
        """End all of Ray at once, as when its machine's supervisor stops it."""
        daemon = Daemon(self.paths.ray_pid)
        pid = daemon.pid()
        assert pid is not None, "the cluster's Ray does not run"
        os.killpg(pid, signal.SIGKILL)
        until(lambda: not _session_members(pid), timeout=20, what="Ray's processes to end")

    def status(self) -> dict[str, Any]:
        """What `kubeactors status` says."""
        answer = self.kubeactors("status", "--output", "json", check=False)
        assert answer.stdout, answer.stderr
        status: dict[str, Any] = json.loads(answer.stdout)
        return status

    def wait_for_return(self, component: str, pid: int, timeout: float = 60) -> None:
        """Until a component runs in another process than `pid` and the whole cluster is healthy."""

        def returned() -> bool:
            answer = self.kubeactors("status", "--output", "json", check=False)
            healthy = answer.returncode == 0
            return healthy and self._pid_in(json.loads(answer.stdout), component) not in (None, pid)

        until(returned, timeout=timeout, what=f"{component} to return", period=0.5)

    def wait_until_healthy(self, timeout: float = 60) -> None:
        """Until `kubeactors status` succeeds."""
        until(
            lambda: self.kubeactors("status", check=False).returncode == 0,
            timeout=timeout,
            what="a healthy cluster",
            period=0.5,
        )


def _session_members(session: int) -> list[int]:
    """Processes that are in a session and alive."""
    listed = run(["ps", "-o", "pid=,stat=", "-s", str(session)], check=False).stdout.splitlines()
    return [int(line.split()[0]) for line in listed if not line.split()[1].startswith("Z")]


def podman_command(paths: Paths) -> list[str]:
    """podman on the storage of a node whose files are below `paths`, with the node agent's own configuration."""
    return [
        "env",
        f"CONTAINERS_CONF={paths.run / 'podman' / 'containers.conf'}",
        f"CONTAINERS_STORAGE_CONF={paths.run / 'podman' / 'storage.conf'}",
        "podman",
    ]
