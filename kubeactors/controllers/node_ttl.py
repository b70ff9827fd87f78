"""Tells each node how long it may keep a Secret or ConfigMap before it asks again: the longer the more nodes there are.

The annotation node.alpha.kubernetes.io/ttl holds the seconds, as Kubernetes' ttl-controller writes it.
"""

from typing import Final, NamedTuple

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, annotations, is_deleting
from kubeactors.controllers.controller import Controller, Surroundings

ANNOTATION: Final = "node.alpha.kubernetes.io/ttl"


class Step(NamedTuple):
    """For clusters of `least` to `most` nodes. Steps overlap, lest a cluster between two change for ever."""

    least: int
    most: float
    seconds: int


STEPS: Final = (
    Step(0, 100, 0),
    Step(90, 500, 15),
    Step(450, 1000, 30),
    Step(900, 2000, 60),
    Step(1800, float("inf"), 300),
)


def next_step(current: int, nodes: int) -> int:
    """The index of the step for so many nodes, coming from the step with index `current`."""
    while nodes > STEPS[current].most:
        current += 1
    while nodes < STEPS[current].least:
        current -= 1
    return current


class NodeTtlController(Controller):
    name = "node-ttl"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._step = 0
        self._nodes = around.informers.informer("nodes")
        self._nodes.add_handler(self._added, lambda _, new: self._check(new), lambda _: self._count())

    def _added(self, node: Object) -> None:
        self._count()
        self._check(node)

    def _count(self) -> None:
        nodes = self._nodes.lister.list()
        step = next_step(self._step, len(nodes))
        if step != self._step:
            self._step = step
            for node in nodes:
                self._check(node)

    def _check(self, node: Object) -> None:
        if annotations(node).get(ANNOTATION) != str(STEPS[self._step].seconds):
            self.enqueue(node)

    async def reconcile(self, key: str) -> float | None:
        node = self._nodes.lister.get(None, key)
        wanted = str(STEPS[self._step].seconds)
        if node is None or is_deleting(node) or annotations(node).get(ANNOTATION) == wanted:
            return None
        patch = {"metadata": {"uid": node["metadata"]["uid"], "annotations": {ANNOTATION: wanted}}}
        try:
            await self.client.patch("nodes", key, patch)
        except StatusError as error:
            if error.code not in (404, 409):  # gone, or another of that name, which is told by itself
                raise
        return None
