"""What a pod asks of a node, and what a node has to give, as integers. Pure.

CPU is counted in thousandths, everything else in whole units (bytes, pods, devices), rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity

CPU, MEMORY, STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
# What a container without a request is taken for when nodes are scored, so that many such pods spread too.
DEFAULT_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024

LARGEST = 2**53  # so that sums stay within 64 bits, and scores within a double's precision

Amounts = dict[str, int]


@lru_cache(maxsize=4096)
def amount(resource: str, text: str) -> int:
    """A quantity in the resource's unit. Raises QuantityError."""
    value = Quantity.parse(text)
    return min(LARGEST, value.milli_value if resource == CPU else value.value)


def amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    return {name: amount(name, str(value)) for name, value in (quantities or {}).items()}


def _add(into: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        into[name] = into.get(name, 0) + value


def _raise_to(into: Amounts, least: Mapping[str, int]) -> None:
    for name, value in least.items():
        into[name] = max(into.get(name, 0), value)


def _requests(container: Object) -> Amounts:
    return amounts((container.get("resources") or {}).get("requests"))


def _nonzero(container: Object) -> Amounts:
    requested = _requests(container)
    return {CPU: requested.get(CPU, DEFAULT_CPU), MEMORY: requested.get(MEMORY, DEFAULT_MEMORY)}


def pod_requests(pod: Object, *, nonzero: bool = False) -> Amounts:
    """What the pod needs at its worst moment: all its containers, or an init container beside earlier sidecars.

    With `nonzero`, CPU and memory only, a container without a request counting as a small one. Requests of the pod
    as a whole (KEP-2837) replace the sum; its overhead comes on top.
    """
    of = _nonzero if nonzero else _requests
    spec = pod["spec"]
    running: Amounts = {}
    for container in spec.get("containers") or ():
        _add(running, of(container))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            _add(sidecars, of(container))
            _raise_to(starting, sidecars)
        else:
            together = dict(sidecars)
            _add(together, of(container))
            _raise_to(starting, together)
    _add(running, sidecars)
    _raise_to(running, starting)
    whole = amounts((spec.get("resources") or {}).get("requests"))
    running.update({name: value for name, value in whole.items() if not nonzero or name in (CPU, MEMORY)})
    overhead = amounts(spec.get("overhead"))
    _add(running, {name: value for name, value in overhead.items() if not nonzero or name in (CPU, MEMORY)})
    return running
