"""The pod garbage collector: pods of nodes that are gone, pods that were never placed, and too many finished ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, key, now_rfc3339
from kubeactors.controllers.controller import Controller, Surroundings, pod_informer, task_health
from kubeactors.controllers.pods import is_finished

logger = logging.getLogger(__name__)


def surplus_of_finished(pods: Iterable[Object], threshold: int) -> list[Object]:
    """The oldest finished pods beyond `threshold` (0: none is too many), evicted ones first. Pure."""
    finished = [pod for pod in pods if is_finished(pod) and not is_deleting(pod)]
    if threshold <= 0 or len(finished) <= threshold:
        return []

    def order(pod: Object) -> tuple[bool, str, str]:
        evicted = (pod.get("status") or {}).get("reason") == "Evicted"
        return not evicted, pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]

    return sorted(finished, key=order)[: len(finished) - threshold]


def never_placed(pods: Iterable[Object]) -> list[Object]:
    """Pods that were deleted before they had a node: no agent will confirm their end. Pure."""
    return [pod for pod in pods if is_deleting(pod) and not pod["spec"].get("nodeName")]


class PodGarbageCollector(Controller):
    """Looks every `pod_gc_period`; the queue holds nodes that are missing, each looked for after a quarantine."""

    name = "pod-garbage-collector"
    workers = 1

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._pods = pod_informer(around.informers)
        self._nodes = around.informers.informer("nodes")
        self._round: asyncio.Task[None] | None = None
        self._missing: dict[str, float] = {}

    async def start(self) -> None:
        await super().start()
        self._round = asyncio.create_task(self._go_round(), name=self.name)

    async def stop(self) -> None:
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
        await super().stop()

    async def health(self) -> dict[str, str]:
        return {self.name: task_health(self._round)}

    async def _go_round(self) -> None:
        while True:
            try:
                await self._look()
            except StatusError as error:
                logger.warning("cannot collect pods: %s", error)
            await asyncio.sleep(self.around.config.pod_gc_period)

    async def _look(self) -> None:
        pods = self._pods.lister.list()
        for pod in surplus_of_finished(pods, self.around.config.terminated_pod_gc_threshold):
            await self._delete(pod, None)
        for pod in never_placed(pods):
            await self._delete(pod, None)
        self._look_for_nodes()

    def _look_for_nodes(self) -> None:
        """Send nodes that pods name and that do not exist into quarantine: their Node may only be late."""
        named = set(self._pods.lister.index_values("node")) - {""}
        missing = {node for node in named if self._nodes.lister.get(None, node) is None}
        self._missing = {node: since for node, since in self._missing.items() if node in missing}
        for node in missing - self._missing.keys():
            self._missing[node] = self.around.clock()
            self.queue.add_after(node, self.around.config.pod_gc_quarantine)

    async def reconcile(self, key: str) -> float | None:
        if key not in self._missing or self._nodes.lister.get(None, key) is not None:
            return None
        left = self._missing[key] + self.around.config.pod_gc_quarantine - self.around.clock()
        if left > 0:
            return left
        try:
            await self.client.get("nodes", key)
            return None
        except StatusError as error:
            if error.code != 404:
                raise
        pods: Sequence[Object] = self._pods.lister.by_index("node", key)
        for pod in pods:
            await self._delete(pod, "PodGC: node no longer exists")
        del self._missing[key]
        return None

    async def _delete(self, pod: Object, disruption: str | None) -> None:
        """Delete without grace. A pod that had not finished is marked as failed first (KEP-3329)."""
        meta = pod["metadata"]
        logger.info("collecting the pod %s", key(pod))
        try:
            if not is_finished(pod):
                await self._mark_failed(pod, disruption)
            await self.client.delete(
                "pods", meta["name"], meta["namespace"], grace_period_seconds=0, preconditions={"uid": meta["uid"]}
            )
        except StatusError as error:
            if error.code != 404 and not error.is_of_another:
                raise

    async def _mark_failed(self, pod: Object, disruption: str | None) -> None:
        meta = pod["metadata"]
        status: Object = {"phase": "Failed"}
        if disruption is not None:
            status["conditions"] = [
                {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "DeletionByPodGC",
                    "message": disruption,
                    "lastTransitionTime": now_rfc3339(self.now()),
                }
            ]
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        await self.client.patch(
            "pods", meta["name"], patch, meta["namespace"], patch_type="strategic", subresource="status"
        )
