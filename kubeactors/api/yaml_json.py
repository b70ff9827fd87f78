"""JSON where YAML is expected, which is what most programs send: read as JSON, in a thirtieth of the time.

Only text that means the same in both is read so. Pure functions.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

#: Says that the text has to be read as YAML.
NOT_PLAIN: Final = object()
_SURELY_SHALLOW: Final = 200  # levels


def read(body: bytes) -> Any:
    """The value of a JSON text; NOT_PLAIN for what is none, repeats a key, is very deep or has escapes by number."""
    # YAML takes no halves of characters, which JSON writes as escapes.
    if b"\\u" in body:
        return NOT_PLAIN
    try:
        value = orjson.loads(body)
        if body.count(b"{") + body.count(b"[") > _SURELY_SHALLOW:
            orjson.dumps(value)  # refuses what is too deep
    except (ValueError, TypeError):
        return NOT_PLAIN
    keys, value = _as_yaml(value)
    if keys != body.count(b'":') or b'" :' in body:
        return NOT_PLAIN if _repeats_keys(body) else value
    return value


def number(value: float) -> int | float:
    """A floating-point number as Go writes it in JSON: whole ones without a point."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _as_yaml(value: Any) -> tuple[int, Any]:
    """How many keys there are in all maps, and the value with its numbers as YAML has them."""
    if type(value) is dict:
        keys = len(value)
        for key, item in value.items():
            kind = type(item)
            if kind is dict or kind is list or kind is float:
                more, value[key] = _as_yaml(item)
                keys += more
        return keys, value
    if type(value) is list:
        keys = 0
        for index, item in enumerate(value):
            kind = type(item)
            if kind is dict or kind is list or kind is float:
                more, value[index] = _as_yaml(item)
                keys += more
        return keys, value
    return 0, number(value) if type(value) is float else value


class _RepeatedError(ValueError):
    pass


def _repeats_keys(body: bytes) -> bool:
    def check(pairs: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in pairs}) != len(pairs):
            raise _RepeatedError

    try:
        json.loads(body, object_pairs_hook=check)
    except _RepeatedError:
        return True
    return False
