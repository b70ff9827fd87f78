"""What differs between two objects, as sets of fields; and the set of fields that an object has.

Source: typed/compare.go and typed/tofieldset.go of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.atoms import DEDUCED, Atom, ListAtom, MapAtom
from kubeactors.api.managedfields.fieldset import LEAF, SELF, Fields
from kubeactors.api.meta import Object

_ABSENT: Final = object()


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


_FEW: Final = 8


def compare(atom: Atom, old: Object, new: Object) -> Comparison:
    """Both are objects of the type. Raises atoms.ElementError."""
    assert atom.map is not None, "objects are maps"
    added, removed, modified = _compare_maps(atom.map, old, new)
    return Comparison(added or {}, removed or {}, modified or {})


def present(atom: Atom, value: Any) -> Fields:
    """The node of a value that is there as a whole: it, and everything in it."""
    if value.__class__ is dict:
        kind = atom.map
        return LEAF if not value or kind is None or kind.atomic else _present_map(kind, value)
    if value.__class__ is list:
        items = atom.list
        return LEAF if not value or items is None or items.atomic else _present_list(items, value)
    return LEAF


def _present_map(kind: MapAtom, value: dict[str, Any]) -> Fields:
    if len(value) <= _FEW:
        for item in value.values():
            of = item.__class__
            if of is dict or of is list:
                break
        else:
            return _leaves(tuple(value))
    made: Fields = {SELF: LEAF}
    steps = kind.steps
    for name, item in value.items():
        step = steps.get(name)
        element, atom = step if step is not None else ("f:" + name, kind.element or DEDUCED)
        of = item.__class__
        made[element] = present(atom, item) if of is dict or of is list else LEAF
    return made


@lru_cache(maxsize=4096)
def _leaves(names: tuple[str, ...]) -> Fields:
    """The node of a map of scalars. The items of lists have the same fields again and again."""
    return {SELF: LEAF, **{"f:" + name: LEAF for name in names}}


def _present_list(kind: ListAtom, value: list[Any]) -> Fields:
    made: Fields = {SELF: LEAF}
    for item in value:
        element = kind.element(item)
        # Items that cannot be told apart are owned together and whole.
        made[element] = LEAF if element in made else present(kind.item, item)
    return made


# What was added, removed and modified at and below a value, as nodes; None where nothing was.
_Found = tuple[Fields | None, Fields | None, Fields | None]
_MODIFIED: Final[_Found] = (None, None, LEAF)


def _compare(atom: Atom, old: Any, new: Any) -> _Found:
    """Of two values that differ."""
    if isinstance(old, dict | None) and isinstance(new, dict | None) and (kind := atom.map) is not None:
        if kind.atomic or not (old or new):
            return _MODIFIED
        return _compare_maps(kind, old or {}, new or {})
    if isinstance(old, list | None) and isinstance(new, list | None) and (items := atom.list) is not None:
        if items.atomic or not (old or new):
            return _MODIFIED
        return _compare_lists(items, old or [], new or [])
    # One of another kind: what was in the old goes, what is in the new comes.
    return _inside(atom, new), _inside(atom, old), LEAF


def _inside(atom: Atom, value: Any) -> Fields | None:
    return {element: node for element, node in present(atom, value).items() if element != SELF} or None


def _compare_maps(kind: MapAtom, old: dict[str, Any], new: dict[str, Any]) -> _Found:
    added: Fields = {}
    removed: Fields = {}
    modified: Fields = {}
    steps = kind.steps
    for name, item in new.items():
        before = old.get(name, _ABSENT)
        if before is _ABSENT or before != item:
            step = steps.get(name)
            element, atom = step if step is not None else ("f:" + name, kind.element or DEDUCED)
            if before is _ABSENT:
                added[element] = present(atom, item)
            else:
                _note(element, _compare(atom, before, item), added, removed, modified)
    for name, item in old.items():
        if name not in new:
            removed["f:" + name] = present(kind.of(name), item)
    return added or None, removed or None, modified or None


def _note(element: str, found: _Found, added: Fields, removed: Fields, modified: Fields) -> None:
    for node, into in zip(found, (added, removed, modified), strict=True):
        if node is not None:
            into[element] = node


def _compare_lists(kind: ListAtom, old: list[Any], new: list[Any]) -> _Found:
    added: Fields = {}
    removed: Fields = {}
    modified: Fields = {}
    before, after = _by_element(kind, old), _by_element(kind, new)
    for element in before | after:
        was, now = before.get(element, []), after.get(element, [])
        if len(was) <= 1 and len(now) <= 1:
            if not was:
                added[element] = present(kind.item, now[0])
            elif not now:
                removed[element] = present(kind.item, was[0])
            elif was[0] != now[0]:
                _note(element, _compare(kind.item, was[0], now[0]), added, removed, modified)
        elif len(was) > 1 and len(now) > 1:
            if was != now:
                modified[element] = LEAF
        elif len(was) > 1:
            if now:
                added[element] = present(kind.item, now[0])
            removed[element] = LEAF
        else:
            if was:
                removed[element] = present(kind.item, was[0])
            added[element] = LEAF
    return added or None, removed or None, modified or None


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
