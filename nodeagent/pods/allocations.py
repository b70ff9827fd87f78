"""What this node's pods have been given of its CPU, memory and other resources, against what there is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubeactors.api.meta import Object
from kubeactors.api.resource_amounts import CPU, MEMORY, PODS, STORAGE, Amounts, amounts, pod_requests

_IN_ORDER = (PODS, CPU, MEMORY, STORAGE)


@dataclass(frozen=True)
class Shortage:
    """What is missing, in thousandths of a CPU or whole units."""

    resource: str
    requested: int
    used: int
    capacity: int


def needs_of(pod: Object) -> Amounts:
    """What a pod takes, itself as one of the resource "pods" included."""
    return {**pod_requests(pod), PODS: 1}


class Allocations:
    """Pod by pod, by uid. `allocatable` is the node's."""

    def __init__(self, allocatable: Mapping[str, str]) -> None:
        self._capacity = amounts(allocatable)
        self._given: dict[str, Amounts] = {}
        self._waiting: dict[str, Callable[[], None]] = {}

    def shortage(self, uid: str, wanted: Amounts) -> Shortage | None:
        """The first resource of which the other pods leave too little, if any."""
        for resource in self._resources(wanted):
            used = sum(given.get(resource, 0) for other, given in self._given.items() if other != uid)
            if used + wanted[resource] > self._capacity[resource]:
                return Shortage(resource, wanted[resource], used, self._capacity[resource])
        return None

    def excess(self, wanted: Amounts) -> Shortage | None:
        """The first resource of which the empty node has too little, if any."""
        for resource in self._resources(wanted):
            if wanted[resource] > self._capacity[resource]:
                return Shortage(resource, wanted[resource], 0, self._capacity[resource])
        return None

    def give(self, uid: str, wanted: Amounts) -> None:
        """The pod has this much now."""
        before = self._given.get(uid, {})
        self._given[uid] = wanted
        if any(wanted.get(resource, 0) < amount for resource, amount in before.items()):
            self._tell()

    def release(self, uid: str) -> None:
        """The pod needs nothing any more."""
        self._waiting.pop(uid, None)
        if self._given.pop(uid, None) is not None:
            self._tell()

    def wait(self, uid: str, freed: Callable[[], None]) -> None:
        """Call `freed` whenever some pod has less than before, until `stop_waiting` or `release`."""
        self._waiting[uid] = freed

    def stop_waiting(self, uid: str) -> None:
        self._waiting.pop(uid, None)

    def _resources(self, wanted: Amounts) -> list[str]:
        """Those that count: asked for, and known to the node (others are a matter of the whole cluster)."""
        others = sorted(set(wanted) - set(_IN_ORDER))
        return [r for r in (*_IN_ORDER, *others) if wanted.get(r) and r in self._capacity]

    def _tell(self) -> None:
        for freed in list(self._waiting.values()):
            freed()
