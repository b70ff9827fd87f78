"""The cluster as columns: one row a node, numpy arrays for what plugins compare.

Rows 0 … n-1 are nodes, densely; a removed node's row is taken by the last one. Labels and taints are codes, so that
a comparison over all nodes is one array operation. Pods are counted in as soon as they are assumed, before their
binding is written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kubeactors.api.meta import Object, labels, name
from kubeactors.api.resource_amounts import CPU, MEMORY, PODS, STORAGE, amounts
from kubeactors.scheduler.shape import HostPort, Shape

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Scores = NDArray[np.int64]

HARD_EFFECTS = ("NoSchedule", "NoExecute")
ABSENT = -1


@dataclass(frozen=True)
class Taint:
    key: str
    value: str
    effect: str


@dataclass(frozen=True)
class Placed:
    """A pod that is counted on a node: bound, or assumed to be."""

    node: str
    shape: Shape


class Columns:
    """The state of all nodes and what is placed on them. Not safe for threads; changes are cheap and incremental."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: dict[str, int] = {}
        self.resources: dict[str, int] = {CPU: 0, MEMORY: 1, STORAGE: 2, PODS: 3}
        self.taints: list[Taint] = []
        self._taint_codes: dict[Taint, int] = {}
        self._label_codes: dict[str, dict[str, int]] = {}
        self._label_values: dict[str, list[str]] = {}
        self._labels: dict[str, NDArray[np.int32]] = {}
        self._ports: dict[tuple[str, int], dict[str, Counter[str]]] = {}
        self._pods: dict[str, Placed] = {}
        self._by_node: dict[str, dict[str, Placed]] = {}
        self._allocatable = np.zeros((0, 4), np.int64)
        self._requested = np.zeros((0, 4), np.int64)
        self._nonzero = np.zeros((0, 2), np.int64)
        self._tainted = np.zeros((0, 0), np.bool_)
        self._unschedulable = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        return len(self.names)

    # What plugins read

    @property
    def allocatable(self) -> NDArray[np.int64]:
        """A row for each node, a column for each resource."""
        return self._allocatable[: len(self.names)]

    @property
    def requested(self) -> NDArray[np.int64]:
        return self._requested[: len(self.names)]

    @property
    def nonzero(self) -> NDArray[np.int64]:
        """CPU and memory for scoring: pods without requests count as small ones."""
        return self._nonzero[: len(self.names)]

    @property
    def tainted(self) -> Mask:
        """Which node has which of `taints`."""
        return self._tainted[: len(self.names), : len(self.taints)]

    @property
    def unschedulable(self) -> Mask:
        return self._unschedulable[: len(self.names)]

    def label(self, key: str) -> NDArray[np.int32]:
        """Each node's value of a label as a code, ABSENT where it has none."""
        column = self._labels.get(key)
        if column is None:
            return np.full(len(self.names), ABSENT, np.int32)
        return column[: len(self.names)]

    def label_code(self, key: str, value: str) -> int:
        """The code of a label's value; one that no node has matches no node."""
        return self._label_codes.get(key, {}).get(value, ABSENT - 1)

    def label_values(self, key: str) -> list[str]:
        """The values by their codes."""
        return self._label_values.get(key, [])

    def port_users(self, port: HostPort) -> list[int]:
        """The rows of nodes where this host port is taken for an address that clashes."""
        users = self._ports.get((port.protocol, port.port), {})
        return [
            self.rows[node]
            for node, ips in users.items()
            if node in self.rows and (port.ip == "0.0.0.0" or ips["0.0.0.0"] > 0 or ips[port.ip] > 0)
        ]

    def placed_on(self, node: str) -> dict[str, Placed]:
        """The pods counted on a node, by uid."""
        return self._by_node.get(node, {})

    def placed(self, uid: str) -> Placed | None:
        return self._pods.get(uid)

    # Nodes

    def set_node(self, node: Object) -> None:
        """Add a node or bring its row up to date."""
        node_name = name(node)
        row = self.rows.get(node_name)
        if row is None:
            row = len(self.names)
            self._reserve(row + 1)
            self.names.append(node_name)
            self.rows[node_name] = row
            self._requested[row] = 0
            self._nonzero[row] = 0
            for placed in self._by_node.get(node_name, {}).values():
                self._count(row, placed.shape, 1)
        spec, status = node.get("spec") or {}, node.get("status") or {}
        held = amounts(status.get("allocatable") or status.get("capacity"))
        columns = {self._resource(resource): value for resource, value in held.items()}
        self._allocatable[row] = 0
        for column, value in columns.items():
            self._allocatable[row, column] = value
        self._unschedulable[row] = bool(spec.get("unschedulable"))
        codes = [self._taint(Taint(t["key"], t.get("value") or "", t["effect"])) for t in spec.get("taints") or ()]
        self._tainted[row] = False
        for code in codes:
            self._tainted[row, code] = True
        self._set_labels(row, labels(node))

    def remove_node(self, node_name: str) -> None:
        row = self.rows.pop(node_name, None)
        if row is None:
            return
        last = len(self.names) - 1
        if row != last:
            for array in (self._allocatable, self._requested, self._nonzero, self._tainted, self._unschedulable):
                array[row] = array[last]
            for column in self._labels.values():
                column[row] = column[last]
            self.names[row] = self.names[last]
            self.rows[self.names[row]] = row
        self.names.pop()
        for column in self._labels.values():
            column[last] = ABSENT

    def _set_labels(self, row: int, held: dict[str, str]) -> None:
        for key, value in held.items():
            if key not in self._labels:
                self._labels[key] = np.full(len(self._unschedulable), ABSENT, np.int32)
                self._label_codes[key], self._label_values[key] = {}, []
            codes = self._label_codes[key]
            if value not in codes:
                codes[value] = len(codes)
                self._label_values[key].append(value)
        for key, column in self._labels.items():
            column[row] = self._label_codes[key][held[key]] if key in held else ABSENT

    def _resource(self, resource: str) -> int:
        """The column of a resource; a new one is made for one not seen before."""
        if resource not in self.resources:
            self.resources[resource] = len(self.resources)
            if len(self.resources) > self._allocatable.shape[1]:
                wider = ((0, 0), (0, 4))
                self._allocatable = np.pad(self._allocatable, wider)
                self._requested = np.pad(self._requested, wider)
        return self.resources[resource]

    def _taint(self, taint: Taint) -> int:
        if taint not in self._taint_codes:
            self._taint_codes[taint] = len(self.taints)
            self.taints.append(taint)
            if len(self.taints) > self._tainted.shape[1]:
                self._tainted = np.pad(self._tainted, ((0, 0), (0, 8)))
        return self._taint_codes[taint]

    def _reserve(self, count: int) -> None:
        have = len(self._unschedulable)
        if count <= have:
            return
        grow = ((0, max(16, have)),)
        self._allocatable = np.pad(self._allocatable, (*grow, (0, 0)))
        self._requested = np.pad(self._requested, (*grow, (0, 0)))
        self._nonzero = np.pad(self._nonzero, (*grow, (0, 0)))
        self._tainted = np.pad(self._tainted, (*grow, (0, 0)))
        self._unschedulable = np.pad(self._unschedulable, grow)
        for key, column in self._labels.items():
            self._labels[key] = np.pad(column, grow, constant_values=ABSENT)

    # Pods

    def place(self, uid: str, node: str, shape: Shape) -> None:
        """Count a pod on a node, moving it if it was counted elsewhere. The node need not be known yet."""
        before = self._pods.get(uid)
        if before is not None:
            if before == Placed(node, shape):
                return
            self.displace(uid)
        placed = Placed(node, shape)
        self._pods[uid] = placed
        self._by_node.setdefault(node, {})[uid] = placed
        for port in shape.host_ports:
            self._ports.setdefault((port.protocol, port.port), {}).setdefault(node, Counter())[port.ip] += 1
        row = self.rows.get(node)
        if row is not None:
            self._count(row, shape, 1)

    def displace(self, uid: str) -> bool:
        """Stop counting a pod; whether it was counted."""
        placed = self._pods.pop(uid, None)
        if placed is None:
            return False
        held = self._by_node[placed.node]
        del held[uid]
        if not held:
            del self._by_node[placed.node]
        for port in placed.shape.host_ports:
            users = self._ports[port.protocol, port.port]
            users[placed.node][port.ip] -= 1
            if not +users[placed.node]:
                del users[placed.node]
                if not users:
                    del self._ports[port.protocol, port.port]
        row = self.rows.get(placed.node)
        if row is not None:
            self._count(row, placed.shape, -1)
        return True

    def _count(self, row: int, shape: Shape, sign: int) -> None:
        # The columns first: a new one replaces the arrays.
        columns = [(self._resource(resource), value) for resource, value in shape.requests]
        for column, value in columns:
            self._requested[row, column] += sign * value
        self._nonzero[row, 0] += sign * shape.nonzero[0]
        self._nonzero[row, 1] += sign * shape.nonzero[1]

    def describe(self) -> dict[str, Any]:
        """Sizes, for logs and health pages."""
        return {"nodes": len(self.names), "pods": len(self._pods), "resources": len(self.resources)}
