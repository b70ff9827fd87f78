"""Who of the masters acts: the first in their order that is alive and able.

No lease is needed: two that act at once for a moment do the same things, to actors that have names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubeactors.actors import ray_cluster
from kubeactors.actors.machines import Machine
from kubeactors.actors.settings import CLUSTER
from kubeactors.actors.state import ClusterState

ABLE_TIMEOUT = 3.0


def earlier(state: ClusterState, address: str, alive: Sequence[Machine]) -> list[str]:
    """Names of the masters on living machines that come before the one at `address`; all, if that is no master."""
    living = {machine.address for machine in alive}
    before = state.masters[: state.masters.index(address)] if address in state.masters else state.masters
    return [state.name(master) for master in before if master in living]


class Succession:
    """Asks the masters that come before this one."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}

    async def predecessor(self, names: Sequence[str]) -> str | None:
        """The first of `names` that is able to act, None if none is. Raises RayUnavailableError."""
        for name in names:
            if await self._able(name):
                return name
        return None

    async def _able(self, name: str) -> bool:
        handle = self._handles.get(name)
        if handle is None:
            handle = await ray_cluster.within(ABLE_TIMEOUT, ray_cluster.find_actor, f"{CLUSTER}:{name}")
            if handle is None:
                return False
            self._handles[name] = handle
        try:
            able: bool = await ray_cluster.call(handle.able, timeout=ABLE_TIMEOUT)
        except (ray_cluster.RayCallError, TimeoutError):
            del self._handles[name]
            return False
        return able
