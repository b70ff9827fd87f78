"""The order of a merged list: elements of the patch in the patch's order, the server's others between them.

As apimachinery's `normalizeElementOrder`: both sides keep their own order; where the live list had both of two
elements, it decides which comes first.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Elements:
    """How elements of a list are told apart: maps by their merge key, everything else by value."""

    shape: type
    key: str

    def identity(self, element: Any) -> Any:
        return element.get(self.key) if self.shape is dict and isinstance(element, dict) else element


def partition(merged: list[Any], listed: list[Any], elements: Elements) -> tuple[list[Any], list[Any]]:
    """The elements that are in `listed`, and those that are not."""
    identities = [elements.identity(e) for e in listed]
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
    places = [elements.identity(e) for e in server_order]
    result: list[Any] = []
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = _place(places, elements.identity(left[i])), _place(places, elements.identity(right[j]))
        if a >= 0 and b >= 0 and a < b:
            result.append(left[i])
            i += 1
        else:
            result.append(right[j])
            j += 1
    return result + left[i:] + right[j:]


def _sorted_by(values: list[Any], order: list[Any], elements: Elements) -> list[Any]:
    places = [elements.identity(e) for e in order]
    return sorted(values, key=lambda v: _place(places, elements.identity(v)))


def _place(places: list[Any], identity: Any) -> int:
    try:
        return places.index(identity)
    except ValueError:
        return -1
