"""What masters are to run and have no actor for yet: without it, a new master would pass for a healthy one."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.settings import CLUSTER, master_components
from kubeactors.actors.state import ClusterState


def unplaced(
    state: ClusterState, config: ClusterConfig, placed: Collection[tuple[str, str]], alive: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    """A component, a master's address and why its actor is not there.

    `placed` holds components with addresses; `alive` the addresses of machines that are there.
    """
    for address in state.masters:
        reason = "not started yet" if address in alive else f"the machine {address} is away"
        for component in (CLUSTER, *master_components(config)):
            if (component, address) not in placed:
                yield component, address, reason
