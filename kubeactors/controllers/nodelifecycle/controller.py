"""The node lifecycle controller: marks silent nodes, their pods not ready, and taints nodes by their conditions."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, labels, name, now_rfc3339, uid
from kubeactors.client.rate_limit import TokenBucket
from kubeactors.controllers.controller import Controller, Surroundings, pod_informer, task_health
from kubeactors.controllers.nodelifecycle import health
from kubeactors.controllers.nodelifecycle.taints import UNREACHABLE, no_execute_key, no_schedule_keys, with_taints
from kubeactors.controllers.nodelifecycle.tolerance import no_execute_taints
from kubeactors.controllers.pods import is_ready

logger = logging.getLogger(__name__)

LEASES = "kube-node-lease"


class NodeLifecycleController(Controller):
    """Keys are node names. Silence shows in a round every `node_monitor_period`, all else in events at once."""

    name = "node-lifecycle"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._nodes = around.informers.informer("nodes")
        self._pods = pod_informer(around.informers)
        self._leases = around.informers.informer("leases.coordination.k8s.io", namespace=LEASES)
        self._beats: dict[str, health.Heartbeat] = {}
        self._known: set[str] = set()
        self._was_ready: dict[str, bool] = {}
        self._limits: dict[str, TokenBucket] = {}
        self._monitor: asyncio.Task[None] | None = None
        self._nodes.add_handler(self.enqueue, self._node_updated, self._node_deleted)

    # Handlers

    def _node_updated(self, old: Object, new: Object) -> None:
        def facts(node: Object) -> tuple[object, ...]:
            conditions = (node.get("status") or {}).get("conditions") or ()
            spec = node.get("spec") or {}
            return [(c["type"], c["status"]) for c in conditions], spec.get("taints"), spec.get("unschedulable")

        if facts(old) != facts(new):
            self.enqueue(new)

    def _node_deleted(self, node: Object) -> None:
        found = name(node)
        self._beats.pop(found, None)
        self._was_ready.pop(found, None)
        if found in self._known:
            self._known.discard(found)
            self._node_event(node, "RemovingNode", f"Node {found} event: Removing Node {found} from Controller")

    # The round

    async def start(self) -> None:
        await super().start()
        self._monitor = asyncio.create_task(self._watch_over(), name="node monitor")

    async def stop(self) -> None:
        if self._monitor is not None:
            self._monitor.cancel()
            await asyncio.gather(self._monitor, return_exceptions=True)
        await super().stop()

    async def health(self) -> dict[str, str]:
        return {**await super().health(), f"{self.name} monitor": task_health(self._monitor)}

    async def _watch_over(self) -> None:
        config = self.around.config
        period = min(config.node_monitor_period, max(1.0, config.node_monitor_grace_period / 4))
        while True:
            if self._nodes.problem is not None or self._leases.problem is not None:
                self._were_blind()
            for node in self._nodes.lister.list():
                try:
                    await self._judge(node)
                except StatusError as error:
                    logger.warning("cannot note that node %s is silent: %s", name(node), error)
                    if error.code >= 500:
                        self._were_blind()
            await asyncio.sleep(period)

    def _were_blind(self) -> None:
        """While we cannot reach the API, nodes cannot either: their silence in that time says nothing."""
        now = self.around.clock()
        self._beats = {found: replace(beat, seen=now) for found, beat in self._beats.items()}

    async def _judge(self, node: Object) -> None:
        """Mark the node's conditions Unknown if it has been silent for too long."""
        found, config, clock = name(node), self.around.config, self.around.clock()
        lease = self._leases.lister.get(LEASES, found)
        self._beats[found] = beat = health.heartbeat(self._beats.get(found), node, lease, clock)
        grace, startup = config.node_monitor_grace_period, config.node_startup_grace_period
        if not health.is_silent(node, beat, clock, grace, startup):
            if no_execute_key(node) is not None and not no_execute_taints(node):
                self.queue.add(found)  # held back by the rate or by a full disruption: try again
            return
        changed = health.unknown_conditions(node, self.now())
        if changed:
            logger.warning("node %s has been silent for %.0f s", found, clock - beat.seen)
            patch = {"status": {"conditions": changed}}
            await self.client.patch("nodes", found, patch, patch_type="strategic", subresource="status")
        else:
            self.queue.add(found)

    # Reconciling

    async def reconcile(self, key: str) -> float | None:
        node = self._nodes.lister.get(None, key)
        if node is None:
            return None
        if key not in self._known:
            self._known.add(key)
            self._node_event(node, "RegisteredNode", f"Node {key} event: Registered Node {key} in Controller")
        ready = health.ready_status(node) == "True"
        was_ready = self._was_ready.get(key)
        if was_ready and not ready:
            self._node_event(node, "NodeNotReady", f"Node {key} status is now: NodeNotReady")
        # Of a silent node always, as often as needed. One that speaks for its pods is told once: it may disagree.
        if (was_ready and not ready) or no_execute_key(node) == UNREACHABLE:
            await self._mark_pods_not_ready(key)
        self._was_ready[key] = ready
        return await self._taint(node)

    async def _mark_pods_not_ready(self, node: str) -> None:
        """So that Services stop sending to them at once."""
        stamp = now_rfc3339(self.now())
        for pod in self._pods.lister.by_index("node", node):
            if not is_ready(pod):
                continue
            meta = pod["metadata"]
            condition = {"type": "Ready", "status": "False", "lastTransitionTime": stamp}
            patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}}
            try:
                await self.client.patch(
                    "pods", meta["name"], patch, meta["namespace"], patch_type="strategic", subresource="status"
                )
            except StatusError as error:
                if error.code != 404 and not error.is_of_another:
                    raise
                continue
            self.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _taint(self, node: Object) -> float | None:
        wanted, again = no_execute_key(node), None
        held = {taint["key"] for taint in no_execute_taints(node)}
        if wanted is not None and wanted not in held:
            if health.all_nodes_down(self._nodes.lister.list()):
                wanted = None
            elif not held and not self._zone_limit(node).try_take():
                wanted, again = None, self.around.config.node_monitor_period
        elif wanted is not None and health.all_nodes_down(self._nodes.lister.list()):
            wanted = None
        taints = with_taints(node, no_schedule_keys(node), wanted, self.now())
        if taints is not None:
            meta = node["metadata"]
            patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "spec": {"taints": taints}}
            try:
                await self.client.patch("nodes", meta["name"], patch)
            except StatusError as error:
                if error.code != 404:
                    raise
        return again

    def _zone_limit(self, node: Object) -> TokenBucket:
        """Nodes of a zone lose their pods one after the other: perhaps the trouble passes."""
        config = self.around.config
        zone = labels(node).get("topology.kubernetes.io/zone", "")
        peers = [n for n in self._nodes.lister.list() if labels(n).get("topology.kubernetes.io/zone", "") == zone]
        down = sum(health.ready_status(peer) != "True" for peer in peers)
        partial = down > 2 and down / len(peers) >= config.unhealthy_zone_threshold
        rate = config.node_eviction_rate
        if partial:
            rate = config.secondary_node_eviction_rate if len(peers) > config.large_cluster_size else 0.0
        bucket = self._limits.get(f"{zone}/{rate}")
        if bucket is None:
            burst = 1 if rate else 0
            bucket = self._limits[f"{zone}/{rate}"] = TokenBucket(rate, burst, self.around.clock)
        return bucket

    def _node_event(self, node: Object, reason: str, message: str) -> None:
        self.recorder.event(_reference(node), "Normal", reason, message)


def _reference(node: Object) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name(node), "uid": uid(node)}}
