"""Update and Apply on typed objects: who owns what afterwards, and what an apply takes away.

Source: merge/update.go of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from kubeactors.api.managedfields import elements, fieldset
from kubeactors.api.managedfields.atoms import Atom
from kubeactors.api.managedfields.compare import Comparison, compare, fields_of
from kubeactors.api.managedfields.conflicts import Conflicts
from kubeactors.api.managedfields.fieldset import Fields
from kubeactors.api.managedfields.managers import Managed, Manager, VersionedSet
from kubeactors.api.managedfields.merge import ensure_named, merge, remove_items
from kubeactors.api.managedfields.reconcile import reconcile
from kubeactors.api.meta import Object

#: Metadata that nobody owns.
_UNOWNED_METADATA: Final = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)
_UNOWNED: Final = fieldset.from_paths(
    [
        elements.path("apiVersion"),
        elements.path("kind"),
        elements.path("metadata"),
        *(elements.path("metadata", name) for name in sorted(_UNOWNED_METADATA)),
    ]
)


class Versions(Protocol):
    """The versions of one kind."""

    def atom(self, api_version: str) -> Atom | None:
        """The type of objects in a version; None for one that is not served (any more)."""
        ...

    def convert(self, obj: Object, api_version: str) -> Object:
        """The object in a version that is served; it may share parts."""
        ...


@dataclass(frozen=True, slots=True)
class OneVersion:
    """A kind that is served in one version."""

    api_version: str
    type: Atom

    def atom(self, api_version: str) -> Atom | None:
        return self.type if api_version == self.api_version else None

    def convert(self, obj: Object, api_version: str) -> Object:
        return obj


@dataclass(frozen=True, slots=True)
class ResetFields:
    """What a write may not own, since the kind's strategy sets it back: all of `excluded`, and all but `included`.

    Both are sets of fields; in `included` `*` stands for any element, and None includes everything.
    """

    excluded: Fields = field(default_factory=dict)
    included: Fields | None = None

    @property
    def names(self) -> frozenset[str]:
        """The fields at the top that are excluded as a whole."""
        return frozenset(name[2:] for name, node in self.excluded.items() if fieldset.is_member(node))

    @property
    def are_names_only(self) -> bool:
        return self.included is None and len(self.names) == len(self.excluded)

    def left(self, fields: Fields) -> Fields:
        """Without what may not be owned."""
        if self.included is not None:
            fields = fieldset.included(fields, self.included)
        return fieldset.recursive_difference(fields, self.excluded)


@dataclass(frozen=True, slots=True)
class Updater:
    """Of one kind in one version and one subresource. `reconciles`: the schema may change while objects are stored."""

    api_version: str
    versions: Versions
    reset: ResetFields = field(default_factory=ResetFields)
    reconciles: bool = False
    _skipped: frozenset[str] = field(init=False, repr=False)
    _filters: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_skipped", self.reset.names | {"apiVersion", "kind"})
        object.__setattr__(self, "_filters", not self.reset.are_names_only)

    @property
    def atom(self) -> Atom:
        found = self.versions.atom(self.api_version)
        assert found is not None, "a kind is served in its own version"
        return found

    def update(self, live: Object, new: Object, managed: Managed, manager: Manager) -> Managed:
        """Managers after a create, update or patch made `new` of `live`. What it changed, its manager owns alone.

        `managed` itself when nothing changes.
        """
        reconciled = self._reconciled(managed)
        comparison = self._compare(live, new, self.api_version)
        if comparison.is_same and reconciled is managed and all(map(self._is_served, managed.sets.values())):
            return managed
        after = self._take_over(live, new, reconciled, manager, comparison, force=True)
        owned = after.sets.get(manager)
        fields = fieldset.difference(owned.fields, comparison.removed) if owned is not None else {}
        fields = fieldset.union(fields, comparison.written)
        if fields:
            after.sets[manager] = VersionedSet(fields, self.api_version, False, owned.time if owned else None)
        else:
            after.sets.pop(manager, None)
        return after

    def _is_served(self, owned: VersionedSet) -> bool:
        return owned.api_version == self.api_version or self.versions.atom(owned.api_version) is not None

    def apply(
        self, live: Object, applied: Object, managed: Managed, manager: Manager, *, force: bool
    ) -> tuple[Object | None, Managed]:
        """The object with what is applied, None when that changes nothing; and its managers.

        What the manager applied before and now does not, goes, unless another manager has it too. Raises Conflicts.
        """
        managed = self._reconciled(managed).copy()
        merged = merge(self.atom, live, applied)
        last = managed.sets.get(manager)
        fields = self.reset.left(fields_of(self.atom, applied))
        managed.sets[manager] = VersionedSet(fields, self.api_version, True, last.time if last else None)
        new = self._prune(merged, managed, last)
        comparison = self._compare(live, new, self.api_version)
        managed = self._take_over(live, new, managed, manager, comparison, force=force)
        fields = fieldset.difference(fields, _UNOWNED)
        if fields:
            managed.sets[manager] = managed.sets[manager].of(fields)
        else:
            del managed.sets[manager]
        return (None if new == live else new), managed

    # --- ownership

    def _compare(self, live: Object, new: Object, api_version: str) -> Comparison:
        atom = self.versions.atom(api_version)
        assert atom is not None
        found = compare(atom, self._view(live), self._view(new))
        if not self._filters:
            return found
        left = self.reset.left
        return Comparison(left(found.added), left(found.removed), left(found.modified))

    def _view(self, obj: Object) -> Object:
        """What can be owned of an object, to compare no more than that."""
        seen = {name: item for name, item in obj.items() if name not in self._skipped}
        metadata = obj.get("metadata") or {}
        seen["metadata"] = {name: item for name, item in metadata.items() if name not in _UNOWNED_METADATA}
        return seen

    def _take_over(
        self, live: Object, new: Object, managed: Managed, manager: Manager, own: Comparison, *, force: bool
    ) -> Managed:
        """Take from all other managers what the change wrote and what it removed."""
        comparisons = {self.api_version: own}
        written = {self.api_version: own.written}
        conflicts: dict[Manager, tuple[str, Fields]] = {}
        left: dict[Manager, VersionedSet] = {}
        for each, owned in managed.sets.items():
            if each == manager:
                left[each] = owned
                continue
            version = owned.api_version
            if version not in comparisons:
                if self.versions.atom(version) is None:
                    continue  # nobody can say any more what its fields are
                convert = self.versions.convert
                comparisons[version] = self._compare(convert(live, version), convert(new, version), version)
                written[version] = comparisons[version].written
            taken = fieldset.intersection(owned.fields, written[version])
            if taken:
                conflicts[each] = (version, taken)
            fields = fieldset.difference(fieldset.difference(owned.fields, taken), comparisons[version].removed)
            if fields:
                left[each] = owned.of(fields)
        if conflicts and not force:
            raise Conflicts(conflicts)
        return Managed(left)

    def _reconciled(self, managed: Managed) -> Managed:
        if not self.reconciles:
            return managed
        found: dict[Manager, VersionedSet] = {}
        changed = False
        for each, owned in managed.sets.items():
            atom = self.versions.atom(owned.api_version)
            if atom is not None:
                found[each] = owned.of(reconcile(atom, owned.fields))
            changed = changed or found.get(each) is not owned
        return Managed(found) if changed else managed

    # --- what an apply takes away

    def _prune(self, merged: Object, managed: Managed, last: VersionedSet | None) -> Object:
        """Remove what the manager applied last time, does not apply now, and no other manager has."""
        if last is None or not last.fields:
            return merged
        atom = self.versions.atom(last.api_version)
        if atom is None:
            return merged
        then = self._converted(merged, self.api_version, last.api_version)
        pruned = remove_items(atom, then, ensure_named(atom, last.fields)) or {}
        pruned = self._add_back_owned(then, pruned, last.api_version, managed)
        pruned = self._add_back_dangling(then, pruned, atom, last)
        return self._converted(pruned, last.api_version, self.api_version)

    def _add_back_owned(self, merged: Object, pruned: Object, version: str, managed: Managed) -> Object:
        """With what any manager has, the present one's new configuration included."""
        owned: dict[str, Fields] = {}
        for each in managed.sets.values():
            owned[each.api_version] = fieldset.union(owned.get(each.api_version, {}), each.fields)
        start = version
        # The version that was pruned first: what conversion needs may be what is added back.
        for other in sorted(owned, key=lambda name: name != start):
            atom = self.versions.atom(other)
            if atom is None:
                continue
            merged = self._converted(merged, version, other)
            pruned = self._converted(pruned, version, other)
            version = other
            named = ensure_named(atom, fieldset.union(_named(atom, pruned), ensure_named(atom, owned[other])))
            gone = fieldset.difference(_named(atom, merged), named)
            pruned = remove_items(atom, merged, gone) or {}
        return self._converted(pruned, version, start)

    def _add_back_dangling(self, merged: Object, pruned: Object, atom: Atom, last: VersionedSet) -> Object:
        """With what nobody owns: only what the manager itself had may go."""
        gone = fieldset.difference(_named(atom, merged), _named(atom, pruned))
        return remove_items(atom, merged, fieldset.intersection(gone, ensure_named(atom, last.fields))) or {}

    def _converted(self, obj: Object, present: str, wanted: str) -> Object:
        return obj if present == wanted else self.versions.convert(obj, wanted)


def _named(atom: Atom, obj: Object) -> Fields:
    return ensure_named(atom, fields_of(atom, obj))
