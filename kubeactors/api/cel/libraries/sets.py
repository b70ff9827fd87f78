"""Lists as sets: sets.contains, sets.equivalent, sets.intersects."""

from collections.abc import Sequence
from typing import Any, Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.libraries.standard import contains


def _contains(values: Sequence[Any], part: Sequence[Any]) -> bool:
    return all(contains(each, values) for each in part)


def _equivalent(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return _contains(one, other) and _contains(other, one)


def _intersects(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return any(contains(each, one) for each in other)


LIBRARY: Final = Library(
    {
        "sets.contains": (overload("list_sets_contains_list", "(list(T), list(T)) -> bool", _contains),),
        "sets.equivalent": (overload("list_sets_equivalent_list", "(list(T), list(T)) -> bool", _equivalent),),
        "sets.intersects": (overload("list_sets_intersects_list", "(list(T), list(T)) -> bool", _intersects),),
    }
)
