"""Taints keep pods away that do not tolerate them; PreferNoSchedule only makes a node less wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kubeactors.scheduler.columns import HARD_EFFECTS, Columns, Mask, Rows, Scores, Taint
from kubeactors.scheduler.framework import Event, Rejection, default_normalize
from kubeactors.scheduler.shape import Shape


class TaintToleration:
    name = "TaintToleration"
    events = Event.NODE_ADDED | Event.NODE_TAINTS | Event.POD_UPDATED
    changes_with_pods = False
    weight = 3

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        untolerated = _untolerated(shape, columns, lambda taint: taint.effect in HARD_EFFECTS)
        if not untolerated.any():
            return ()
        refused: Mask = np.any(columns.tainted[rows][:, untolerated], axis=1)
        return (Rejection(refused, "node(s) had untolerated taint(s)"),)

    def score(self, shape: Shape, columns: Columns, rows: Rows) -> Scores | None:
        untolerated = _untolerated(shape, columns, lambda taint: taint.effect == "PreferNoSchedule")
        if not untolerated.any():
            return None
        counts: Scores = columns.tainted[rows][:, untolerated].sum(axis=1, dtype=np.int64)
        return counts

    def normalize(self, scores: Scores) -> Scores:
        return default_normalize(scores, reverse=True)


def _untolerated(shape: Shape, columns: Columns, concerns: Callable[[Taint], bool]) -> Mask:
    """Of all kinds of taint, those that concern us and that the pod does not tolerate."""
    return np.fromiter(
        (
            concerns(taint) and not any(t.tolerates(taint.key, taint.value, taint.effect) for t in shape.tolerations)
            for taint in columns.taints
        ),
        np.bool_,
        len(columns.taints),
    )
