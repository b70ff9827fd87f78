"""Operators, conversions and functions of the language itself.

https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions; comparisons between
different types of numbers are on, as in Kubernetes since v1.28.
"""

from collections.abc import Callable
from typing import Any, Final

from kubeactors.api.cel import numbers, times, types
from kubeactors.api.cel.declarations import Library, Overload, overload
from kubeactors.api.cel.libraries.patterns import matches
from kubeactors.api.cel.times import SECOND
from kubeactors.api.cel.values import (
    MISSING,
    NONE,
    Duration,
    EvaluationError,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    compare,
    equal,
    find,
    is_list,
    is_map,
    type_name,
)

_NUMERIC: Final = ("int", "uint", "double")


def less(one: Any, other: Any) -> bool:
    return compare(one, other) < 0


def less_equal(one: Any, other: Any) -> bool:
    return compare(one, other) <= 0


def greater(one: Any, other: Any) -> bool:
    return compare(one, other) > 0


def greater_equal(one: Any, other: Any) -> bool:
    return compare(one, other) >= 0


def not_equal(one: Any, other: Any) -> bool:
    return not equal(one, other)


def index(container: Any, key: Any) -> Any:
    """container[key]. Raises EvaluationError."""
    if is_list(container):
        return _element(container, key)
    if is_map(container):
        value = find(container, key)
        if value is MISSING:
            raise EvaluationError(f"no such key: {shown(key)}")
        return value
    if type(container) is Optional:
        return optional_index(container, key)
    raise EvaluationError("no such overload")


def _element(container: Any, key: Any) -> Any:
    position = key
    if type(key) is float:
        if not key.is_integer():
            raise EvaluationError(f"unsupported index value: {numbers.double_text(key)}")
        position = int(key)
    elif type(key) not in (int, UInt):
        raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")
    if not 0 <= position < len(container):
        raise EvaluationError(f"index out of bounds: {position}")
    return container[position]


def optional_index(container: Any, key: Any) -> Optional:
    """container[?key]: no value instead of an error for what is not there."""
    if type(container) is Optional:
        return optional_index(container.value, key) if container.present else NONE
    if is_list(container):
        if type(key) in (int, UInt) and not 0 <= key < len(container):
            return NONE
        return Optional(_element(container, key))
    if not is_map(container):
        raise EvaluationError("no such overload")
    value = find(container, key)
    return NONE if value is MISSING else Optional(value)


def shown(value: Any) -> str:
    """A value as errors show it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return numbers.double_text(value) if isinstance(value, float) else str(value)


def contains(value: Any, container: Any) -> bool:
    if is_list(container):
        if type(container) is list and type(value) is str:
            return value in container
        return any(equal(value, each) for each in container)
    return find(container, value) is not MISSING


# --- arithmetic


def _add_ints(one: int, other: int) -> int:
    return numbers.integer(one + other)


def _add_uints(one: int, other: int) -> UInt:
    return numbers.unsigned(one + other)


def _add(one: Any, other: Any) -> Any:
    return one + other


def _add_lists(one: Any, other: Any) -> Any:
    return one.plus(other) if hasattr(one, "plus") else [*one, *other]


def _add_durations(one: Duration, other: Duration) -> Duration:
    return times.duration(one.nanos + other.nanos)


def _add_time(one: Timestamp, other: Duration) -> Timestamp:
    return times.timestamp(one.nanos + other.nanos, one.offset)


def _add_to_time(one: Duration, other: Timestamp) -> Timestamp:
    return times.timestamp(one.nanos + other.nanos, other.offset)


def _subtract_time(one: Timestamp, other: Duration) -> Timestamp:
    return times.timestamp(one.nanos - other.nanos, one.offset)


def _between(one: Timestamp | Duration, other: Timestamp | Duration) -> Duration:
    return times.duration(one.nanos - other.nanos)


# --- conversions


def _to_string(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _to_bool(text: str) -> bool:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise numbers.no_conversion("bool")


def _to_duration(text: str) -> Duration:
    try:
        return times.parse_duration(text)
    except EvaluationError:
        raise numbers.no_conversion("google.protobuf.Duration") from None


def _to_timestamp(text: str) -> Timestamp:
    try:
        return times.parse_timestamp(text)
    except EvaluationError as error:
        if str(error) == times.OVERFLOW:
            raise
        raise numbers.no_conversion("google.protobuf.Timestamp") from None


def _same(value: Any) -> Any:
    return value


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


def _int_of_time(value: Timestamp) -> int:
    return value.nanos // SECOND


def _time_of_int(value: int) -> Timestamp:
    return times.timestamp(value * SECOND)


# --- parts of times


def _of_time(part: Callable[[Any], int]) -> tuple[Callable[[Timestamp], int], Callable[[Timestamp, str], int]]:
    def utc(value: Timestamp) -> int:
        return part(times.moment(value))

    def zoned(value: Timestamp, zone: str) -> int:
        return part(times.moment(value, times.zone(zone)))

    return utc, zoned


_TIME_PARTS: Final[dict[str, tuple[str, Callable[[Any], int]]]] = {
    "getFullYear": ("year", lambda when: when.year),
    "getMonth": ("month", lambda when: when.month - 1),
    "getDayOfYear": ("day_of_year", lambda when: when.timetuple().tm_yday - 1),
    "getDayOfMonth": ("day_of_month", lambda when: when.day - 1),
    "getDate": ("day_of_month_1_based", lambda when: when.day),
    "getDayOfWeek": ("day_of_week", lambda when: when.isoweekday() % 7),
    "getHours": ("hours", lambda when: when.hour),
    "getMinutes": ("minutes", lambda when: when.minute),
    "getSeconds": ("seconds", lambda when: when.second),
}
_DURATION_PARTS: Final = {"getHours": 3600 * SECOND, "getMinutes": 60 * SECOND, "getSeconds": SECOND}


def _milliseconds(value: Timestamp) -> int:
    return value.nanos % SECOND // 10**6


def _duration_milliseconds(value: Duration) -> int:
    return numbers.divide(value.nanos, 10**6)


def _times() -> dict[str, tuple[Overload, ...]]:
    found: dict[str, tuple[Overload, ...]] = {}
    for name, (id, part) in _TIME_PARTS.items():
        utc, zoned = _of_time(part)
        overloads = [
            overload(f"timestamp_to_{id}", "timestamp.() -> int", utc),
            overload(f"timestamp_to_{id}_with_tz", "timestamp.(string) -> int", zoned),
        ]
        if name in _DURATION_PARTS:
            unit = _DURATION_PARTS[name]
            overloads.append(
                overload(
                    f"duration_to_{id}",
                    "duration.() -> int",
                    lambda value, unit=unit: numbers.divide(value.nanos, unit),
                )
            )
        found[name] = tuple(overloads)
    found["getMilliseconds"] = (
        overload("timestamp_to_milliseconds", "timestamp.() -> int", _milliseconds),
        overload(
            "timestamp_to_milliseconds_with_tz", "timestamp.(string) -> int", lambda value, _: _milliseconds(value)
        ),
        overload("duration_to_milliseconds", "duration.() -> int", _duration_milliseconds),
    )
    return found


def _comparisons(name: str, run: Callable[[Any, Any], bool]) -> tuple[Overload, ...]:
    same = ("bool", *_NUMERIC, "string", "bytes", "timestamp", "duration")
    found = [overload(f"{name}_{kind}", f"({kind}, {kind}) -> bool", run) for kind in same]
    found += [
        overload(f"{name}_{one}_{other}", f"({one}, {other}) -> bool", run)
        for one in _NUMERIC
        for other in _NUMERIC
        if one != other
    ]
    return tuple(found)


FUNCTIONS: Final[dict[str, tuple[Overload, ...]]] = {
    "_?_:_": (overload("conditional", "(bool, A, A) -> A", None),),
    "_&&_": (overload("logical_and", "(bool, bool) -> bool", None),),
    "_||_": (overload("logical_or", "(bool, bool) -> bool", None),),
    "!_": (overload("logical_not", "(bool) -> bool", lambda value: not value),),
    "@not_strictly_false": (overload("not_strictly_false", "(bool) -> bool", None),),
    "_==_": (overload("equals", "(A, A) -> bool", equal),),
    "_!=_": (overload("not_equals", "(A, A) -> bool", not_equal),),
    "_<_": _comparisons("less", less),
    "_<=_": _comparisons("less_equals", less_equal),
    "_>_": _comparisons("greater", greater),
    "_>=_": _comparisons("greater_equals", greater_equal),
    "_+_": (
        overload("add_int64", "(int, int) -> int", _add_ints),
        overload("add_uint64", "(uint, uint) -> uint", _add_uints),
        overload("add_double", "(double, double) -> double", _add),
        overload("add_string", "(string, string) -> string", _add),
        overload("add_bytes", "(bytes, bytes) -> bytes", _add),
        overload("add_list", "(list(A), list(A)) -> list(A)", _add_lists),
        overload("add_duration_duration", "(duration, duration) -> duration", _add_durations),
        overload("add_duration_timestamp", "(duration, timestamp) -> timestamp", _add_to_time),
        overload("add_timestamp_duration", "(timestamp, duration) -> timestamp", _add_time),
    ),
    "_-_": (
        overload("subtract_int64", "(int, int) -> int", lambda one, other: numbers.integer(one - other)),
        overload("subtract_uint64", "(uint, uint) -> uint", lambda one, other: numbers.unsigned(int(one) - int(other))),
        overload("subtract_double", "(double, double) -> double", lambda one, other: one - other),
        overload("subtract_duration_duration", "(duration, duration) -> duration", _between),
        overload("subtract_timestamp_duration", "(timestamp, duration) -> timestamp", _subtract_time),
        overload("subtract_timestamp_timestamp", "(timestamp, timestamp) -> duration", _between),
    ),
    "_*_": (
        overload("multiply_int64", "(int, int) -> int", lambda one, other: numbers.integer(one * other)),
        overload("multiply_uint64", "(uint, uint) -> uint", lambda one, other: numbers.unsigned(one * other)),
        overload("multiply_double", "(double, double) -> double", numbers.multiply_doubles),
    ),
    "_/_": (
        overload("divide_int64", "(int, int) -> int", lambda one, other: numbers.integer(numbers.divide(one, other))),
        overload("divide_uint64", "(uint, uint) -> uint", lambda one, other: UInt(numbers.divide(one, other))),
        overload("divide_double", "(double, double) -> double", numbers.divide_doubles),
    ),
    "_%_": (
        overload("modulo_int64", "(int, int) -> int", numbers.remainder),
        overload("modulo_uint64", "(uint, uint) -> uint", lambda one, other: UInt(numbers.remainder(one, other))),
    ),
    "-_": (
        overload("negate_int64", "(int) -> int", numbers.negate),
        overload("negate_double", "(double) -> double", numbers.negate),
    ),
    "_[_]": (
        overload("index_list", "(list(A), int) -> A", index),
        overload("index_map", "(map(A, B), A) -> B", index),
        overload("optional_list_index_int", "(optional(list(A)), int) -> optional(A)", index),
        overload("optional_map_index_value", "(optional(map(A, B)), A) -> optional(B)", index),
    ),
    "_[?_]": (
        overload("list_optindex_optional_int", "(list(A), int) -> optional(A)", optional_index),
        overload("optional_list_optindex_optional_int", "(optional(list(A)), int) -> optional(A)", optional_index),
        overload("map_optindex_optional_value", "(map(A, B), A) -> optional(B)", optional_index),
        overload("optional_map_optindex_optional_value", "(optional(map(A, B)), A) -> optional(B)", optional_index),
    ),
    "@in": (
        overload("in_list", "(A, list(A)) -> bool", contains),
        overload("in_map", "(A, map(A, B)) -> bool", contains),
    ),
    "size": (
        overload("size_bytes", "(bytes) -> int", len),
        overload("bytes_size", "bytes.() -> int", len),
        overload("size_list", "(list(A)) -> int", len),
        overload("list_size", "list(A).() -> int", len),
        overload("size_map", "(map(A, B)) -> int", len),
        overload("map_size", "map(A, B).() -> int", len),
        overload("size_string", "(string) -> int", len),
        overload("string_size", "string.() -> int", len),
    ),
    "type": (overload("type", "(A) -> type(A)", lambda value: TypeValue(type_name(value))),),
    "dyn": (overload("to_dyn", "(A) -> dyn", _same),),
    "bool": (
        overload("bool_to_bool", "(bool) -> bool", _same),
        overload("string_to_bool", "(string) -> bool", _to_bool),
    ),
    "bytes": (
        overload("bytes_to_bytes", "(bytes) -> bytes", _same),
        overload("string_to_bytes", "(string) -> bytes", lambda text: text.encode(errors="surrogatepass")),
    ),
    "double": (
        overload("double_to_double", "(double) -> double", _same),
        overload("int64_to_double", "(int) -> double", float),
        overload("string_to_double", "(string) -> double", numbers.string_to_double),
        overload("uint64_to_double", "(uint) -> double", float),
    ),
    "int": (
        overload("int64_to_int64", "(int) -> int", _same),
        overload("double_to_int64", "(double) -> int", numbers.double_to_int),
        overload("duration_to_int64", "(duration) -> int", lambda value: value.nanos),
        overload("string_to_int64", "(string) -> int", numbers.string_to_int),
        overload("timestamp_to_int64", "(timestamp) -> int", _int_of_time),
        overload("uint64_to_int64", "(uint) -> int", lambda value: numbers.integer(int(value))),
    ),
    "uint": (
        overload("uint64_to_uint64", "(uint) -> uint", _same),
        overload("double_to_uint64", "(double) -> uint", numbers.double_to_uint),
        overload("int64_to_uint64", "(int) -> uint", numbers.unsigned),
        overload("string_to_uint64", "(string) -> uint", numbers.string_to_uint),
    ),
    "string": (
        overload("string_to_string", "(string) -> string", _same),
        overload("bool_to_string", "(bool) -> string", _bool_text),
        overload("bytes_to_string", "(bytes) -> string", _to_string),
        overload("double_to_string", "(double) -> string", numbers.double_text),
        overload("duration_to_string", "(duration) -> string", times.duration_text),
        overload("int64_to_string", "(int) -> string", str),
        overload("timestamp_to_string", "(timestamp) -> string", times.timestamp_text),
        overload("uint64_to_string", "(uint) -> string", lambda value: str(int(value))),
    ),
    "duration": (
        overload("duration_to_duration", "(duration) -> duration", _same),
        overload("int64_to_duration", "(int) -> duration", Duration),
        overload("string_to_duration", "(string) -> duration", _to_duration),
    ),
    "timestamp": (
        overload("timestamp_to_timestamp", "(timestamp) -> timestamp", _same),
        overload("int64_to_timestamp", "(int) -> timestamp", _time_of_int),
        overload("string_to_timestamp", "(string) -> timestamp", _to_timestamp),
    ),
    "contains": (overload("contains_string", "string.(string) -> bool", lambda text, part: part in text),),
    "endsWith": (overload("ends_with_string", "string.(string) -> bool", str.endswith),),
    "startsWith": (overload("starts_with_string", "string.(string) -> bool", str.startswith),),
    "matches": (
        overload("matches", "(string, string) -> bool", matches),
        overload("matches_string", "string.(string) -> bool", matches),
    ),
    **_times(),
}

NAMES: Final[dict[str, types.Type]] = {
    "bool": types.type_of(types.BOOL),
    "bytes": types.type_of(types.BYTES),
    "double": types.type_of(types.DOUBLE),
    "google.protobuf.Duration": types.type_of(types.DURATION),
    "google.protobuf.Timestamp": types.type_of(types.TIMESTAMP),
    "int": types.type_of(types.INT),
    "list": types.type_of(types.list_of(types.DYN)),
    "map": types.type_of(types.map_of(types.DYN, types.DYN)),
    "null_type": types.type_of(types.NULL),
    "string": types.type_of(types.STRING),
    "type": types.type_of(types.TYPE),
    "uint": types.type_of(types.UINT),
}

LIBRARY: Final = Library(FUNCTIONS)
