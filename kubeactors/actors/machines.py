"""Which node a machine is. A machine keeps its name for good, also when Ray or the whole cluster restarts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Machine:
    """A machine of the Ray cluster. Ray knows it by its address, which is stable where Ray's node id is not."""

    address: str
    hostname: str

    @property
    def resource(self) -> str:
        """The custom resource that Ray gives the machine; an actor that needs a bit of it comes back with it."""
        return f"node:{self.address}"


def alive_machines(ray_nodes: list[dict[str, Any]]) -> list[Machine]:
    """The machines in an answer of `ray.nodes()` that are alive."""
    return [Machine(node["NodeManagerAddress"], node["NodeManagerHostname"]) for node in ray_nodes if node["Alive"]]


def assign_name(machine: Machine, assigned: Mapping[str, str]) -> str:
    """The machine's node name: its host name, or that and its address if another machine has the name already.

    `assigned` maps addresses to names. The result is an RFC 1123 subdomain, as a Node's name must be.
    """
    if machine.address in assigned:
        return assigned[machine.address]
    name = re.sub(r"[^a-z0-9.-]+", "-", machine.hostname.lower()).strip("-.") or "node"
    if name in assigned.values():
        name = f"{name}-{re.sub(r'[^0-9a-z]+', '-', machine.address.lower())}"
    return name
