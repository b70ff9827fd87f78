"""`string.format(list)`: %s, %d, %f, %e, %b, %o, %x, %X."""

import math
import re
from collections.abc import Callable
from typing import Any, Final

from kubeactors.api.cel import numbers, times
from kubeactors.api.cel.values import (
    Duration,
    EvaluationError,
    Timestamp,
    TypeValue,
    UInt,
    find,
    is_list,
    is_map,
    keys,
    type_name,
)

_MAX_PRECISION: Final = 1000
_MAX_LENGTH: Final = 16 << 20
_CLAUSE: Final = re.compile(r"%(?:(%)|(?:\.([0-9]+))?(.)?)", re.S)


def format_string(text: str, args: Any) -> str:
    """Raises EvaluationError."""
    values = list(args)
    found: list[str] = []
    at = used = 0
    for match in _CLAUSE.finditer(text):
        found.append(text[at : match.start()])
        at = match.end()
        if match[1]:
            found.append("%")
            continue
        if match[3] is None:
            raise EvaluationError("unexpected end of string")
        clause = _CLAUSES.get(match[3])
        if clause is None:
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{match[3]}"')
        if used >= len(values):
            raise EvaluationError(f"index {used} out of range")
        precision = 6 if match[2] is None else int(match[2])
        if precision > _MAX_PRECISION:
            raise EvaluationError(f"precision {precision} exceeds {_MAX_PRECISION}")
        found.append(clause(values[used], precision, match[3]))
        used += 1
    found.append(text[at:])
    made = "".join(found)
    if len(made) > _MAX_LENGTH:
        raise EvaluationError("the result of format is too long")
    return made


def _string(value: Any, precision: int, letter: str) -> str:
    if type(value) is str:
        return value
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is UInt:
        return str(int(value))
    if type(value) is float:
        return numbers.plain_double_text(value)
    if type(value) is bytes:
        return value.decode(errors="replace")
    if type(value) is Duration:
        return times.duration_text(value)
    if type(value) is Timestamp:
        return times.timestamp_text(value)
    if type(value) is TypeValue:
        return value.name
    if is_list(value):
        return "[" + ", ".join(_string(each, precision, letter) for each in value) + "]"
    if is_map(value):
        return "{" + ", ".join(sorted(_entry(value, key, precision) for key in keys(value))) + "}"
    raise EvaluationError(
        "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, "
        f"types, durations, and timestamps, was given {type_name(value)}"
    )


def _entry(value: Any, key: Any, precision: int) -> str:
    if type(key) not in (str, bool, int, UInt):
        raise EvaluationError(f"error during formatting: no formatting function for type of key {type_name(key)}")
    return f"{_string(key, precision, 's')}: {_string(find(value, key), precision, 's')}"


def _wrong(clause: str, wanted: str, value: Any) -> EvaluationError:
    return EvaluationError(
        f"error during formatting: {clause} can only be used on {wanted}, was given {type_name(value)}"
    )


def _decimal(value: Any, precision: int, letter: str) -> str:
    if type(value) is float and (math.isnan(value) or math.isinf(value)):
        return numbers.plain_double_text(value)
    if type(value) is int or type(value) is UInt:
        return str(int(value))
    raise _wrong("decimal clause", "integers", value)


def _fixed(value: Any, precision: int, letter: str) -> str:
    return _double(value, precision, "fixed-point clause", "f")


def _scientific(value: Any, precision: int, letter: str) -> str:
    return _double(value, precision, "scientific clause", "e")


def _double(value: Any, precision: int, clause: str, style: str) -> str:
    if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
        return value
    if type(value) not in (int, UInt, float):
        raise _wrong(clause, "doubles", value)
    number = float(value)
    if math.isnan(number) or math.isinf(number):
        return numbers.plain_double_text(number)
    return f"{number:.{precision}{style}}"


def _binary(value: Any, precision: int, letter: str) -> str:
    if type(value) is bool:
        return "1" if value else "0"
    if type(value) in (int, UInt):
        return f"{int(value):b}"
    raise EvaluationError(
        f"error during formatting: only integers and bools can be formatted as binary, was given {type_name(value)}"
    )


def _hex(value: Any, precision: int, letter: str) -> str:
    if type(value) in (int, UInt):
        text = f"{int(value):x}"
    elif type(value) is str:
        text = value.encode().hex()
    elif type(value) is bytes:
        text = value.hex()
    else:
        raise EvaluationError(
            "error during formatting: only integers, byte buffers, and strings can be formatted as hex, was given "
            f"{type_name(value)}"
        )
    return text.upper() if letter == "X" else text


def _octal(value: Any, precision: int, letter: str) -> str:
    if type(value) in (int, UInt):
        return f"{int(value):o}"
    raise _wrong("octal clause", "integers", value)


_CLAUSES: Final[dict[str, Callable[[Any, int, str], str]]] = {
    "s": _string,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "x": _hex,
    "X": _hex,
    "o": _octal,
}
