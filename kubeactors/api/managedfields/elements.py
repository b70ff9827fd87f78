"""Path elements: how they are written in FieldsV1, read from a client, and shown in messages.

Source: fieldpath/serialize-pe.go and fieldpath/element.go of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from kubeactors.api.fielderrors import go_quote
from kubeactors.api.managedfields.fieldset import LEAF, SELF, Fields, Path

MAX_DEPTH = 200  # of a set of fields that a client gives


class FieldsError(ValueError):
    """A set of fields that cannot be read."""


def field(name: str) -> str:
    return "f:" + name


def key(pairs: dict[str, Any]) -> str:
    """The element of a list's item with these keys."""
    return "k:" + _json({name: _number(pairs[name]) for name in sorted(pairs)})


def value(item: Any) -> str:
    """The element of a set's item."""
    return "v:" + _json(_number(item))


def _json(data: Any) -> str:
    return orjson.dumps(data).decode()


def _number(data: Any) -> Any:
    """1.0 is 1, as it is to JSON."""
    return int(data) if type(data) is float and data.is_integer() else data


def show(element: str) -> str:
    """As messages show it: `.name`, `[name="c"]`, `[="x"]`, `[0]`."""
    kind, content = element[:2], element[2:]
    if kind == "f:":
        return "." + content
    if kind == "i:":
        return f"[{content}]"
    data = orjson.loads(content)
    if kind == "k:":
        return f"[{','.join(f'{name}={_shown(each)}' for name, each in data.items())}]"
    return f"[={_shown(data)}]"


def show_path(path: Iterable[str]) -> str:
    return "".join(map(show, path))


def _shown(data: Any) -> str:
    if isinstance(data, str):
        return go_quote(data)
    if data is None:
        return "null"
    return str(data).lower() if isinstance(data, bool) else str(data)


def path(*names: str) -> Path:
    """The path of nested fields."""
    return tuple(map(field, names))


def read_fields(data: Any, depth: int = 0) -> Fields:
    """FieldsV1 from a client in its canonical form. Elements of an unknown kind are left out. Raises FieldsError."""
    if not isinstance(data, dict):
        raise FieldsError("a set of fields is an object")
    if depth > MAX_DEPTH:
        raise FieldsError("a set of fields is nested too deeply")
    made: Fields = {}
    for element, below in data.items():
        if element == SELF:
            if depth:
                made[SELF] = LEAF
            continue
        canonical = _read_element(element)
        if canonical is not None:
            made[canonical] = read_fields(below, depth + 1)
    return LEAF if len(made) == 1 and SELF in made else made


def _read_element(element: str) -> str | None:
    if len(element.encode()) < 2:
        raise FieldsError("key must be 2 characters long:")
    kind, content = element[:2], element[2:]
    if kind[1] != ":":
        raise FieldsError(f"missing colon: {element}")
    try:
        if kind == "f:":
            return element
        if kind == "i:":
            return f"i:{int(content)}"
        if kind == "v:":
            return value(orjson.loads(content))
        if kind == "k:":
            pairs = orjson.loads(content)
            if not isinstance(pairs, dict):
                raise FieldsError(f"no keys: {element}")
            return key(pairs)
    except FieldsError:
        raise
    except ValueError as error:
        raise FieldsError(str(error)) from None
    return None
