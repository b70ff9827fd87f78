"""Limits of numbers as kube-openapi checks them: with Go's conversions between int64 and float64."""

import math
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.go_values import go_number

LIMITS: Final = ("multipleOf", "maximum", "minimum")

_INT32: Final = (-(2**31), 2**31 - 1)
_INT64: Final = (-(2**63), 2**63 - 1)
_LARGEST_JSON_INTEGER: Final = 2**53 - 1
_PREFIXES: Final = {"multipleOf": "MultipleOf", "maximum": "Maximum boundary", "minimum": "Minimum boundary"}


def is_whole(number: float) -> bool:
    """Whether a number is an integer, within the precision of floats."""
    if math.isnan(number) or math.isinf(number) or abs(number) > _LARGEST_JSON_INTEGER:
        return False
    nearest = float(int(number))
    if number == nearest:
        return True
    if number == 0 or nearest == 0:
        return False
    return abs(number - nearest) / (abs(number) + abs(nearest)) < 1e-9


def range_errors(value: int | float, kind: str, format: str, what: str, path: str) -> list[str]:
    """Whether a number can be of the schema's type and format."""
    if kind != "integer":
        fits = format not in ("float", "float32") or not _overflows_float32(value)
    else:
        low, high = _INT32 if format == "int32" else _INT64
        fits = (isinstance(value, int) or value.is_integer()) and low <= value <= high
    if fits:
        return []
    described = f"with format {format}" if format else "(default format)"
    return [f"{what} value must be of type {kind} {described} in {path}"]


def _overflows_float32(value: float) -> bool:
    return abs(value) > 3.4028234663852886e38


def limit_errors(
    schema: Mapping[str, Any], limit: str, value: int | float, kind: str, format: str, path: str
) -> tuple[list[str], str]:
    """(what is wrong with the limit itself, what is wrong with the value by that limit)."""
    bound = schema.get(limit)
    if bound is None:
        return [], ""
    own = range_errors(bound, kind, format, _PREFIXES[limit], path)
    exact = isinstance(value, int) and not own
    # Bounds are floats, and are told as such beside floats: 1e+06.
    if limit == "multipleOf":
        return own, _multiple_error(value, bound if exact else float(bound), exact, path)
    bound = int(bound) if exact else float(bound)
    if limit == "maximum":
        exclusive = bool(schema.get("exclusiveMaximum"))
        if value > bound or (exclusive and value == bound):
            words = "less than" if exclusive else "less than or equal to"
            return own, f"{path} in body should be {words} {go_number(bound)}"
        return own, ""
    exclusive = bool(schema.get("exclusiveMinimum"))
    if value < bound or (exclusive and value == bound):
        words = "greater than" if exclusive else "greater than or equal to"
        return own, f"{path} in body should be {words} {go_number(bound)}"
    return own, ""


def _multiple_error(value: int | float, factor: int | float, exact: bool, path: str) -> str:
    if factor < 0:
        return f"factor MultipleOf declared for {path} must be positive: {go_number(factor)}"
    if factor == 0:
        return ""
    if exact and int(factor):
        factor = int(factor)
        divides = value % factor == 0
    else:
        divides = is_whole(1 / factor * value if factor < 1 else value / factor)
    return "" if divides else f"{path} in body should be a multiple of {go_number(factor)}"
