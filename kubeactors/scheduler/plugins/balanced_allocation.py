"""Prefer nodes whose CPU and memory would be used to a like degree, so that neither is left over alone."""

from __future__ import annotations

import numpy as np

from kubeactors.scheduler.columns import Columns, Rows, Scores
from kubeactors.scheduler.framework import MAX_SCORE, Event
from kubeactors.scheduler.shape import Shape


class BalancedAllocation:
    name = "NodeResourcesBalancedAllocation"
    events = Event(0)
    changes_with_pods = True
    weight = 1

    def score(self, shape: Shape, columns: Columns, rows: Rows) -> Scores | None:
        if shape.best_effort:
            return None
        wanted = dict(shape.requests)
        total = columns.allocatable[rows, :2].astype(np.float64)
        used = columns.requested[rows, :2] + np.array([wanted.get("cpu", 0), wanted.get("memory", 0)])
        known = total > 0
        share = np.minimum(np.divide(used, total, out=np.zeros_like(total), where=known), 1.0)
        # The standard deviation of two numbers is half their distance.
        spread = np.where(known.all(axis=1), np.abs(share[:, 0] - share[:, 1]) / 2, 0.0)
        scores: Scores = ((1.0 - spread) * MAX_SCORE).astype(np.int64)
        return scores

    def normalize(self, scores: Scores) -> Scores | None:
        return None
