"""Quantities: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-quantity-library"""

from dataclasses import dataclass, field
from typing import Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.types import Type, struct
from kubeactors.api.cel.values import INT_MAX, INT_MIN, EvaluationError
from kubeactors.api.quantity import NANO, Quantity, QuantityError, int64_form

_MAX_POWER: Final = 18
QUANTITY_TYPE: Final = struct("kubernetes.Quantity")


@dataclass(frozen=True, slots=True, order=True)
class QuantityValue:
    """`small`: (value, power of ten) while apimachinery would hold it in an int64; only then it may be an integer."""

    amount: Quantity
    small: tuple[int, int] | None = field(default=None, compare=False)

    @property
    def cel_type(self) -> Type:
        return QUANTITY_TYPE


def parse(text: str) -> QuantityValue:
    """Raises EvaluationError."""
    try:
        return QuantityValue(_parse(text), int64_form(text))
    except QuantityError as error:
        raise EvaluationError(str(error)) from None


def _parse(text: str) -> Quantity:
    if text != text.strip():
        raise QuantityError("unable to parse quantity's suffix")
    return Quantity.parse(text)


def _is_quantity(text: str) -> bool:
    try:
        _parse(text)
    except QuantityError:
        return False
    return True


def _is_integer(value: QuantityValue) -> bool:
    """By its form: `1000m` is none, and neither is what is too long for an int64."""
    if value.small is None:
        return False
    number, power = value.small
    return number == 0 or (power >= 0 and _scaled(number, power) is not None)


def _scaled(number: int, power: int) -> int | None:
    if power > _MAX_POWER:
        return None
    found: int = number * 10**power
    return found if INT_MIN <= found <= INT_MAX else None


def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return value.amount.nanos // NANO


def _sum(one: QuantityValue, other: QuantityValue) -> QuantityValue:
    return QuantityValue(one.amount + other.amount, _small_sum(one.small, other.small))


def _difference(one: QuantityValue, other: QuantityValue) -> QuantityValue:
    negated = None if other.small is None else (-other.small[0], other.small[1])
    return QuantityValue(one.amount - other.amount, _small_sum(one.small, negated))


def _small_sum(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    if one is None or other is None or other[0] == 0:
        return one if other is not None else None
    if one[0] == 0:
        return other
    power = min(one[1], other[1])
    parts = _scaled(one[0], one[1] - power), _scaled(other[0], other[1] - power)
    if parts[0] is None or parts[1] is None or not INT_MIN <= parts[0] + parts[1] <= INT_MAX:
        return None
    return parts[0] + parts[1], power


def _of(number: int) -> QuantityValue:
    return QuantityValue(Quantity.of(number), (number, 0))


def _sign(value: QuantityValue) -> int:
    return (value.amount.nanos > 0) - (value.amount.nanos < 0)


def _compare(one: QuantityValue, other: QuantityValue) -> int:
    return (one.amount > other.amount) - (one.amount < other.amount)


_KNOWN: Final = {"Quantity": QUANTITY_TYPE}
LIBRARY: Final = Library(
    {
        "quantity": (overload("string_to_quantity", "(string) -> Quantity", parse, _KNOWN),),
        "isQuantity": (overload("is_quantity_string", "(string) -> bool", _is_quantity),),
        "sign": (
            overload("quantity_sign", "(Quantity) -> int", _sign, _KNOWN),
            overload("quantity_sign_member", "Quantity.() -> int", _sign, _KNOWN),
        ),
        "isGreaterThan": (
            overload(
                "quantity_is_greater_than", "Quantity.(Quantity) -> bool", lambda a, b: _compare(a, b) > 0, _KNOWN
            ),
        ),
        "isLessThan": (
            overload("quantity_is_less_than", "Quantity.(Quantity) -> bool", lambda a, b: _compare(a, b) < 0, _KNOWN),
        ),
        "compareTo": (overload("quantity_compare_to", "Quantity.(Quantity) -> int", _compare, _KNOWN),),
        "asApproximateFloat": (
            overload("quantity_get_float", "Quantity.() -> double", lambda value: float(value.amount), _KNOWN),
        ),
        "asInteger": (overload("quantity_get_int", "Quantity.() -> int", _as_integer, _KNOWN),),
        "isInteger": (overload("quantity_is_integer", "Quantity.() -> bool", _is_integer, _KNOWN),),
        "add": (
            overload(
                "quantity_add",
                "Quantity.(Quantity) -> Quantity",
                _sum,
                _KNOWN,
            ),
            overload(
                "quantity_add_int",
                "Quantity.(int) -> Quantity",
                lambda a, b: _sum(a, _of(b)),
                _KNOWN,
            ),
        ),
        "sub": (
            overload(
                "quantity_sub",
                "Quantity.(Quantity) -> Quantity",
                _difference,
                _KNOWN,
            ),
            overload(
                "quantity_sub_int",
                "Quantity.(int) -> Quantity",
                lambda a, b: _difference(a, _of(b)),
                _KNOWN,
            ),
        ),
    },
    (QUANTITY_TYPE,),
)
