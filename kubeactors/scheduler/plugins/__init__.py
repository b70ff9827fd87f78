"""The scheduler's own plugins, one a file, in the order in which they filter."""

from __future__ import annotations

from kubeactors.scheduler.framework import Plugin
from kubeactors.scheduler.plugins.balanced_allocation import BalancedAllocation
from kubeactors.scheduler.plugins.node_affinity import NodeAffinity
from kubeactors.scheduler.plugins.node_ports import NodePorts
from kubeactors.scheduler.plugins.node_resources_fit import NodeResourcesFit
from kubeactors.scheduler.plugins.node_unschedulable import NodeUnschedulable
from kubeactors.scheduler.plugins.taint_toleration import TaintToleration
from kubeactors.scheduler.plugins.unsupported import Unsupported


def default_plugins() -> list[Plugin]:
    return [
        Unsupported(),
        NodeUnschedulable(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),
        BalancedAllocation(),
    ]
