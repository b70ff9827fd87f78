"""Applying a configuration over an object, and taking items out of one.

Source: typed/merge.go and typed/remove.go of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.atoms import Atom, ListAtom, MapAtom
from kubeactors.api.managedfields.fieldset import Fields
from kubeactors.api.meta import Object


class _Absent:
    """No value, unlike None, which is a null."""


_ABSENT: Final = _Absent()


def merge(atom: Atom, live: Object, applied: Object) -> Object:
    """The object with all that is applied. Nothing goes; maps and lists with keys are merged, all else is replaced.

    Shares parts of both. Raises atoms.ElementError.
    """
    made = _merge(atom, live, applied)
    return {} if made is _ABSENT else made


def _merge(atom: Atom, live: Any, applied: Any) -> Any:
    if applied is _ABSENT:
        return live
    of_map, of_list = atom.map, atom.list
    if applied.__class__ is dict or (applied is None and isinstance(live, dict)):
        if of_map is not None and not of_map.atomic:
            return _merge_maps(of_map, live if isinstance(live, dict) else None, applied)
    elif (
        (applied.__class__ is list or (applied is None and isinstance(live, list)))
        and of_list is not None
        and not of_list.atomic
    ):
        return _merge_lists(of_list, live if isinstance(live, list) else None, applied)
    return applied


def _merge_maps(kind: MapAtom, live: dict[str, Any] | None, applied: dict[str, Any] | None) -> Any:
    if not live and not applied:
        return applied
    made: dict[str, Any] = {}
    given = applied or {}
    for name, item in (live or {}).items():
        if name not in given:
            made[name] = item
            continue
        merged = _merge(kind.of(name), item, given[name])
        if merged is not _ABSENT:
            made[name] = merged
    for name, item in given.items():
        if not live or name not in live:
            merged = _merge(kind.of(name), _ABSENT, item)
            if merged is not _ABSENT:
                made[name] = merged
    return made or _ABSENT


def _merge_lists(kind: ListAtom, live: list[Any] | None, applied: list[Any] | None) -> Any:
    if not live and not applied:
        return applied
    return _in_order(kind, live or [], applied or []) or _ABSENT


def _in_order(kind: ListAtom, live: list[Any], applied: list[Any]) -> list[Any]:
    """Items of both in one order: that of `applied` for what it has, with the others where they stand in `live`."""
    names, ours = _index(kind, applied, twice=False)
    standing, theirs = _index(kind, live, twice=True)
    shared = [name for name in names if name in theirs]
    following, made, merged = 0, [], set()
    left = right = 0

    def take(name: str) -> None:
        merged.add(name)
        item = _merge(kind.item, theirs.get(name, _ABSENT), ours[name])
        if item is not _ABSENT:
            made.append(item)

    while left < len(standing) or right < len(names):
        if left < len(standing) and right < len(names):
            name = standing[left]
            if name == names[right]:
                take(name)
                left, right, following = left + 1, right + 1, following + 1
                continue
            if name in ours and following < len(shared) and shared[following] != name:
                left += 1  # of both, but not its turn
                continue
        if left < len(standing):
            name = standing[left]
            if name not in ours:
                made.append(live[left])
                left += 1
                continue
            if name in merged:
                left += 1
        if right < len(names):
            name = names[right]
            take(name)
            right += 1
            if following < len(shared) and shared[following] == name:
                following += 1
    return made


def _index(kind: ListAtom, items: Sequence[Any], *, twice: bool) -> tuple[list[str], dict[str, Any]]:
    """The items' elements in order, and the item of each; what is there `twice` is not merged with anything."""
    names: list[str] = []
    found: dict[str, Any] = {}
    for item in items:
        name = kind.element(item)
        if name not in found:
            found[name] = item
        elif twice:
            found[name] = None
        else:
            continue
        names.append(name)
    return names, found


def remove_items(atom: Atom, value: Any, fields: Fields) -> Any:
    """The value without the items and fields of a set; None when nothing is left. Shares parts with the value."""
    if value.__class__ is dict and atom.map is not None:
        return _remove_from_map(atom.map, value, fields)
    if value.__class__ is list and atom.list is not None:
        return _remove_from_list(atom.list, value, fields)
    return None if value in ({}, []) else value


def _remove_from_map(kind: MapAtom, value: dict[str, Any], fields: Fields) -> Any:
    if not value or kind.atomic:
        return None
    made: dict[str, Any] = {}
    for name, item in value.items():
        node = fields.get("f:" + name)
        if node is None:
            made[name] = item
        elif not fieldset.is_member(node):
            made[name] = remove_items(kind.of(name), item, node)
    return made or None


def _remove_from_list(kind: ListAtom, value: list[Any], fields: Fields) -> Any:
    if not value or kind.atomic:
        return None
    made: list[Any] = []
    for item in value:
        node = fields.get(kind.element(item))
        if node is None:
            made.append(item)
        elif not fieldset.is_member(node):
            made.append(remove_items(kind.item, item, node))
    return made or None


def extract_items(atom: Atom, value: Any, fields: Fields) -> Any:
    """Of the value only what is in a set, with the keys of the items on the way; None when nothing is."""
    if value.__class__ is dict and atom.map is not None:
        if not value or atom.map.atomic:
            return value or None
        made: dict[str, Any] = {}
        for name, item in value.items():
            node = fields.get("f:" + name)
            if node is not None:
                of = atom.map.of(name)
                made[name] = extract_items(of, item, node) if fieldset.has_children(node) else _bare(of, item)
        return made or None
    if value.__class__ is list and atom.list is not None:
        if not value or atom.list.atomic:
            return value or None
        return _extract_from_list(atom.list, value, fields) or None
    return value


def _extract_from_list(kind: ListAtom, value: list[Any], fields: Fields) -> list[Any]:
    made: list[Any] = []
    for item in value:
        node = fields.get(kind.element(item))
        if node is None:
            continue
        if not isinstance(item, dict):
            made.append(item)
            continue
        keys = {name: item[name] for name in kind.keys if name in item}
        below = extract_items(kind.item, item, node) if fieldset.has_children(node) else _bare(kind.item, item)
        made.append({**keys, **below} if isinstance(below, dict) else keys)
    return made


def _bare(of: Atom, item: Any) -> Any:
    """What a member without anything below stands for: a scalar, or something that is owned whole."""
    if item.__class__ is dict and of.map is not None and not of.map.atomic:
        return {}
    if item.__class__ is list and of.list is not None and not of.list.atomic:
        return []
    return item


def ensure_named(atom: Atom, fields: Fields) -> Fields:
    """The set with every declared field that leads to members a member too (a key of a free map does not become one).

    Ownership of a struct's field goes without saying; where items are removed by set it has to be said.
    """
    of_map, of_list = atom.map, atom.list
    made: Fields = {}
    for element, node in fields.items():
        if element == fieldset.SELF or not fieldset.has_children(node):
            made[element] = node
            continue
        below = _NOTHING
        named = False
        if element.startswith("f:") and of_map is not None:
            name = element[2:]
            named = name in of_map.fields
            below = of_map.of(name)
        elif element.startswith("k:") and of_list is not None:
            below = of_list.item
        inner = ensure_named(below, node)
        made[element] = fieldset.as_member(inner) if named else inner
    return made


_NOTHING: Final = Atom()
