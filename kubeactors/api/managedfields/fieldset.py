"""Sets of fields, as tries in the JSON form of FieldsV1, and their algebra.

A set is a dictionary from path elements (`f:name`, `k:{"name":"c"}`, `v:"x"`, `i:0`) to nodes. A node is the set of
what lies below; an empty node, and one with the key `.`, say that the element itself is a member. So stored
managedFields are sets without any decoding. Sets are never changed once made: results share parts of what they were
made of.

Source: fieldpath.Set of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

Fields = dict[str, Any]
Path = tuple[str, ...]

SELF: Final = "."
LEAF: Final[Fields] = {}  # the node of a member with nothing below; shared, so never changed
_RANKS: Final = {"f": 0, "k": 1, "v": 2, "i": 3}


def is_member(node: Fields) -> bool:
    """Whether the element that has this node is a member itself."""
    return not node or SELF in node


def has_children(node: Fields) -> bool:
    """Whether there are members below the element that has this node."""
    return len(node) > (SELF in node)


def as_member(node: Fields | None) -> Fields:
    """The node with its element a member."""
    if not node or SELF in node:
        return node or LEAF
    return {SELF: LEAF, **node}


def from_paths(paths: Iterable[Path]) -> Fields:
    """The set that has these members."""
    made: Fields = {}
    for path in paths:
        insert(made, path, LEAF)
    return made


def insert(into: Fields, path: Path, node: Fields) -> None:
    """Put a node into a set that is being built, in place; what the path leads through must be of its own."""
    for element in path[:-1]:
        below = into.get(element)
        if below is None:
            below = into[element] = {}
        elif not below:
            below = into[element] = {SELF: LEAF}
        into = below
    last = path[-1]
    present = into.get(last)
    into[last] = node if present is None else _union(present, node)


def has(fields: Fields, path: Path) -> bool:
    """Whether a path is a member."""
    node: Fields | None = fields
    for element in path:
        node = node.get(element) if node else None
        if node is None:
            return False
    return bool(path) and is_member(node or LEAF)


def union(one: Fields, other: Fields) -> Fields:
    """What is in either set."""
    if not one or not other:
        return one or other
    return _merged(one, other)


def _merged(one: Fields, other: Fields) -> Fields:
    made = dict(one)
    for element, node in other.items():
        present = made.get(element)
        made[element] = node if present is None else _union(present, node)
    return made


def _union(one: Fields, other: Fields) -> Fields:
    if not one:
        return as_member(other)
    if not other:
        return as_member(one)
    return _merged(one, other)


def intersection(one: Fields, other: Fields) -> Fields:
    """What is in both sets."""
    made: Fields = {}
    for element, node in one.items():
        present = other.get(element)
        if present is not None:
            both = _intersection(node, present)
            if both is not None:
                made[element] = both
    return made


def _intersection(one: Fields, other: Fields) -> Fields | None:
    if not one:
        return LEAF if is_member(other) else None
    if not other:
        return LEAF if SELF in one else None
    return _node(intersection(one, other))


def difference(one: Fields, other: Fields) -> Fields:
    """What is in the first set and not in the second; `one` itself when they share nothing.

    What lies below a member of the second set stays, unless it is a member as well.
    """
    if not one or not other:
        return one
    made, changed = {}, False
    for element, node in one.items():
        present = other.get(element)
        if present is None:
            made[element] = node
            continue
        left = _difference(node, present)
        changed = changed or left is not node
        if left is not None:
            made[element] = left
    return made if changed else one


def _difference(one: Fields, other: Fields) -> Fields | None:
    if not one:
        return None if is_member(other) else one
    if not other:
        return _node({element: node for element, node in one.items() if element != SELF}) if SELF in one else one
    left = difference(one, other)
    return one if left is one else _node(left)


def recursive_difference(one: Fields, other: Fields) -> Fields:
    """The first set without the members of the second and everything below them."""
    if not one or not other:
        return one
    made, changed = {}, False
    for element, node in one.items():
        present = other.get(element)
        if present is None:
            made[element] = node
        elif is_member(present):
            changed = True
        else:
            left = recursive_difference(node, present)
            if left is node:
                made[element] = node
                continue
            changed = True
            reduced = _node(left)
            if reduced is not None:
                made[element] = reduced
    return made if changed else one


def included(fields: Fields, patterns: Fields) -> Fields:
    """What a pattern names with everything below, and members on the way to it. In a pattern `*` is any element."""
    made: Fields = {}
    for element, node in fields.items():
        pattern = patterns.get("*")
        if pattern is None:
            pattern = patterns.get(element)
        if pattern is None or element == SELF:
            continue
        if not pattern:
            made[element] = node
            continue
        below = included(node, pattern)
        if is_member(node):
            made[element] = as_member(below)
        elif below:
            made[element] = below
    return made


def _node(children: Fields) -> Fields | None:
    """The canonical node of what is left of one: None when nothing is."""
    if not children:
        return None
    return LEAF if len(children) == 1 and SELF in children else children


def paths(fields: Fields, prefix: Path = ()) -> Iterator[Path]:
    """Every member: at each level the members themselves first, then what lies below, both in order."""
    elements = sorted((element for element in fields if element != SELF), key=order)
    for element in elements:
        if is_member(fields[element]):
            yield (*prefix, element)
    for element in elements:
        yield from paths(fields[element], (*prefix, element))


def order(element: str) -> tuple[int, str]:
    """The sort key of path elements: fields, then keyed items, values, indices."""
    return _RANKS.get(element[:1], 4), element
