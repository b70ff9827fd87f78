"""What a component's actor is told. Plain data, since it travels to other machines and is kept by Ray for restarts."""

from __future__ import annotations

from dataclasses import dataclass

from kubeactors.actors.config import ClusterConfig

STORE = "store"
API_SERVER = "apiserver"
SCHEDULER = "scheduler"
CONTROLLER_MANAGER = "controller-manager"
NODE_AGENT = "node-agent"

MASTER_COMPONENTS = (STORE, API_SERVER, SCHEDULER, CONTROLLER_MANAGER)
"""What runs on every master, in the order of starting."""


@dataclass(frozen=True)
class ComponentSettings:
    """One component on one machine.

    `root_dir` is where the machine's files lie unless its environment says otherwise. `api_servers` are addresses of
    the gRPC API, `host:port`.
    """

    component: str
    node_name: str
    address: str
    root_dir: str
    api_servers: tuple[str, ...]
    config: ClusterConfig

    @property
    def actor_name(self) -> str:
        """The name by which Ray finds the actor."""
        return f"{self.component}:{self.node_name}"


CLUSTER_ACTOR = "cluster"
"""The name by which Ray finds the `Cluster` actor."""
