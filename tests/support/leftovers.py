"""What a cluster could leave behind on this machine: compare before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import run


@dataclass(frozen=True)
class MachineState:
    """Links, namespaces, rules, routes, mounts, control groups, and the processes that name a directory."""

    links: tuple[str, ...]
    namespaces: tuple[str, ...]
    rules: str
    routes: str
    mounts: tuple[str, ...]
    cgroups: tuple[str, ...]
    processes: tuple[str, ...]


def machine_state(root: Path) -> MachineState:
    """As it is now. `root` is the cluster's root directory: each of its processes has it in its command line or log."""
    links = sorted(line.split()[0].split("@")[0] for line in run(["ip", "-br", "link"]).stdout.splitlines())
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return MachineState(
        links=tuple(links),
        namespaces=tuple(sorted(line.split()[0] for line in run(["ip", "netns"]).stdout.splitlines())),
        rules=run(["nft", "list", "ruleset"]).stdout,
        routes=run(["ip", "route"]).stdout,
        mounts=tuple(sorted(mount for mount in mounts if str(root) in mount)),
        cgroups=tuple(sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*/kubeactors*/*") if path.is_dir())),
        processes=tuple(
            line for line in run(["ps", "-eo", "args="]).stdout.splitlines() if str(root) in line or "ray::" in line
        ),
    )
