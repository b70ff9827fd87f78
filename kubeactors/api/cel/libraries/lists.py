"""Functions of lists: of Kubernetes (sum, min, isSorted …) and of the reference implementation (sort, flatten …)."""

from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any, Final

from kubeactors.api.cel import numbers, times
from kubeactors.api.cel.declarations import Library, Overload, overload
from kubeactors.api.cel.values import (
    Duration,
    EvaluationError,
    UInt,
    compare,
    equal,
    is_list,
    type_name,
)

_COMPARABLE: Final = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_MAX_RANGE: Final = 1_000_000


def _is_sorted(values: Sequence[Any]) -> bool:
    return all(compare(values[i], values[i + 1]) <= 0 for i in range(len(values) - 1))


def _extreme(name: str, sign: int) -> Callable[[Sequence[Any]], Any]:
    def find(values: Sequence[Any]) -> Any:
        if not values:
            raise EvaluationError(f"{name} called on empty list")
        found = values[0]
        for each in values:
            if compare(each, found) == sign:
                found = each
        return found

    return find


def _sum_ints(values: Sequence[int]) -> int:
    return numbers.integer(sum(values))


def _sum_uints(values: Sequence[UInt]) -> UInt:
    return numbers.unsigned(sum(values))


def _sum_doubles(values: Sequence[float]) -> float:
    return sum(values, 0.0)


def _sum_durations(values: Sequence[Duration]) -> Duration:
    return times.duration(sum(each.nanos for each in values))


_SUMS: Final[dict[str, Callable[[Any], Any]]] = {
    "int": _sum_ints,
    "uint": _sum_uints,
    "double": _sum_doubles,
    "duration": _sum_durations,
}
_CLASSES: Final[dict[str, type[Any]]] = {"int": int, "uint": UInt, "double": float, "duration": Duration}


def _sum(declared: str) -> Callable[[Sequence[Any]], Any]:
    """Of a list by what it holds; of an empty one by what was declared."""

    def find(values: Sequence[Any]) -> Any:
        kind = type(values[0]) if len(values) else _CLASSES[declared]
        for name, its_class in _CLASSES.items():
            if kind is its_class and all(type(each) is kind for each in values):
                return _SUMS[name](values)
        raise EvaluationError("no such overload")

    return find


def _index_of(values: Sequence[Any], wanted: Any) -> int:
    return next((index for index, each in enumerate(values) if equal(each, wanted)), -1)


def _last_index_of(values: Sequence[Any], wanted: Any) -> int:
    return next((index for index in range(len(values) - 1, -1, -1) if equal(values[index], wanted)), -1)


def _slice(values: Sequence[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(values):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(values)}")
    return list(values)[start:end]


def _flatten(values: Sequence[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    found: list[Any] = []
    for each in values:
        if depth and is_list(each):
            found += _flatten(each, depth - 1)
        else:
            found.append(each)
    return found


def _sort(values: Sequence[Any]) -> list[Any]:
    return _sort_by(values, values)


def _sort_by(values: Sequence[Any], keys: Sequence[Any]) -> list[Any]:
    if len(values) != len(keys):
        raise EvaluationError(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got "
            f"{len(values)} and {len(keys)} elements respectively"
        )
    if not len(keys):
        return []
    kind = type_name(keys[0])
    if kind in ("list", "map", "null_type", "type"):
        raise EvaluationError("list elements must be comparable")
    if any(type_name(key) != kind for key in keys):
        raise EvaluationError("list elements must have the same type")

    def ordered(one: int, other: int) -> int:
        return compare(keys[one], keys[other])

    order = sorted(range(len(keys)), key=cmp_to_key(ordered))
    return [values[index] for index in order]


def _range(count: int) -> list[int]:
    if count < 0:
        raise EvaluationError(f"lists.range: size must be non-negative, got {count}")
    if count > _MAX_RANGE:
        raise EvaluationError(f"lists.range: size {count} exceeds maximum allowed ({_MAX_RANGE})")
    return list(range(count))


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for each in values:
        if not any(equal(each, other) for other in found):
            found.append(each)
    return found


def _each(id: str, result: str, run: Callable[..., Any], kinds: Sequence[str] = _COMPARABLE) -> tuple[Overload, ...]:
    """An overload for a list of each kind; `{}` in the texts stands for it."""
    return tuple(overload(id.format(kind, kind), f"list({kind}).() -> {result.format(kind)}", run) for kind in kinds)


KUBERNETES: Final = Library(
    {
        "isSorted": _each("list_{}_is_sorted_bool", "bool", _is_sorted),
        "sum": tuple(overload(f"list_{kind}_sum_{kind}", f"list({kind}).() -> {kind}", _sum(kind)) for kind in _SUMS),
        "max": _each("list_{}_max_{}", "{}", _extreme("max", 1)),
        "min": _each("list_{}_min_{}", "{}", _extreme("min", -1)),
        "indexOf": (overload("list_a_index_of_int", "list(A).(A) -> int", _index_of),),
        "lastIndexOf": (overload("list_a_last_index_of_int", "list(A).(A) -> int", _last_index_of),),
    }
)
LIBRARY: Final = Library(
    {
        "slice": (overload("list_slice", "list(T).(int, int) -> list(T)", _slice),),
        "flatten": (
            overload("list_flatten", "list(list(T)).() -> list(T)", _flatten),
            overload("list_flatten_int", "list(dyn).(int) -> list(dyn)", _flatten),
        ),
        "sort": _each("list_{}_sort", "list({})", _sort),
        "@sortByAssociatedKeys": tuple(
            overload(f"list_{kind}_sortByAssociatedKeys", f"list(T).(list({kind})) -> list(T)", _sort_by)
            for kind in _COMPARABLE
        ),
        "lists.range": (overload("lists_range", "(int) -> list(int)", _range),),
        "reverse": (overload("list_reverse", "list(T).() -> list(T)", lambda values: list(values)[::-1]),),
        "distinct": (overload("list_distinct", "list(T).() -> list(T)", _distinct),),
    }
)
