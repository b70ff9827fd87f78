"""A host port can be taken once on each address of a node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubeactors.scheduler.columns import Columns, Rows
from kubeactors.scheduler.framework import Event, Rejection
from kubeactors.scheduler.shape import Shape


class NodePorts:
    name = "NodePorts"
    events = Event.NODE_ADDED | Event.POD_DELETED | Event.POD_UPDATED
    changes_with_pods = True

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        if not shape.host_ports:
            return ()
        taken = [row for port in shape.host_ports for row in columns.port_users(port)]
        refused = np.isin(rows, taken)
        return (Rejection(refused, "node(s) didn't have free ports for the requested pod ports", True),)
