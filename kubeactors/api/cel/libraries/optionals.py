"""Optional values: optional.of(x), optional.none(), value(), hasValue(), or(), orValue()."""

from typing import Any, Final

from kubeactors.api.cel import types
from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.times import MIN_TIME, SECOND
from kubeactors.api.cel.values import NONE, Duration, EvaluationError, Optional, Timestamp, is_list, is_map


def _of_non_zero(value: Any) -> Optional:
    return NONE if _is_zero(value) else Optional(value)


def _is_zero(value: Any) -> bool:
    if is_list(value) or is_map(value):
        return len(value) == 0
    if isinstance(value, Duration):
        return value.nanos == 0
    if isinstance(value, Timestamp):
        return value.nanos == MIN_TIME * SECOND
    if isinstance(value, Optional):
        return not value.present or _is_zero(value.value)
    return value is None or value in (False, 0, "", b"")


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _first(values: Any) -> Optional:
    return Optional(values[0]) if len(values) else NONE


def _last(values: Any) -> Optional:
    return Optional(values[len(values) - 1]) if len(values) else NONE


def _unwrap(values: Any) -> list[Any]:
    return [each.value for each in values if each.present]


LIBRARY: Final = Library(
    {
        "optional.of": (overload("optional_of", "(V) -> optional(V)", Optional),),
        "optional.ofNonZeroValue": (overload("optional_ofNonZeroValue", "(V) -> optional(V)", _of_non_zero),),
        "optional.none": (overload("optional_none", "() -> optional(V)", lambda: NONE),),
        "value": (overload("optional_value", "optional(V).() -> V", _value),),
        "hasValue": (overload("optional_hasValue", "optional(V).() -> bool", lambda optional: optional.present),),
        "or": (overload("optional_or_optional", "optional(V).(optional(V)) -> optional(V)", None),),
        "orValue": (overload("optional_orValue_value", "optional(V).(V) -> V", None),),
        "optional.unwrap": (overload("optional_unwrap", "(list(optional(V))) -> list(V)", _unwrap),),
        "unwrapOpt": (overload("optional_unwrapOpt", "list(optional(V)).() -> list(V)", _unwrap),),
        "first": (overload("list_first", "list(V).() -> optional(V)", _first),),
        "last": (overload("list_last", "list(V).() -> optional(V)", _last),),
    },
    (types.optional_of(types.DYN),),
)
