"""A cluster of machines on this machine: each in a network and process namespace of its own, each with its Ray node.

Commands run on a machine, as its operator would type them. Nothing of the cluster runs outside of them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.debian_image import DebianImage
from kubeactors.actors.paths import Paths
from kubeactors.actors.ray_cluster import HEAD_SETTINGS, MACHINE_SETTINGS
from tests.support.cluster import KUBECTL, podman_command, run, until
from tests.support.machine import Link, Machine

RAY_PORT = 6379
RAY_STARTS = 3
REPOSITORY = Path(__file__).parents[2]


class MachineCluster:
    """`count` machines; Ray's head is on the first. `settings` are options of `kubeactors up`."""

    def __init__(self, count: int, **settings: Any) -> None:
        self.link = Link()
        number = self.link.number
        self.machines = [
            Machine(self.link, Path(tempfile.mkdtemp(prefix=f"km{part}-", dir="/tmp")), part + 10)
            for part in range(1, count + 1)
        ]
        self.settings = {
            "cluster_name": f"m{number}",
            "pod_cidr": f"10.{100 + number % 28}.0.0/16",
            "service_cidr": f"10.{192 + number % 60}.0.0/16",
            **settings,
        }

    @property
    def ray_address(self) -> str:
        """Where Ray's head listens."""
        return f"{self.machines[0].address}:{RAY_PORT}"

    def make(self) -> None:
        """The machines, not started."""
        self.link.make()
        for machine in self.machines:
            machine.make()

    def remove(self) -> None:
        """Everything, whatever state it is in."""
        with contextlib.ExitStack() as stack:  # what cannot be removed must not keep the rest
            stack.callback(self.link.remove)
            for machine in self.machines:
                stack.callback(machine.remove)

    def ray_start(self, machine: Machine) -> None:
        """Boot a machine whose only service is `ray start`: with the head on the first machine."""
        common = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--node-ip-address={machine.address}"),
            *("--object-store-memory=80000000", f"--temp-dir={machine.root / 'ray'}", "--disable-usage-stats"),
            *("--include-log-monitor=false", "--min-worker-port=0", "--max-worker-port=0"),
        ]
        environment = {"KUBEACTORS_ROOT_DIR": str(machine.root), "PYTHONPATH": str(REPOSITORY), **MACHINE_SETTINGS}
        if machine is self.machines[0]:
            storage = machine.root / "gcs"
            storage.mkdir(exist_ok=True)
            environment |= {**HEAD_SETTINGS, "RAY_gcs_storage_path": str(storage)}
            command = [*common, "--head", f"--port={RAY_PORT}", "--include-dashboard=false", "--no-monitor"]
        else:
            command = [*common, f"--address={self.ray_address}"]
        # Where all are busy Ray gives up after 30 s, which no setting changes; a service manager would start it again.
        for attempt in range(RAY_STARTS):
            if self._boot(machine, command, environment, last=attempt == RAY_STARTS - 1):
                return
            machine.power_off()

    @staticmethod
    def _boot(machine: Machine, command: Sequence[str], environment: dict[str, str], *, last: bool) -> bool:
        """Whether Ray started. Raises AssertionError if it did not and this was the last attempt."""
        log = machine.root / "machine.log"
        begin = log.stat().st_size if log.exists() else 0
        machine.start(command, **environment)

        def said() -> str:
            return log.read_bytes()[begin:].decode(errors="replace")

        until(
            lambda: not machine.runs or "Ray runtime started" in said(),
            timeout=120,
            what=f"Ray on {machine.address}",
        )
        assert machine.runs or not last, f"`ray start` ended on {machine.address}:\n{said()}"
        return machine.runs

    def on(
        self, machine: Machine, *command: str | Path, check: bool = True, stdin: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine."""
        words = [*machine.enter(), *self.environment(machine), *map(str, command)]
        return run(words, check=check, stdin=stdin, timeout=timeout)

    def spawn(self, machine: Machine, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command on a machine; it ends with its machine, or when told to."""
        words = [*machine.enter(), *self.environment(machine), *map(str, command)]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def environment(self, machine: Machine) -> list[str]:
        """What an operator's shell on a machine has."""
        paths = Paths(machine.root)
        variables = {"KUBECONFIG": paths.kubeconfig, "KUBEACTORS_ROOT_DIR": machine.root, "PYTHONPATH": REPOSITORY}
        ray = {"RAY_ADDRESS": self.ray_address}
        return ["env", *(f"{name}={value}" for name, value in {**variables, **ray}.items())]

    def kubeactors(
        self, machine: Machine, *arguments: str, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """The project's own command on a machine."""
        return self.on(machine, sys.executable, "-m", "kubeactors.cli", *arguments, check=check, timeout=timeout)

    def up(self, *arguments: str) -> None:
        """`kubeactors up` on the first machine."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        self.kubeactors(self.machines[0], "up", *options, *arguments)

    def status(self, machine: Machine) -> dict[str, Any]:
        """What `kubeactors status` says on a machine."""
        answer = self.kubeactors(machine, "status", "--output", "json", check=False)
        assert answer.stdout, answer.stderr
        status: dict[str, Any] = json.loads(answer.stdout)
        return status

    def wait_until_healthy(self, machine: Machine, timeout: float = 120) -> float:
        """Until `kubeactors status` succeeds on a machine; returns how long that took, in seconds."""
        started = time.monotonic()
        last = None
        while True:
            last = self.kubeactors(machine, "status", check=False)
            if last.returncode == 0:
                return time.monotonic() - started
            assert time.monotonic() - started < timeout, f"not healthy after {timeout} s:\n{last.stdout}{last.stderr}"
            time.sleep(0.5)

    def kubectl(
        self, machine: Machine, *arguments: str, check: bool = True, stdin: str | None = None, timeout: float = 90
    ) -> subprocess.CompletedProcess[str]:
        """Unmodified kubectl on a master, with the kubeconfig that it has."""
        return self.on(machine, KUBECTL, *arguments, check=check, stdin=stdin, timeout=timeout)

    def get(self, machine: Machine, *arguments: str) -> Any:
        """What `kubectl get … -o json` prints, decoded."""
        return json.loads(self.kubectl(machine, "get", *arguments, "-o", "json").stdout)

    def add_images(self, machine: Machine, *images: DebianImage) -> None:
        """Make images known to a machine."""
        for image in images:
            assert image.archive().exists()  # made outside, where the packages' mirror can be reached
            image.ensure([*machine.enter(), *podman_command(Paths(machine.root))])

    def logs(self, machines: Sequence[Machine] | None = None, characters: int = 3000) -> str:
        """The end of every log on the machines."""
        parts = []
        for machine in machines or self.machines:
            for log in [machine.root / "machine.log", *sorted(Paths(machine.root).log.glob("*.log"))]:
                if not log.exists():
                    continue
                parts.append(f"--- {machine.address} {log.name}\n{log.read_text(errors='replace')[-characters:]}")
        return "\n".join(parts)
