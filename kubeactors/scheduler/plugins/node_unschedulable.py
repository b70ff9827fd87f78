"""Nodes that are cordoned (spec.unschedulable) take no pods but those that tolerate it."""

from __future__ import annotations

from collections.abc import Sequence

from kubeactors.scheduler.columns import Columns, Rows
from kubeactors.scheduler.framework import Event, Rejection
from kubeactors.scheduler.shape import Shape


class NodeUnschedulable:
    name = "NodeUnschedulable"
    events = Event.NODE_ADDED | Event.NODE_TAINTS | Event.POD_UPDATED
    changes_with_pods = False

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        cordoned = columns.unschedulable[rows]
        if not cordoned.any():
            return ()
        if any(t.tolerates("node.kubernetes.io/unschedulable", "", "NoSchedule") for t in shape.tolerations):
            return ()
        return (Rejection(cordoned, "node(s) were unschedulable"),)
