"""Follows nodes and pods in informers and keeps the columns and the queue as they are there.

Pods that were assumed to be on a node stay counted there until their binding shows or has failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubeactors.api.meta import Object, is_deleting, labels, name
from kubeactors.scheduler.columns import Columns
from kubeactors.scheduler.framework import Event
from kubeactors.scheduler.queue import SchedulingQueue
from kubeactors.scheduler.shape import shape_of

_FINISHED = ("Succeeded", "Failed")


class ClusterView:
    """The handlers. `scheduler_name` is whose pods are queued; pods of all schedulers count on their nodes.

    `annotations` are those that belong to a pod's shape.
    """

    def __init__(
        self,
        columns: Columns,
        queue: SchedulingQueue,
        scheduler_name: str,
        annotations: Sequence[str] = (),
    ) -> None:
        self.columns = columns
        self.queue = queue
        self.assumed: set[str] = set()
        self._scheduler_name = scheduler_name
        self._annotations = tuple(annotations)

    # Nodes

    def node_added(self, node: Object) -> None:
        self.columns.set_node(node)
        self.queue.happened(Event.NODE_ADDED)

    def node_updated(self, old: Object, node: Object) -> None:
        event = node_changes(old, node)
        if event:
            self.columns.set_node(node)
            self.queue.happened(event)

    def node_deleted(self, node: Object) -> None:
        self.columns.remove_node(name(node))

    # Pods

    def pod_added(self, pod: Object) -> None:
        self._pod(None, pod)

    def pod_updated(self, old: Object, pod: Object) -> None:
        self._pod(old, pod)

    def pod_deleted(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        self.queue.remove(uid)
        self.assumed.discard(uid)
        if self.columns.displace(uid):
            self.queue.happened(Event.POD_DELETED)

    def _pod(self, old: Object | None, pod: Object) -> None:
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        if (pod.get("status") or {}).get("phase") in _FINISHED:
            self.pod_deleted(pod)
            return
        node = spec.get("nodeName")
        if node:
            self.queue.remove(uid)
            self.assumed.discard(uid)
            counted = self.columns.placed(uid)
            if counted is None or counted.node != node or not _same_generation(old, pod):
                self.columns.place(uid, node, shape_of(pod, self._annotations))
            return
        if uid in self.assumed:
            return  # older than the binding that is on its way
        if is_deleting(pod) or (spec.get("schedulerName") or "default-scheduler") != self._scheduler_name:
            self.queue.remove(uid)
            return
        waiting = self.queue.get(uid)
        if waiting is not None and _same_generation(old, pod):
            waiting.pod = pod  # only its status changed
            return
        gated = bool(spec.get("schedulingGates"))
        self.queue.put(uid, pod, shape_of(pod, self._annotations), gated)


def node_changes(old: Object, new: Object) -> Event:
    """What of a node changed that matters for placing pods; heartbeats do not."""
    event = Event(0)
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if (old.get("status") or {}).get("allocatable") != (new.get("status") or {}).get("allocatable"):
        event |= Event.NODE_ALLOCATABLE
    if labels(old) != labels(new):
        event |= Event.NODE_LABELS
    cordoned = bool(before.get("unschedulable")) != bool(after.get("unschedulable"))
    if cordoned or (before.get("taints") or []) != (after.get("taints") or []):
        event |= Event.NODE_TAINTS
    return event


def _same_generation(old: Object | None, new: Object) -> bool:
    """Whether the spec is surely the same. Without generations there is no telling."""
    if old is None:
        return False
    before, after = old["metadata"].get("generation"), new["metadata"].get("generation")
    return (
        before is not None
        and before == after
        and bool(old["spec"].get("nodeName")) == bool(new["spec"].get("nodeName"))
    )
