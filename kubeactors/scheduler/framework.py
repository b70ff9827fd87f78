"""The interface of scheduler plugins.

A plugin looks at all nodes at once: it gets the pod's shape, the cluster's columns and the rows to judge, and
answers with arrays over these rows. It may filter, score, or both. Third parties offer theirs as entry points of the
group `kubeactors.scheduler.plugins`: a callable without arguments that returns a plugin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, auto
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from kubeactors.scheduler.columns import Columns, Mask, Rows, Scores
from kubeactors.scheduler.shape import Shape

ENTRY_POINT_GROUP = "kubeactors.scheduler.plugins"
MAX_SCORE = 100


class Event(Flag):
    """What happened in the cluster that may make room for a pod that found none."""

    NODE_ADDED = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()  # or its unschedulable mark
    POD_DELETED = auto()  # a pod that held a place
    POD_UPDATED = auto()  # the waiting pod itself
    ANY = NODE_ADDED | NODE_ALLOCATABLE | NODE_LABELS | NODE_TAINTS | POD_DELETED | POD_UPDATED


@dataclass(frozen=True)
class Rejection:
    """Nodes that a filter refuses for one reason.

    `mask` is over the rows that the filter was asked about. `resolvable` tells where the node would do if pods were
    taken away from it: a mask, or one answer for all. A node may be in several rejections of one filter.
    """

    mask: Mask
    reason: str
    resolvable: Mask | bool = False


class Plugin(Protocol):
    """What every plugin has. `name` is unique and as Kubernetes calls it where one exists there."""

    @property
    def name(self) -> str: ...

    @property
    def events(self) -> Event:
        """What may make a node that this plugin refused acceptable."""
        ...


@runtime_checkable
class RestrictPlugin(Protocol):
    """A plugin that knows from the pod alone which few nodes come into question."""

    @property
    def name(self) -> str: ...

    def restrict(self, shape: Shape, columns: Columns) -> Rows | None:
        """The rows in question; None for all."""
        ...


@runtime_checkable
class FilterPlugin(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def changes_with_pods(self) -> bool:
        """Whether the answer for a node changes when a pod is placed on it."""
        ...

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]: ...


@runtime_checkable
class ScorePlugin(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> int: ...

    @property
    def changes_with_pods(self) -> bool: ...

    def score(self, shape: Shape, columns: Columns, rows: Rows) -> Scores | None:
        """Raw scores of these rows, higher is better; None if the plugin has no opinion on this pod."""
        ...

    def normalize(self, scores: Scores) -> Scores | None:
        """Raw scores of all nodes that passed the filters, made 0 … 100; None if they are that as they are."""
        ...


@runtime_checkable
class AnnotationPlugin(Protocol):
    """A plugin that reads annotations of pods. They come to it in `Shape.extra`."""

    @property
    def annotations(self) -> Sequence[str]: ...


def annotations_read(plugins: Sequence[Plugin]) -> tuple[str, ...]:
    """All annotations that the plugins read."""
    return tuple(sorted({name for p in plugins if isinstance(p, AnnotationPlugin) for name in p.annotations}))


def default_normalize(scores: Scores, reverse: bool) -> Scores:
    """Stretch so that the highest becomes 100; with `reverse`, lower raw scores become better."""
    top = int(scores.max(initial=0))
    if top == 0:
        return scores * 0 + (MAX_SCORE if reverse else 0)
    stretched: Scores = scores * MAX_SCORE // top
    return MAX_SCORE - stretched if reverse else stretched


class UnknownPlugin(ValueError):
    """The configuration names a plugin that is not installed."""


def third_party_plugins() -> list[Plugin]:
    """The plugins that installed distributions offer. Raises what a broken one raises: place nothing wrongly."""
    return [entry.load()() for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name)]


def choose_plugins(available: Sequence[Plugin], names: Sequence[str]) -> list[Plugin]:
    """Those that a configuration asks for, in its order. Raises UnknownPlugin."""
    by_name = {plugin.name: plugin for plugin in available}
    left_out = {name[1:] for name in names if name.startswith("-")}
    chosen: list[Plugin] = []
    for name in names:
        if name == "*":
            chosen += [plugin for plugin in available if plugin not in chosen]
        elif name.startswith("-"):
            if name[1:] not in by_name:
                raise UnknownPlugin(f"no scheduler plugin {name[1:]!r}; there are {', '.join(sorted(by_name))}")
        elif name not in by_name:
            raise UnknownPlugin(f"no scheduler plugin {name!r}; there are {', '.join(sorted(by_name))}")
        elif by_name[name] not in chosen:
            chosen.append(by_name[name])
    return [plugin for plugin in chosen if plugin.name not in left_out]
