"""A second machine on this one: a network namespace with its own processes and mounts, joined by a link.

Killing its first process kills everything on it, as pulling the plug would.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nodeagent.kernel.cgroups import Cgroups
from tests.support.cluster import run, until
from tests.support.numbers import reserve

# The machine's own /run/netns, so that its pods' namespaces are not the host's, and a restart is a reboot.
_BOOT = """
mount -t tmpfs tmpfs /run/netns
ip link set lo up
exec "$@"
"""


class Link:
    """A bridge on this machine that others are plugged into. `address` is this machine's on it."""

    def __init__(self) -> None:
        self.number = number = reserve("link", 250)
        self.name = f"tbr{number}-{os.getpid() % 100000}"
        self.address = f"10.77.{number}.1"

    def make(self) -> None:
        """Create the bridge."""
        run(["ip", "link", "add", self.name, "type", "bridge"])
        run(["ip", "address", "add", f"{self.address}/24", "dev", self.name])
        run(["ip", "link", "set", self.name, "up"])

    def remove(self) -> None:
        """Delete the bridge."""
        run(["ip", "link", "delete", self.name], check=False)


class Machine:
    """A machine plugged into a link. `root` is where its cluster files lie."""

    def __init__(self, link: Link, root: Path, host_part: int = 2) -> None:
        self._link = link
        self.root = root
        self.address = f"10.77.{link.number}.{host_part}"
        self._namespace = f"tm{link.number}-{host_part}-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Create the namespace and plug it in."""
        outside, inside = f"v{self._namespace}"[:15], f"w{self._namespace}"[:15]
        run(["ip", "netns", "add", self._namespace])
        run(["ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", self._namespace])
        run(["ip", "link", "set", outside, "master", self._link.name, "up"])
        inner = ["ip", "-n", self._namespace]
        run([*inner, "link", "set", inside, "name", "eth0"])
        run([*inner, "address", "add", f"{self.address}/24", "dev", "eth0"])
        run([*inner, "link", "set", "eth0", "up"])
        run([*inner, "link", "set", "lo", "up"])
        run([*inner, "route", "add", "default", "via", self._link.address])

    def start(self, command: Sequence[str], **environment: str) -> None:
        """Boot: run `command` as the machine's only service."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / "machine.log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{self._namespace}"),
                    *("unshare", "-pfm", "--mount-proc", "--kill-child"),
                    *("sh", "-ec", _BOOT, "sh", *command),
                ],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def join(self, ray_address: str, temp_dir: Path) -> None:
        """Boot as a worker machine of a Ray cluster."""
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={ray_address}", "--block"),
            *(f"--node-ip-address={self.address}", "--object-store-memory=80000000", f"--temp-dir={temp_dir}"),
            *("--include-log-monitor=false", "--disable-usage-stats"),
        ]
        self.start(command, KUBEACTORS_ROOT_DIR=str(self.root), RAY_worker_niceness="0")

    def enter(self) -> list[str]:
        """The beginning of a command that runs on the running machine, in all its namespaces."""
        assert self._process is not None
        first = run(["pgrep", "-P", str(self._process.pid)]).stdout.split()[0]
        return ["nsenter", "-t", first, "-n", "-m", "-p"]

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command on the running machine, in all its namespaces."""
        return run([*self.enter(), *command], check=check, timeout=timeout)

    @property
    def runs(self) -> bool:
        """Whether its service has not ended."""
        return self._process is not None and self._process.poll() is None

    def power_off(self) -> None:
        """Kill everything on it at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # its service has ended, and everything with it
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=20)
            self._process = None

    def remove(self) -> None:
        """Power off, then delete what a dead machine leaves on this one."""
        self.power_off()
        run(["ip", "netns", "delete", self._namespace], check=False)
        until(lambda: not self._mounts(), timeout=20, what="the machine's mounts to go")
        shutil.rmtree(self.root, ignore_errors=True)
        cgroups = Cgroups()
        for group in cgroups.below("/kubeactors"):
            if group.endswith(f"-{self.address.replace('.', '-')}"):  # as the node is named that the machine became
                cgroups.remove(f"/kubeactors/{group}")
        cgroups.remove_if_empty("/kubeactors")

    def _mounts(self) -> list[str]:
        return [line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {self.root}/" in line]
