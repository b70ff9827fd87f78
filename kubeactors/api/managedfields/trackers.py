"""The trackers of all kinds and their subresources, made when they are first needed."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.managedfields import elements, fieldset
from kubeactors.api.managedfields.atoms import atom_of, build
from kubeactors.api.managedfields.fieldset import Fields
from kubeactors.api.managedfields.tracker import Tracker
from kubeactors.api.managedfields.updater import OneVersion, ResetFields, Updater
from kubeactors.api.meta import Object


class Trackers:
    """Kinds may come and go (custom resources); what belongs to one that is gone goes with it."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[Kind, dict[str, Tracker]] = WeakKeyDictionary()

    def of(self, kind: Kind, subresource: str, strategy: Strategy) -> Tracker:
        """The tracker of writes by a strategy; always the same strategy for a subresource."""
        of_kind = self._made.get(kind)
        if of_kind is None:
            of_kind = self._made[kind] = {}
        found = of_kind.get(subresource)
        if found is None:
            found = of_kind[subresource] = _tracker(kind, subresource, strategy)
        return found


def _tracker(kind: Kind, subresource: str, strategy: Strategy) -> Tracker:
    atom = build(kind.object_type) if kind.custom else atom_of(kind.object_type)
    versions = OneVersion(kind.api_version, atom)
    included = strategy.own_fields
    reset = ResetFields(_set_of(strategy.reset_fields), None if included is None else _set_of(included))
    return Tracker(Updater(kind.api_version, versions, reset), kind.kind, empty_object(kind), subresource)


def _set_of(paths: tuple[tuple[str, ...], ...]) -> Fields:
    return fieldset.from_paths(tuple(name if name == "*" else elements.field(name) for name in path) for path in paths)


def empty_object(kind: Kind) -> Object:
    """A new object of a kind, as Kubernetes writes one into which nothing was put."""
    obj: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    kind.decoder(obj)
    obj.setdefault("metadata", {})
    return obj
