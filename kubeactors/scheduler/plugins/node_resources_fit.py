"""A node must have room for what the pod requests; emptier nodes are preferred (least allocated)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubeactors.api.resource_amounts import PODS
from kubeactors.scheduler.columns import Columns, Rows, Scores
from kubeactors.scheduler.framework import MAX_SCORE, Event, Rejection
from kubeactors.scheduler.shape import Shape


class NodeResourcesFit:
    name = "NodeResourcesFit"
    events = Event.NODE_ADDED | Event.NODE_ALLOCATABLE | Event.POD_DELETED | Event.POD_UPDATED
    changes_with_pods = True
    weight = 1

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        found: list[Rejection] = []
        for resource, wanted in shape.requests:
            if wanted <= 0:
                continue
            column = columns.resources.get(resource)
            if column is None:  # no node has ever had it
                everywhere = np.ones(len(rows), np.bool_)
                found.append(Rejection(everywhere, f"Insufficient {resource}", False))
                continue
            total = columns.allocatable[rows, column]
            short = columns.requested[rows, column] + wanted > total
            if short.any():
                reason = "Too many pods" if resource == PODS else f"Insufficient {resource}"
                # More than the node ever has: taking other pods away would not help.
                found.append(Rejection(short, reason, True if resource == PODS else wanted <= total))
        return found

    def score(self, shape: Shape, columns: Columns, rows: Rows) -> Scores | None:
        """The mean over CPU and memory of the share that is free once the pod is there."""
        total = columns.allocatable[rows, :2]
        used = columns.nonzero[rows] + np.array(shape.nonzero, np.int64)
        known = total > 0
        free = np.where(known & (used <= total), (total - used) * MAX_SCORE // np.maximum(total, 1), 0)
        scores: Scores = free.sum(axis=1) // np.maximum(known.sum(axis=1), 1)
        return scores

    def normalize(self, scores: Scores) -> Scores | None:
        return None
