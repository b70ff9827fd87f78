"""Values while an expression runs.

JSON's values are Python's own: None, bool, int, float, str, list, dict. Added are bytes, UInt, Duration, Timestamp,
Optional, TypeValue and what libraries bring. Views over objects with a schema are `Elements` and `Fields`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from kubeactors.api.cel import types
from kubeactors.api.cel.types import Type

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1


class EvaluationError(Exception):
    """An expression has no value for these inputs. && and || pass over it if their other side decides."""


class CostLimitExceeded(Exception):
    """An expression cost more than it may; nothing passes over that."""


class UInt(int):
    """An unsigned number. Equal to an int of the same value, and not of its type."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    nanos: int  # since 1970 in UTC
    offset: int = field(default=0, compare=False)  # seconds east of UTC, as it was written


@dataclass(frozen=True, slots=True)
class TypeValue:
    """What `type(x)` gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    value: Any
    present: bool = True


NONE: Final = Optional(None, False)


@dataclass(frozen=True, slots=True)
class BoolKey:
    """A bool as the key of a dict, in which True would be 1."""

    value: bool


_BOOL_KEYS: Final = {value: BoolKey(value) for value in (False, True)}


class Elements(Sequence[Any]):
    """A list that is read through a schema."""

    __slots__ = ()

    def equals(self, other: Sequence[Any]) -> bool:
        return _same_elements(self, other)

    def plus(self, other: Sequence[Any]) -> Sequence[Any]:
        return [*self, *other]


class Fields(Mapping[str, Any]):
    """An object or map that is read through a schema. `find` gives MISSING for what is not there."""

    __slots__ = ()

    def find(self, key: Any) -> Any:
        raise NotImplementedError

    def equals(self, other: Mapping[Any, Any]) -> bool:
        return _same_entries(self, other)


class _Missing:
    """Stands for no value."""


MISSING: Final = _Missing()


@runtime_checkable
class Opaque(Protocol):
    """A value that a library brings; `==` compares it."""

    @property
    def cel_type(self) -> Type: ...


_TYPES: Final[dict[type, Type]] = {
    type(None): types.NULL,
    bool: types.BOOL,
    int: types.INT,
    UInt: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    list: types.list_of(types.DYN),
    tuple: types.list_of(types.DYN),
    dict: types.map_of(types.DYN, types.DYN),
    Duration: types.DURATION,
    Timestamp: types.TIMESTAMP,
    TypeValue: types.TYPE,
    Optional: types.optional_of(types.DYN),
}


def type_of_value(value: Any) -> Type:
    found = _TYPES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Elements):
        return types.list_of(types.DYN)
    if isinstance(value, Fields):
        return types.map_of(types.DYN, types.DYN)
    if isinstance(value, Opaque):
        return value.cel_type
    raise EvaluationError(f"unsupported value of type {type(value).__name__}")


def type_name(value: Any) -> str:
    return type_of_value(value).runtime_name


def is_list(value: Any) -> bool:
    return type(value) is list or isinstance(value, Elements | tuple)


def is_map(value: Any) -> bool:
    return type(value) is dict or isinstance(value, Fields)


_NUMBERS: Final = frozenset({int, UInt, float})


def equal(one: Any, other: Any) -> bool:
    """Values of different types are not equal, but for numbers."""
    first, second = type(one), type(other)
    if first is second and first in _PLAIN:
        return bool(one == other)
    if first in _NUMBERS and second in _NUMBERS:
        return bool(one == other)
    if is_list(one):
        if not is_list(other):
            return False
        return one.equals(other) if isinstance(one, Elements) else _same_elements(one, other)
    if is_map(one):
        if not is_map(other):
            return False
        return one.equals(other) if isinstance(one, Fields) else _same_entries(one, other)
    if first is Optional and second is Optional:
        return one.present == other.present and (not one.present or equal(one.value, other.value))
    return first is second and bool(one == other)


_PLAIN: Final = frozenset({str, bool, int, float, bytes, UInt, Duration, Timestamp, TypeValue, type(None)})


def _same_elements(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(equal, one, other))


def _same_entries(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    if len(one) != len(other):
        return False
    for key in one:
        value = find(other, unkeyed(key))
        if value is MISSING or not equal(one[key], value):
            return False
    return True


def find(mapping: Any, key: Any) -> Any:
    """The value of a key, or MISSING."""
    if isinstance(mapping, Fields):
        return mapping.find(key)
    try:
        return mapping.get(keyed(key), MISSING)
    except TypeError:
        return MISSING


def keyed(key: Any) -> Any:
    """A key as dicts hold it."""
    return _BOOL_KEYS[key] if type(key) is bool else key


def unkeyed(key: Any) -> Any:
    return key.value if type(key) is BoolKey else key


def keys(mapping: Mapping[Any, Any]) -> Iterator[Any]:
    return map(unkeyed, mapping)


def compare(one: Any, other: Any) -> int:
    """-1, 0 or 1 of values that have an order; raises EvaluationError for others, and for NaN."""
    first, second = type(one), type(other)
    if first not in _ORDERED:
        raise EvaluationError("no such overload")
    if first is not second and not (first in _NUMBERS and second in _NUMBERS):
        raise EvaluationError("no such overload")
    if (first is float and math.isnan(one)) or (second is float and math.isnan(other)):
        raise EvaluationError("NaN values cannot be ordered")
    if first is float and second is not float:
        other = float(other)
    elif second is float and first is not float:
        one = float(one)
    return int(one > other) - int(one < other)


_ORDERED: Final = _NUMBERS | {str, bytes, bool, Duration, Timestamp}


def size(value: Any) -> int:
    """What size() gives; 1 for what has no size, as costs count it."""
    kind = type(value)
    if kind in (str, bytes, list, dict):
        return len(value)
    if isinstance(value, Elements | Fields | tuple):
        return len(value)
    return 1
