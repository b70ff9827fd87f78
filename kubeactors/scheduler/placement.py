"""Filter, score, select: places pods of one shape in one pass over the columns. Pure but for the columns it counts on.

All nodes are judged once; after each pod only the node that took it is judged again, by the plugins whose answer
depends on the pods that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kubeactors.scheduler.columns import Columns, Mask, Rows, Scores
from kubeactors.scheduler.framework import (
    Event,
    FilterPlugin,
    Plugin,
    Rejection,
    RestrictPlugin,
    ScorePlugin,
)
from kubeactors.scheduler.shape import Shape

NOTHING = Event(0)


@dataclass
class Failure:
    """Why no node would do: how many nodes have each reason, and where fewer pods would help."""

    nodes: int
    reasons: dict[str, int] = field(default_factory=dict)
    resolvable: list[str] = field(default_factory=list)  # nodes
    events: Event = NOTHING  # what may change it
    plugins: list[str] = field(default_factory=list)


@dataclass
class Placement:
    """For each pod in turn its node, as far as there was one; then why there was none for the rest."""

    nodes: list[str]
    failure: Failure | None


class Placer:
    """`random` gives floats in [0, 1): among equally good nodes chance decides."""

    def __init__(self, plugins: Sequence[Plugin], random: np.random.Generator) -> None:
        self.plugins = list(plugins)
        self._random = random
        self._restricting = [p for p in plugins if isinstance(p, RestrictPlugin)]
        self._filters = [p for p in plugins if isinstance(p, FilterPlugin)]
        self._scorers = [p for p in plugins if isinstance(p, ScorePlugin)]
        self._events = {plugin.name: plugin.events for plugin in plugins}

    def place(self, shape: Shape, uids: Sequence[str], columns: Columns) -> Placement:
        """Choose a node for each pod and count it there at once; stops at the first that fits nowhere."""
        chosen: list[str] = []
        rows = self._rows(shape, columns)
        feasible = self._feasible(shape, columns, rows)
        rows = rows[feasible]
        if len(uids) == 1 and len(rows) == 1:  # nothing to weigh
            chosen.append(columns.names[rows[0]])
            columns.place(uids[0], chosen[0], shape)
            return Placement(chosen, None)
        ranking = _Ranking(self._scorers, shape, columns, rows, self._random)
        dynamic = [p for p in self._filters if p.changes_with_pods]
        for uid in uids:
            best = ranking.best()
            if best is None:
                # Once more from the start, for the reasons as they are now.
                return Placement(chosen, self.explain(shape, columns))
            row = ranking.rows[best]
            chosen.append(columns.names[row])
            columns.place(uid, columns.names[row], shape)
            if len(chosen) < len(uids):
                one = ranking.rows[best : best + 1]
                still = not any(r.mask.any() for p in dynamic for r in p.filter(shape, columns, one))
                ranking.update(best, still)
        return Placement(chosen, None)

    def explain(self, shape: Shape, columns: Columns) -> Failure:
        """Each node's first refusing plugin, with all of that plugin's reasons."""
        failure = Failure(len(columns))
        rows = np.arange(len(columns), dtype=np.intp)
        for plugin in self._restricting:
            allowed = plugin.restrict(shape, columns)
            if allowed is not None:
                refused = int(len(rows) - np.isin(rows, allowed).sum())
                if refused:
                    self._note(failure, plugin.name)
                    failure.reasons[f"node(s) didn't satisfy plugin(s) [{plugin.name}]"] = refused
                rows = rows[np.isin(rows, allowed)]
        for filtering in self._filters:
            if not len(rows):
                break
            rejections = [r for r in filtering.filter(shape, columns, rows) if r.mask.any()]
            if not rejections:
                continue
            self._note(failure, filtering.name)
            for rejection in rejections:
                count = int(rejection.mask.sum())
                failure.reasons[rejection.reason] = failure.reasons.get(rejection.reason, 0) + count
            refused_mask, resolvable = _combine(rejections, len(rows))
            failure.resolvable += [columns.names[row] for row in rows[refused_mask & resolvable]]
            rows = rows[~refused_mask]
        return failure

    def _note(self, failure: Failure, plugin: str) -> None:
        failure.plugins.append(plugin)
        failure.events |= self._events[plugin]

    def _rows(self, shape: Shape, columns: Columns) -> Rows:
        rows: Rows | None = None
        for plugin in self._restricting:
            allowed = plugin.restrict(shape, columns)
            if allowed is not None:
                rows = allowed if rows is None else np.intersect1d(rows, allowed)
        return np.arange(len(columns), dtype=np.intp) if rows is None else rows

    def _feasible(self, shape: Shape, columns: Columns, rows: Rows) -> Mask:
        feasible = np.ones(len(rows), np.bool_)
        for plugin in self._filters:
            for rejection in plugin.filter(shape, columns, rows):
                feasible &= ~rejection.mask
        return feasible


class _Ranking:
    """The feasible nodes with their weighted scores, kept up to date as pods are placed on them."""

    def __init__(
        self,
        scorers: Sequence[ScorePlugin],
        shape: Shape,
        columns: Columns,
        rows: Rows,
        random: np.random.Generator,
    ) -> None:
        self.rows = rows
        self._shape, self._columns = shape, columns
        self._live = np.ones(len(rows), np.bool_)
        # Less than one point: decides only between equals.
        self._chance: NDArray[np.float64] = random.random(len(rows)) * 0.5
        raw = [(plugin, plugin.score(shape, columns, rows)) for plugin in scorers]
        self._raw: list[tuple[ScorePlugin, Scores]] = [(p, s) for p, s in raw if s is not None]
        self._total: NDArray[np.float64] = np.zeros(len(rows))
        self._relative = False  # whether a pod's placing changes other nodes' scores
        self._sum()

    def _sum(self) -> None:
        live = self._live
        self._total = np.full(len(self.rows), -np.inf)
        total = self._chance[live]
        self._relative = False
        for plugin, scores in self._raw:
            final = plugin.normalize(scores[live])
            if final is None:
                final = scores[live]
            else:
                self._relative |= plugin.changes_with_pods
            total = total + plugin.weight * final
        self._total[live] = total

    def best(self) -> int | None:
        """The index in `rows` of the best node; None if none is left."""
        if not len(self.rows):
            return None
        best = int(self._total.argmax())
        return best if self._live[best] else None

    def update(self, index: int, live: bool) -> None:
        """A pod was placed on this node; `live` tells whether it would take another."""
        if not live:
            self._live[index] = False
            # Its going may change what the others' scores are measured against.
            self._sum()
            return
        one = self.rows[index : index + 1]
        for plugin, scores in self._raw:
            if plugin.changes_with_pods:
                fresh = plugin.score(self._shape, self._columns, one)
                if fresh is not None:
                    before, scores[index] = scores[index], fresh[0]
                    self._total[index] += plugin.weight * int(fresh[0] - before)
        if self._relative:
            self._sum()


def _combine(rejections: Sequence[Rejection], size: int) -> tuple[Mask, Mask]:
    """Which rows are refused at all, and for which every reason is resolvable."""
    refused = np.zeros(size, np.bool_)
    resolvable = np.ones(size, np.bool_)
    for rejection in rejections:
        refused |= rejection.mask
        resolvable &= ~rejection.mask | rejection.resolvable
    return refused, resolvable
