"""Arithmetic within 64 bits, conversions between numbers, and numbers as text."""

import math
import re
from typing import Any, Final

from kubeactors.api.cel.values import INT_MAX, INT_MIN, UINT_MAX, EvaluationError, UInt

_TWO_63: Final = 2.0**63
_TWO_64: Final = 2.0**64
_INT: Final = re.compile(r"[+-]?[0-9]+")
_FLOAT: Final = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity)|nan", re.IGNORECASE
)


def integer(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("integer overflow")
    return value


def unsigned(value: int) -> UInt:
    if not 0 <= value <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def divide(one: int, other: int) -> int:
    """Toward zero."""
    if other == 0:
        raise EvaluationError("division by zero")
    result = abs(int(one)) // abs(int(other))
    return -result if (one < 0) != (other < 0) else result


def remainder(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("modulus by zero")
    result = abs(int(one)) % abs(int(other))
    return -result if one < 0 else result


def divide_doubles(one: float, other: float) -> float:
    if other == 0:
        if one == 0 or math.isnan(one):
            return math.nan
        return math.copysign(math.inf, one) * math.copysign(1.0, other)
    return one / other


def multiply_doubles(one: float, other: float) -> float:
    return one * other


def double_to_int(value: float) -> int:
    if not -_TWO_63 < value < _TWO_63:  # NaN too
        raise EvaluationError("integer overflow")
    return int(value)


def double_to_uint(value: float) -> UInt:
    if not 0 <= value < _TWO_64:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def no_conversion(wanted: str) -> EvaluationError:
    """The text of a string is none of the type's values."""
    return EvaluationError(f"type conversion error from 'string' to '{wanted}'")


def string_to_int(text: str) -> int:
    return _integer_in(text, INT_MIN, INT_MAX, "int")


def string_to_uint(text: str) -> UInt:
    if text[:1] in ("+", "-"):
        raise no_conversion("uint")
    return UInt(_integer_in(text, 0, UINT_MAX, "uint"))


def _integer_in(text: str, low: int, high: int, wanted: str) -> int:
    if len(text) > 64 or not _INT.fullmatch(text) or not text.isascii():
        raise no_conversion(wanted)
    value = int(text)
    if not low <= value <= high:
        raise no_conversion(wanted)
    return value


def string_to_double(text: str) -> float:
    if not _FLOAT.fullmatch(text) or not text.isascii():
        raise no_conversion("double")
    value = float(text)
    if math.isinf(value) and "inf" not in text.lower():
        raise no_conversion("double")
    return value


def double_text(value: float) -> str:
    """As Go's %g: the fewest digits; an exponent below 1e-4 and from 1e21 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    digits, exponent = _digits(abs(value))
    if value == 0:
        return f"{sign}0"
    if exponent < -4 or exponent >= 21:
        body = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        return f"{sign}{body}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return sign + _plain(digits, exponent)


def plain_double_text(value: float) -> str:
    """The fewest digits, never an exponent."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return sign + (_plain(*_digits(abs(value))) if value else "0")


def _digits(value: float) -> tuple[str, int]:
    """(significant digits, exponent of the first one)."""
    mantissa, _, exponent = f"{value!r}e0".partition("e")
    power = int(exponent.split("e")[0])
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    return digits.rstrip("0") or "0", len(whole) - 1 - leading + power


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def negate(value: Any) -> Any:
    return integer(-value) if type(value) is int else -value
