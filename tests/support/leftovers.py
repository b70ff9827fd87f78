"""What there is of a cluster on this machine, found without asking it. Other clusters beside it do not count."""

from __future__ import annotations

import json
from pathlib import Path

from netplugin.names import Names
from tests.support.cluster import TestCluster, run


def names_of(cluster: TestCluster) -> Names:
    """How the cluster's first node calls its things in the kernel."""
    return Names(cluster.name, json.loads(cluster.paths.node.read_text())["node_name"])


def traces(cluster: TestCluster, names: Names) -> list[str]:
    """Links, namespaces, rules, routes, mounts, control groups and processes of the cluster."""
    return [
        *_lines(["ip", "-br", "link"], names.link_prefix),
        *_lines(["ip", "route"], names.link_prefix),
        *_lines(["ip", "netns"], names.netns_prefix),
        *_lines(["nft", "list", "tables"], names.table),
        *(line for line in Path("/proc/self/mounts").read_text().splitlines() if f"{cluster.root}/" in line),
        *(str(path) for path in Path("/sys/fs/cgroup").glob(f"*/kubeactors/{cluster.name}-*")),
        *processes_of(cluster.root),
    ]


def _lines(command: list[str], text: str) -> list[str]:
    return [line for line in run(command).stdout.splitlines() if text in line]


def processes_of(root: Path) -> list[str]:
    """Processes that name the root directory in their command line or, as actors do, in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (process / "environ").read_bytes()
        except OSError:  # it has just ended
            continue
        if f"{root}/" in command or f"KUBEACTORS_ROOT_DIR={root}\0".encode() in environment:
            found.append(f"{process.name} {command}")
    return found
