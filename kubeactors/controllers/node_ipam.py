"""Node address management: gives each node its own part of the cluster's pod addresses (spec.podCIDR)."""

from __future__ import annotations

import ipaddress
import logging

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, name
from kubeactors.controllers.controller import Controller, Surroundings

logger = logging.getLogger(__name__)


class NoRangeLeft(Exception):
    """All parts of the cluster's range are in use."""


class RangeAllocator:
    """Parts of equal size of one network, each held by at most one name. Pure state.

    Raises ValueError for a part that is no part of the network.
    """

    def __init__(self, network: str, mask: int) -> None:
        self._network = ipaddress.ip_network(network)
        if not self._network.prefixlen <= mask <= self._network.max_prefixlen:
            raise ValueError(f"parts of /{mask} do not fit into {network}")
        self._mask = mask
        self._bits = self._network.max_prefixlen - mask
        self._count = 1 << (mask - self._network.prefixlen)
        self._holders: dict[int, str] = {}
        self._held: dict[str, int] = {}
        self._next = 0

    def occupy(self, holder: str, part: str) -> bool:
        """Note that a part is held already; False if it is not of this network or another holds it."""
        network = ipaddress.ip_network(part)
        if network.version != self._network.version or network.prefixlen != self._mask:
            return False
        offset = int(network.network_address) - int(self._network.network_address)
        index = offset >> self._bits
        if not 0 <= index < self._count or self._holders.get(index, holder) != holder:
            return False
        self._holders[index] = holder
        self._held[holder] = index
        return True

    def allocate(self, holder: str) -> str:
        """The part that the holder has, or the next free one. Raises NoRangeLeft.

        Goes round, so that a part that was freed is not given away again at once.
        """
        index = self._held.get(holder)
        if index is None:
            free = (i % self._count for i in range(self._next, self._next + self._count))
            index = next((i for i in free if i not in self._holders), None)
            if index is None:
                raise NoRangeLeft(f"all {self._count} parts of {self._network} are in use")
            self._next = index + 1
            self._holders[index] = holder
            self._held[holder] = index
        address = self._network.network_address + (index << self._bits)
        return f"{address}/{self._mask}"

    def release(self, holder: str) -> None:
        index = self._held.pop(holder, None)
        if index is not None:
            del self._holders[index]


class NodeIpamController(Controller):
    name = "node-ipam"
    workers = 1  # one after the other: what is allocated must be known to the next

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        config = around.config
        self.ranges = RangeAllocator(config.pod_cidr, config.node_cidr_mask)
        self._nodes = around.informers.informer("nodes")
        self._nodes.add_handler(self._added, lambda _, new: self._added(new), self._deleted)

    def _added(self, node: Object) -> None:
        """Ranges in use are known before the first is given away: all of a list is added before any is handled."""
        held = (node.get("spec") or {}).get("podCIDR")
        if not held:
            self.enqueue(node)
        elif not self.ranges.occupy(name(node), held):
            logger.warning("node %s has the range %s, which is not one of ours or another's", name(node), held)

    def _deleted(self, node: Object) -> None:
        self.ranges.release(name(node))
        # Others may be waiting for a range.
        for other in self._nodes.lister.list():
            if not (other.get("spec") or {}).get("podCIDR"):
                self.enqueue(other)

    async def reconcile(self, key: str) -> float | None:
        node = self._nodes.lister.get(None, key)
        if node is None or is_deleting(node) or (node.get("spec") or {}).get("podCIDR"):
            return None
        try:
            part = self.ranges.allocate(key)
        except NoRangeLeft as error:
            reference = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": key, "uid": key}}
            self.recorder.event(reference, "Normal", "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable")
            logger.warning("no pod range for node %s: %s", key, error)
            return None
        patch = {"metadata": {"uid": node["metadata"]["uid"]}, "spec": {"podCIDR": part, "podCIDRs": [part]}}
        try:
            await self.client.patch("nodes", key, patch)
        except StatusError as error:
            if error.code in (404, 409, 422):  # gone, or it got another one: what it has will show
                self.ranges.release(key)
                logger.info("node %s did not take the range %s: %s", key, part, error)
                return None
            raise
        return None
