"""Refuses pods that demand what no plugin here can decide yet: an honest wait instead of a wrong place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubeactors.scheduler.columns import Columns, Rows
from kubeactors.scheduler.framework import Event, Rejection
from kubeactors.scheduler.shape import Shape


class Unsupported:
    name = "Unsupported"
    events = Event.POD_UPDATED
    changes_with_pods = False

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        if not shape.unsupported:
            return ()
        what = ", ".join(shape.unsupported)
        return (Rejection(np.ones(len(rows), np.bool_), f"this scheduler does not support {what} yet"),)
