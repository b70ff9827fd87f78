"""Node selectors, and required and preferred node affinity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubeactors.scheduler.columns import ABSENT, Columns, Mask, Rows, Scores
from kubeactors.scheduler.framework import Event, Rejection, default_normalize
from kubeactors.scheduler.shape import Requirement, Shape, Term


class NodeAffinity:
    name = "NodeAffinity"
    events = Event.NODE_ADDED | Event.NODE_LABELS | Event.POD_UPDATED
    changes_with_pods = False
    weight = 2

    def restrict(self, shape: Shape, columns: Columns) -> Rows | None:
        """The named nodes, where every required term names some (as daemons' pods do)."""
        if not shape.required:
            return None
        named: set[str] = set()
        for term in shape.required:
            names: set[str] | None = None
            for key, operator, values in term.fields:
                if key == "metadata.name" and operator == "In":
                    names = set(values) if names is None else names & set(values)
            if names is None:
                return None
            named |= names
        return np.array(sorted(columns.rows[name] for name in named if name in columns.rows), np.intp)

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        if not shape.node_selector and shape.required is None:
            return ()
        fits = np.ones(len(rows), np.bool_)
        for key, value in shape.node_selector:
            fits &= columns.label(key)[rows] == columns.label_code(key, value)
        if shape.required is not None:
            any_term = np.zeros(len(rows), np.bool_)
            for term in shape.required:
                any_term |= _matches(term, columns, rows)
            fits &= any_term
        return (Rejection(~fits, "node(s) didn't match Pod's node affinity/selector"),)

    def score(self, shape: Shape, columns: Columns, rows: Rows) -> Scores | None:
        if not shape.preferred:
            return None
        total = np.zeros(len(rows), np.int64)
        for weight, term in shape.preferred:
            total[_matches(term, columns, rows)] += weight
        return total

    def normalize(self, scores: Scores) -> Scores:
        return default_normalize(scores, reverse=False)


def _matches(term: Term, columns: Columns, rows: Rows) -> Mask:
    """An empty term matches nothing."""
    if not term.expressions and not term.fields:
        return np.zeros(len(rows), np.bool_)
    fits = np.ones(len(rows), np.bool_)
    for requirement in term.expressions:
        fits &= _label_matches(requirement, columns, rows)
    for key, operator, values in term.fields:
        if key != "metadata.name":
            return np.zeros(len(rows), np.bool_)
        named = np.isin(rows, [columns.rows[value] for value in values if value in columns.rows])
        fits &= named if operator == "In" else ~named
    return fits


def _label_matches(requirement: Requirement, columns: Columns, rows: Rows) -> Mask:
    key, operator, values = requirement
    codes = columns.label(key)[rows]
    if operator in ("In", "NotIn"):
        within: Mask = np.isin(codes, [columns.label_code(key, value) for value in values])
        return within if operator == "In" else ~within
    if operator in ("Exists", "DoesNotExist"):
        present: Mask = codes != ABSENT
        return present if operator == "Exists" else ~present
    if operator in ("Gt", "Lt"):
        return _compare(columns.label_values(key), codes, operator, values)
    return np.zeros(len(rows), np.bool_)


def _compare(values: list[str], codes: np.ndarray[tuple[int], np.dtype[np.int32]], operator: str,
             bounds: tuple[str, ...]) -> Mask:  # fmt: skip
    """Gt and Lt compare integers; a value that is none does not match."""
    try:
        bound = int(bounds[0])
    except (ValueError, IndexError):
        return np.zeros(len(codes), np.bool_)

    def holds(value: str) -> bool:
        try:
            number = int(value)
        except ValueError:
            return False
        return number > bound if operator == "Gt" else number < bound

    matching = [code for code, value in enumerate(values) if holds(value)]
    return np.isin(codes, matching)
