"""Resource quantities: `500m`, `1.5Gi`, `1e3`. Parsing, arithmetic and canonical text as apimachinery's `resource`.

Values are exact, in units of a billionth: finer parts are rounded away from zero; what exceeds an int64 is cut there.
"""

import re
from enum import StrEnum
from functools import lru_cache, total_ordering
from typing import Any, Final


class QuantityError(ValueError):
    """Text that is no quantity; the message is apimachinery's."""


class Format(StrEnum):
    """How a quantity is written; arithmetic keeps the left operand's unless that is zero."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


NANO: Final = 10**9
_MAX_NANOS: Final = (2**63 - 1) * NANO
_INT64_DIGITS: Final = 18
_BINARY_DIGITS: Final = 14
_MAX_EXPONENT: Final = 10_000  # beyond it every value is cut or rounded all the same
_SYNTAX: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_REGEX_ERROR: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_SUFFIX_ERROR: Final = "unable to parse quantity's suffix"
_NUMBER_ERROR: Final = "unable to parse numeric part of quantity"
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES: Final = {v: k for k, v in _DECIMAL.items()}
_BINARY_NAMES: Final = {0: "", **{v: k for k, v in _BINARY.items()}}
_EXPONENT: Final = re.compile(r"[eE]([+-]?[0-9]+)")


@total_ordering
class Quantity:
    """An exact amount with the format that it is written in. Immutable; equal amounts are equal in any format."""

    __slots__ = ("format", "nanos")

    nanos: int
    format: Format

    def __init__(self, nanos: int = 0, format: Format = Format.DECIMAL_SI) -> None:
        self.nanos = nanos
        self.format = format

    @classmethod
    def parse(cls, text: str | int | float) -> "Quantity":
        """From the text or number of a JSON document. Raises QuantityError."""
        if isinstance(text, bool):
            raise QuantityError(_REGEX_ERROR)
        return _parse(str(text).strip())

    @classmethod
    def of(cls, value: int, format: Format = Format.DECIMAL_SI) -> "Quantity":
        return cls(value * NANO, format)

    @classmethod
    def of_milli(cls, value: int, format: Format = Format.DECIMAL_SI) -> "Quantity":
        return cls(value * (NANO // 1000), format)

    @property
    def value(self) -> int:
        """Rounded away from zero to an integer, as Quantity.Value does."""
        return _round_away(self.nanos, NANO)

    @property
    def milli_value(self) -> int:
        """In thousandths, rounded away from zero: the usual unit of CPU."""
        return _round_away(self.nanos, NANO // 1000)

    @property
    def is_zero(self) -> bool:
        return self.nanos == 0

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nanos + other.nanos, other.format if self.is_zero else self.format)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nanos - other.nanos, other.format if self.is_zero else self.format)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.nanos, self.format)

    def __eq__(self, other: object) -> bool:
        return self.nanos == other.nanos if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: "Quantity") -> bool:
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __float__(self) -> float:
        return self.nanos / NANO

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"

    def __str__(self) -> str:
        """The canonical text: no fraction, the largest suffix that keeps the value exact."""
        if not self.nanos:
            return "0"
        if self.format is Format.BINARY_SI and abs(self.nanos) >= 1024 * NANO and not self.nanos % NANO:
            return self._binary()
        mantissa, exponent = self.nanos, -9
        while not mantissa % 1000 and exponent < 18:
            mantissa //= 1000
            exponent += 3
        if self.format is Format.DECIMAL_EXPONENT:
            return f"{mantissa}e{exponent}" if exponent else str(mantissa)
        return f"{mantissa}{_DECIMAL_NAMES[exponent]}"

    def _binary(self) -> str:
        mantissa, exponent = self.nanos // NANO, 0
        while not mantissa % 1024 and exponent < 60:
            mantissa //= 1024
            exponent += 10
        return f"{mantissa}{_BINARY_NAMES[exponent]}"


ZERO: Final = Quantity()
_MAX_TEXT: Final = 1024  # characters; more is no number that anybody meant


@lru_cache(maxsize=16384)
def canonical(text: str | int | float) -> str:
    """The text of a quantity as the API server stores it. Raises QuantityError."""
    return str(Quantity.parse(text))


def rounded_to_milli(text: str) -> str:
    """The canonical text of a quantity without parts smaller than thousandths: they are rounded away from zero."""
    quantity = Quantity.parse(text)
    return str(Quantity.of_milli(quantity.milli_value, quantity.format))


@lru_cache(maxsize=16384)
def _parse(text: str) -> Quantity:
    if len(text) > _MAX_TEXT:
        raise QuantityError(_NUMBER_ERROR)
    match = _SYNTAX.fullmatch(text) if text else None
    if match is None:
        raise QuantityError(_REGEX_ERROR)
    sign, whole, fraction, suffix = match.groups()
    power = _EXPONENT.fullmatch(suffix)
    if suffix not in _DECIMAL and suffix not in _BINARY and power is None:
        raise QuantityError(_SUFFIX_ERROR)
    digits = whole + (fraction or "")
    if not digits:
        raise QuantityError(_NUMBER_ERROR)
    numerator = int(digits)
    exponent10 = -len(fraction or "")
    exponent2 = 0
    format = Format.DECIMAL_SI
    if suffix in _DECIMAL:
        exponent10 += _DECIMAL[suffix]
    elif suffix in _BINARY:
        exponent2 = _BINARY[suffix]
        format = Format.BINARY_SI
    elif power is not None:
        exponent10 += max(-_MAX_EXPONENT, min(_MAX_EXPONENT, int(power[1])))
        format = Format.DECIMAL_EXPONENT
    nanos = _to_nanos(numerator << exponent2, exponent10)
    if format is Format.BINARY_SI and nanos < NANO:
        format = Format.DECIMAL_SI
    return Quantity(-nanos if sign == "-" else nanos, format)


def int64_form(text: str) -> tuple[int, int] | None:
    """(value, power of ten) where apimachinery holds a valid text's quantity as such, None where as a big decimal."""
    match = _SYNTAX.fullmatch(text)
    assert match is not None
    sign, whole, fraction, suffix = match.groups()
    whole, fraction = whole.lstrip("0") or "0", fraction or ""
    length = len(whole) + len(fraction)
    power, factor = 0, 1
    if suffix not in _BINARY:
        exponent = _EXPONENT.fullmatch(suffix)
        power = _DECIMAL[suffix] if exponent is None else int(exponent[1])
        fits = length <= _INT64_DIGITS
    else:
        # A power of two is taken for some three digits in ten.
        fits = not fraction and length <= _BINARY_DIGITS - _BINARY[suffix] * 3 // 10
        factor = 1 << _BINARY[suffix]
    power -= len(fraction)
    if not fits or power < -9:
        return None
    value = int(whole + fraction) * factor
    return (-value if sign == "-" else value), power


def _to_nanos(numerator: int, exponent10: int) -> int:
    if not numerator:
        return 0
    shift = exponent10 + 9
    if shift >= 0:
        nanos = numerator * int(10 ** min(shift, 64))
    else:
        nanos = -(-numerator // int(10 ** min(-shift, len(str(numerator)) + 1)))
    return min(nanos, _MAX_NANOS)


def _round_away(nanos: int, unit: int) -> int:
    return -(-nanos // unit) if nanos >= 0 else nanos // unit


def add(left: dict[str, Any], right: dict[str, Any]) -> dict[str, str]:
    """The sum of two resource lists (maps of name to quantity), in canonical text."""
    total = {name: Quantity.parse(q) for name, q in left.items()}
    for name, q in right.items():
        total[name] = total.get(name, ZERO) + Quantity.parse(q)
    return {name: str(q) for name, q in total.items()}
