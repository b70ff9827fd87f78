"""What differs between two objects, as sets of fields; and the set of fields that an object has.

Source: typed/compare.go and typed/tofieldset.go of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.atoms import Atom, ListAtom, MapAtom
from kubeactors.api.managedfields.fieldset import LEAF, SELF, Fields, Path
from kubeactors.api.meta import Object


@dataclass(slots=True)
class Comparison:
    """What the second object added, removed and changed. No field is in more than one of them."""

    added: Fields = field(default_factory=dict)
    removed: Fields = field(default_factory=dict)
    modified: Fields = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        return not (self.added or self.removed or self.modified)

    @property
    def written(self) -> Fields:
        return fieldset.union(self.modified, self.added)


def compare(atom: Atom, old: Object, new: Object) -> Comparison:
    """Both are objects of the type. Raises atoms.ElementError."""
    found = Comparison()
    kind = atom.map
    assert kind is not None, "objects are maps"
    for name, item in new.items():
        if name not in old:
            found.added["f:" + name] = present(kind.of(name), item)
        elif (before := old[name]) != item:
            _compare(kind.of(name), before, item, ("f:" + name,), found)
    for name, item in old.items():
        if name not in new:
            found.removed["f:" + name] = present(kind.of(name), item)
    return found


def present(atom: Atom, value: Any) -> Fields:
    """The node of a value that is there as a whole: it, and everything in it."""
    if value.__class__ is dict:
        kind = atom.map
        if not value or kind is None or kind.atomic:
            return LEAF
        return {SELF: LEAF, **_in_map(kind, value)}
    if value.__class__ is list:
        items = atom.list
        if not value or items is None or items.atomic:
            return LEAF
        return {SELF: LEAF, **_in_list(items, value)}
    return LEAF


def _in_map(kind: MapAtom, value: dict[str, Any]) -> Fields:
    made: Fields = {}
    for name, item in value.items():
        made["f:" + name] = present(kind.of(name), item) if item.__class__ in (dict, list) else LEAF
    return made


def _in_list(kind: ListAtom, value: list[Any]) -> Fields:
    made: Fields = {}
    for item in value:
        element = kind.element(item)
        # Items that cannot be told apart are owned together and whole.
        made[element] = LEAF if element in made else present(kind.item, item)
    return made


def _compare(atom: Atom, old: Any, new: Any, path: Path, found: Comparison) -> None:
    """Of two values that differ."""
    if isinstance(old, dict | None) and isinstance(new, dict | None) and (kind := atom.map) is not None:
        if kind.atomic or not (old or new):
            fieldset.insert(found.modified, path, LEAF)
        else:
            _compare_maps(kind, old or {}, new or {}, path, found)
    elif isinstance(old, list | None) and isinstance(new, list | None) and (items := atom.list) is not None:
        if items.atomic or not (old or new):
            fieldset.insert(found.modified, path, LEAF)
        else:
            _compare_lists(items, old or [], new or [], path, found)
    else:
        fieldset.insert(found.modified, path, LEAF)
        # One of another kind: what was in the old goes, what is in the new comes.
        for value, into in ((old, found.removed), (new, found.added)):
            for element, node in present(atom, value).items():
                if element != SELF:
                    fieldset.insert(into, (*path, element), node)


def _compare_maps(kind: MapAtom, old: dict[str, Any], new: dict[str, Any], path: Path, found: Comparison) -> None:
    for name, item in new.items():
        if name not in old:
            fieldset.insert(found.added, (*path, "f:" + name), present(kind.of(name), item))
        elif (before := old[name]) != item:
            _compare(kind.of(name), before, item, (*path, "f:" + name), found)
    for name, item in old.items():
        if name not in new:
            fieldset.insert(found.removed, (*path, "f:" + name), present(kind.of(name), item))


def _compare_lists(kind: ListAtom, old: list[Any], new: list[Any], path: Path, found: Comparison) -> None:
    before, after = _by_element(kind, old), _by_element(kind, new)
    for element in before | after:
        was, now = before.get(element, []), after.get(element, [])
        where = (*path, element)
        if len(was) <= 1 and len(now) <= 1:
            if not was:
                fieldset.insert(found.added, where, present(kind.item, now[0]))
            elif not now:
                fieldset.insert(found.removed, where, present(kind.item, was[0]))
            elif was[0] != now[0]:
                _compare(kind.item, was[0], now[0], where, found)
        elif len(was) > 1 and len(now) > 1:
            if was != now:
                fieldset.insert(found.modified, where, LEAF)
        elif len(was) > 1:
            if now:
                fieldset.insert(found.added, where, present(kind.item, now[0]))
            fieldset.insert(found.removed, where, LEAF)
        else:
            if was:
                fieldset.insert(found.removed, where, present(kind.item, was[0]))
            fieldset.insert(found.added, where, LEAF)


def _by_element(kind: ListAtom, items: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(kind.element(item), []).append(item)
    return found


def fields_of(atom: Atom, value: Object) -> Fields:
    """The set of the leaves and items that an object mentions: what an apply of it owns."""
    assert atom.map is not None, "objects are maps"
    return _mentioned_in_map(atom.map, value)


def _mentioned(atom: Atom, value: Any) -> Fields | None:
    """The node of a value; None when nothing in it is mentioned."""
    if value.__class__ is dict and atom.map is not None and not atom.map.atomic:
        return _mentioned_in_map(atom.map, value) or None
    if value.__class__ is list and atom.list is not None and not atom.list.atomic:
        return _mentioned_in_list(atom.list, value) or None
    return LEAF


def _mentioned_in_map(kind: MapAtom, value: dict[str, Any]) -> Fields:
    made: Fields = {}
    for name, item in value.items():
        node = _mentioned(kind.of(name), item)
        if item is None or item == {} or name not in kind.fields:
            node = fieldset.as_member(node)
        if node is not None:
            made["f:" + name] = node
    return made


def _mentioned_in_list(kind: ListAtom, value: list[Any]) -> Fields:
    made: Fields = {}
    for item in value:
        element = kind.element(item)
        made[element] = LEAF if element in made else fieldset.as_member(_mentioned(kind.item, item))
    return made
