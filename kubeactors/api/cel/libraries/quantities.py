"""Quantities: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-quantity-library"""

from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.types import Type, struct
from kubeactors.api.cel.values import INT_MAX, INT_MIN, EvaluationError
from kubeactors.api.quantity import NANO, Quantity, QuantityError

QUANTITY_TYPE: Final = struct("kubernetes.Quantity")


@dataclass(frozen=True, slots=True, order=True)
class QuantityValue:
    amount: Quantity

    @property
    def cel_type(self) -> Type:
        return QUANTITY_TYPE


def parse(text: str) -> QuantityValue:
    """Raises EvaluationError."""
    try:
        return QuantityValue(_parse(text))
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
    return not value.amount.nanos % NANO and INT_MIN <= value.amount.nanos // NANO <= INT_MAX


def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return value.amount.nanos // NANO


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
                lambda a, b: QuantityValue(a.amount + b.amount),
                _KNOWN,
            ),
            overload(
                "quantity_add_int",
                "Quantity.(int) -> Quantity",
                lambda a, b: QuantityValue(a.amount + Quantity.of(b)),
                _KNOWN,
            ),
        ),
        "sub": (
            overload(
                "quantity_sub",
                "Quantity.(Quantity) -> Quantity",
                lambda a, b: QuantityValue(a.amount - b.amount),
                _KNOWN,
            ),
            overload(
                "quantity_sub_int",
                "Quantity.(int) -> Quantity",
                lambda a, b: QuantityValue(a.amount - Quantity.of(b)),
                _KNOWN,
            ),
        ),
    },
    (QUANTITY_TYPE,),
)
