"""The three-way strategic merge patch of `kubectl apply`: apimachinery's CreateThreeWayMergePatch, as one walk.

`original` is what was applied last, `modified` what is wanted, `current` what is there. The patch sets what differs
between `current` and `modified` and removes what `original` had and `modified` has not; all else in `current` stays.
"""

from __future__ import annotations

from typing import Any

from kubeactors.api.schema.types import ListType, MapType, SchemaType, Struct

Map = dict[str, Any]
_NO_STRATEGY: frozenset[str] = frozenset()


def three_way_strategic_patch(original: Map, modified: Map, current: Map, schema: Struct | None) -> Map:
    """The patch; empty when there is nothing to do. Shares values with `modified`."""
    return _map(original, modified, current, schema)


def _map(original: Map, modified: Map, current: Map, schema: SchemaType | None) -> Map:
    patch: Map = {}
    for field, wanted in modified.items():
        strategies, kind = _field(schema, field)
        have, before = current.get(field), original.get(field)
        if wanted is None:
            if have is not None:
                patch[field] = None
        elif isinstance(wanted, dict) and isinstance(have, dict):
            inner = _struct(_as_map(before), wanted, have, kind, strategies)
            if inner:
                patch[field] = inner
        elif isinstance(wanted, list) and isinstance(have, list) and "merge" in strategies:
            _list(patch, field, before if isinstance(before, list) else [], wanted, have, kind, strategies)
        elif field not in current or wanted != have:
            patch[field] = wanted
    for field in original:
        if field not in modified and field in current:
            patch[field] = None
    return patch


def _struct(original: Map, modified: Map, current: Map, kind: SchemaType | None, strategies: frozenset[str]) -> Map:
    """The patch of a map by its field's strategies."""
    if "replace" in strategies:
        return {} if modified == current else {**modified, "$patch": "replace"}
    patch = _map(original, modified, current, kind)
    if patch and "retainKeys" in strategies:
        patch["$retainKeys"] = sorted(modified)
    return patch


def _list(
    patch: Map,
    field: str,
    original: list[Any],
    modified: list[Any],
    current: list[Any],
    kind: SchemaType | None,
    strategies: frozenset[str],
) -> None:
    """Adds what a list that is merged by its elements needs: elements, deletions, order."""
    key = kind.merge_key if isinstance(kind, ListType) else ""
    if not key:
        _primitives(patch, field, original, modified, current)
        return
    item = kind.item if isinstance(kind, ListType) else None
    have, before = _by_key(current, key), _by_key(original, key)
    elements: list[Map] = []
    for wanted in modified:
        name = wanted[key]
        if name not in have:
            elements.append(wanted)
            continue
        inner = _struct(before.get(name, {}), wanted, have[name], item, strategies & {"retainKeys"})
        if inner:
            elements.append({**inner, key: name})
    names = [wanted[key] for wanted in modified]
    elements += [{"$patch": "delete", key: name} for name in before if name not in names and name in have]
    if elements or not _same_order(names, [*have]):
        patch[f"$setElementOrder/{field}"] = [{key: name} for name in names]
    if elements:
        patch[field] = elements


def _primitives(patch: Map, field: str, original: list[Any], modified: list[Any], current: list[Any]) -> None:
    added = [value for value in modified if value not in current]
    removed = [value for value in original if value not in modified and value in current]
    if added or removed or not _same_order(modified, current):
        patch[f"$setElementOrder/{field}"] = modified
    if added:
        patch[field] = added
    if removed:
        patch[f"$deleteFromPrimitiveList/{field}"] = removed


def _same_order(wanted: list[Any], have: list[Any]) -> bool:
    """Whether what both lists hold comes in one order."""
    return [value for value in wanted if value in have] == [value for value in have if value in wanted]


def _by_key(elements: list[Any], key: str) -> dict[Any, Map]:
    """Elements by their merge key; of several with one key (ports of two protocols) the first."""
    found: dict[Any, Map] = {}
    for element in elements:
        found.setdefault(element[key], element)
    return found


def _as_map(value: Any) -> Map:
    return value if isinstance(value, dict) else {}


def _field(schema: SchemaType | None, name: str) -> tuple[frozenset[str], SchemaType | None]:
    if isinstance(schema, Struct):
        found = schema.fields.get(name)
        return (found.strategies, found.type) if found else (_NO_STRATEGY, None)
    if isinstance(schema, MapType):
        return _NO_STRATEGY, schema.value
    return _NO_STRATEGY, None
