"""Values as Go prints them in messages."""

from decimal import Decimal
from typing import Any, Final

import orjson

_HTML: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_NOT_FINITE: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def go_json(value: Any) -> str:
    """JSON as Go's encoder writes it: safe within HTML."""
    text = orjson.dumps(value).decode()
    for character, escaped in _HTML.items():
        text = text.replace(character, escaped)
    return text


def go_number(number: float) -> str:
    """A number as Go's %v prints it: floats below 0.0001 and from a million on have an exponent."""
    text = repr(number)
    if isinstance(number, int) or text in _NOT_FINITE:
        return _NOT_FINITE.get(text, text)
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    power = len(digits) + exponent - 1
    if number == 0 or -4 <= power < 6:
        return text.removesuffix(".0")
    known = "".join(map(str, digits)).rstrip("0")
    mantissa = f"{known[0]}.{known[1:]}" if known[1:] else known
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
