"""The order of a merged list: elements of the patch in the patch's order, the server's others between them.

As apimachinery's `normalizeElementOrder`: both sides keep their own order; where the live list had both of two
elements, it decides which comes first.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Elements:
    """How elements of a list are told apart: maps by their merge key, everything else by value."""

    shape: type
    key: str

    def identity(self, element: Any) -> Hashable:
        return token(element.get(self.key) if self.shape is dict and isinstance(element, dict) else element)


def token(value: Any) -> Hashable:
    """What is equal for equal JSON values, and can be looked up: lists may be as long as a request allows."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if isinstance(value, dict | list) else value


def partition(merged: list[Any], listed: list[Any], elements: Elements) -> tuple[list[Any], list[Any]]:
    """The elements that are in `listed`, and those that are not."""
    identities = {elements.identity(e) for e in listed}
    inside = [e for e in merged if elements.identity(e) in identities]
    outside = [e for e in merged if elements.identity(e) not in identities]
    return inside, outside


def merge_in_order(
    from_patch: list[Any],
    from_server: list[Any],
    patch_order: list[Any],
    server_order: list[Any],
    elements: Elements,
) -> list[Any]:
    """Both parts as one list."""
    right = _sorted_by(from_patch, patch_order, elements)
    left = _sorted_by(from_server, server_order, elements)
    places = _places(server_order, elements)
    result: list[Any] = []
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = places.get(elements.identity(left[i]), -1), places.get(elements.identity(right[j]), -1)
        if a >= 0 and b >= 0 and a < b:
            result.append(left[i])
            i += 1
        else:
            result.append(right[j])
            j += 1
    return result + left[i:] + right[j:]


def _sorted_by(values: list[Any], order: list[Any], elements: Elements) -> list[Any]:
    places = _places(order, elements)
    return sorted(values, key=lambda v: places.get(elements.identity(v), -1))


def _places(order: list[Any], elements: Elements) -> dict[Hashable, int]:
    """Where each element comes first."""
    places: dict[Hashable, int] = {}
    for place, element in enumerate(order):
        places.setdefault(elements.identity(element), place)
    return places
