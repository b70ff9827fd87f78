"""The trackers of all kinds and their subresources, made when they are first needed."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from kubeactors.api import codec
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.managedfields import elements, fieldset
from kubeactors.api.managedfields.atoms import Atom, atom_of, build
from kubeactors.api.managedfields.fieldset import Fields
from kubeactors.api.managedfields.tracker import Tracker
from kubeactors.api.managedfields.updater import ResetFields, Updater
from kubeactors.api.meta import Object

# The kind of an apiVersion and a kind's name, None when it is not served.
Find = Callable[[str, str], Kind | None]


class Trackers:
    """Kinds may come and go (custom resources); what belongs to one that is gone goes with it.

    `find` gives the other versions in which a kind's managers may have written.
    """

    def __init__(self, find: Find = lambda api_version, kind: None) -> None:
        self._find = find
        self._made: WeakKeyDictionary[Kind, dict[str, Tracker]] = WeakKeyDictionary()
        self._atoms: WeakKeyDictionary[Kind, Atom] = WeakKeyDictionary()

    def of(self, kind: Kind, subresource: str, strategy: Strategy) -> Tracker:
        """The tracker of writes by a strategy; always the same strategy for a subresource."""
        of_kind = self._made.get(kind)
        if of_kind is None:
            of_kind = self._made[kind] = {}
        found = of_kind.get(subresource)
        if found is None:
            found = of_kind[subresource] = self._tracker(kind, subresource, strategy)
        return found

    def atom(self, kind: Kind) -> Atom:
        found = self._atoms.get(kind)
        if found is None:
            found = build(kind.object_type) if kind.custom else atom_of(kind.object_type)
            self._atoms[kind] = found
        return found

    def _tracker(self, kind: Kind, subresource: str, strategy: Strategy) -> Tracker:
        versions = _KindVersions(
            kind.api_version, kind.kind, kind.storage_prefix, self.atom(kind), self._find, self.atom
        )
        included = strategy.own_fields
        reset = ResetFields(_set_of(strategy.reset_fields), None if included is None else _set_of(included))
        updater = Updater(kind.api_version, versions, reset, reconciles=kind.custom)
        return Tracker(updater, kind.kind, empty_object(kind), subresource)


class _KindVersions:
    """A kind's own version and those that are stored in the same place, as they are served at the moment."""

    def __init__(
        self, api_version: str, kind: str, prefix: str, atom: Atom, find: Find, atom_of_kind: Callable[[Kind], Atom]
    ) -> None:
        # Not the kind itself: what its trackers hold of it must not keep it alive.
        self._api_version = api_version
        self._kind = kind
        self._prefix = prefix
        self._atom = atom
        self._find = find
        self._atom_of_kind = atom_of_kind

    def atom(self, api_version: str) -> Atom | None:
        if api_version == self._api_version:
            return self._atom
        other = self._served(api_version)
        return self._atom_of_kind(other) if other is not None else None

    def convert(self, obj: Object, api_version: str) -> Object:
        present, wanted = self._served(obj["apiVersion"]), self._served(api_version)
        made: Object = codec.copy(
            obj if present is None or present.conversion is None else present.conversion.to_stored(obj)
        )
        made["kind"], made["apiVersion"] = self._kind, api_version
        if wanted is not None and wanted.conversion is not None:
            wanted.conversion.from_stored(made)
        return made

    def _served(self, api_version: str) -> Kind | None:
        found = self._find(api_version, self._kind)
        return found if found is not None and found.storage_prefix == self._prefix else None


def _set_of(paths: tuple[tuple[str, ...], ...]) -> Fields:
    return fieldset.from_paths(tuple(name if name == "*" else elements.field(name) for name in path) for path in paths)


def empty_object(kind: Kind) -> Object:
    """A new object of a kind, as Kubernetes writes one into which nothing was put."""
    obj: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    kind.decoder(obj)
    obj.setdefault("metadata", {})
    return obj
