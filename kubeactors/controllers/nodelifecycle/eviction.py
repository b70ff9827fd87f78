"""Taint eviction: deletes pods from nodes whose NoExecute taints they do not (or no longer) tolerate."""

from __future__ import annotations

import logging
from datetime import datetime

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, key, name, now_rfc3339
from kubeactors.controllers.controller import Controller, Surroundings, pod_informer
from kubeactors.controllers.nodelifecycle.tolerance import evict_at, no_execute_taints
from kubeactors.controllers.pods import is_finished

logger = logging.getLogger(__name__)


class TaintEviction(Controller):
    name = "taint-eviction"
    workers = 8

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._pods = pod_informer(around.informers)
        self._nodes = around.informers.informer("nodes")
        self._first_seen: dict[str, datetime] = {}
        self._pods.add_handler(self._pod_changed, self._pod_updated, self._forget)
        self._nodes.add_handler(self._node_changed, self._node_updated, None)

    def _pod_changed(self, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        if node and no_execute_taints(self._nodes.lister.get(None, node)):
            self.enqueue(pod)

    def _pod_updated(self, old: Object, new: Object) -> None:
        before, after = old["spec"], new["spec"]
        if before.get("nodeName") != after.get("nodeName") or before.get("tolerations") != after.get("tolerations"):
            self._pod_changed(new)

    def _node_changed(self, node: Object) -> None:
        if no_execute_taints(node):
            for pod in self._pods.lister.by_index("node", name(node)):
                self.enqueue(pod)

    def _node_updated(self, old: Object, new: Object) -> None:
        if no_execute_taints(old) != no_execute_taints(new):
            for pod in self._pods.lister.by_index("node", name(new)):
                self.enqueue(pod)

    def _forget(self, pod: Object) -> None:
        self._first_seen.pop(key(pod), None)

    async def reconcile(self, key: str) -> float | None:
        pod = self._pods.lister.get_by_key(key)
        if pod is None or is_deleting(pod) or is_finished(pod):
            self._first_seen.pop(key, None)
            return None
        node = self._nodes.lister.get(None, pod["spec"].get("nodeName") or "")
        taints = no_execute_taints(node)
        if not taints:
            if self._first_seen.pop(key, None) is not None:
                self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return None
        now = self.now()
        due = evict_at(pod, taints, self._first_seen.get(key, now))
        if due is None:
            self._first_seen.pop(key, None)
            return None
        self._first_seen.setdefault(key, now)
        left = (due - now).total_seconds()
        if left > 0:
            return left
        await self._evict(pod)
        return None

    async def _evict(self, pod: Object) -> None:
        meta = pod["metadata"]
        self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key(pod)}")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": now_rfc3339(self.now()),
        }
        patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}}
        try:
            await self.client.patch(
                "pods", meta["name"], patch, meta["namespace"], patch_type="strategic", subresource="status"
            )
            await self.client.delete("pods", meta["name"], meta["namespace"], preconditions={"uid": meta["uid"]})
        except StatusError as error:
            if error.code != 404:
                raise
