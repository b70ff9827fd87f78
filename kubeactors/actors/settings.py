"""What a component's actor is told. Plain data, since it travels to other machines and is kept by Ray for restarts."""

from __future__ import annotations

from dataclasses import dataclass

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.machines import Machine

STORE = "store"
API_SERVER = "apiserver"
SCHEDULER = "scheduler"
CONTROLLER_MANAGER = "controller-manager"
NODE_AGENT = "node-agent"

CLUSTER = "cluster"
"""The component that looks after the others; one on each master, of which the first that is alive acts."""

MASTER_COMPONENTS = (STORE, API_SERVER, SCHEDULER, CONTROLLER_MANAGER)
"""What runs on every master, in the order of starting."""


def master_components(config: ClusterConfig) -> tuple[str, ...]:
    """The same for one configuration: a store of its own only where no other is named."""
    return tuple(each for each in MASTER_COMPONENTS if not (config.external_store and each == STORE))


@dataclass(frozen=True)
class ComponentSettings:
    """One component on one machine.

    `root_dir` is where the machine's files lie unless its environment says otherwise. `state` is the cluster's state
    when the actor was placed, as JSON, for a machine that has no newer one; empty for one that has. `ca` is the SHA-256
    of the cluster's certificate authority, so that a machine notices that its certificate is from a cluster that is
    gone; empty where it does not matter.
    """

    component: str
    node_name: str
    address: str
    root_dir: str
    config: ClusterConfig
    state: str = ""
    hostname: str = ""
    ca: str = ""

    @property
    def actor_name(self) -> str:
        """The name by which Ray finds the actor."""
        return f"{self.component}:{self.node_name}"

    @property
    def machine(self) -> Machine:
        """The machine that the component is on."""
        return Machine(self.address, self.hostname)
