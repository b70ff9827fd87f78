"""Paths to fields of a schema: `.spec.color`, `.spec['a.b']`; of selectable fields and of validation rules."""

import re
from collections.abc import Iterator
from typing import Final

from kubeactors.api.customresources.structural import Structural

# A quoted string with its escapes, a delimiter, or what stands between delimiters.
_TOKEN: Final = re.compile(r"'(?:[^']|(?<=\\)')*'|[.\[\]]|'.*|[^.\[\]']+[^.\[\]]*", re.S)
_ESCAPE: Final = re.compile(r"\\(.)", re.S)
_ESCAPED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class FieldPathError(ValueError):
    """A path that names no field of the schema; the message is Kubernetes'."""


def find_field(path: str, schema: Structural, *, brackets: bool = True) -> tuple[tuple[str, ...], Structural]:
    """(names along the path, the schema at its end). `brackets`: `['a']` is allowed. Raises FieldPathError."""
    tokens = iter(_TOKEN.findall(path))
    names: list[str] = []
    for token in tokens:
        if token == ".":
            name = _next(tokens)
            schema = _step(schema, name)
        elif token == "[":
            if not brackets:
                raise FieldPathError("array notation is not allowed")
            name = _unquoted(_next(tokens))
            schema = _step(schema, name)
            end = _next(tokens)
            if end != "]":
                raise FieldPathError(f"expected ] but got {end}")
        else:
            raise FieldPathError(f"expected [ or . but got: {token}")
        names.append(name)
    return tuple(names), schema


def _next(tokens: Iterator[str]) -> str:
    for token in tokens:
        return token
    raise FieldPathError("unexpected end of JSON path")


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != "'" or text[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {text}")
    wrong = [match[0] for match in _ESCAPE.finditer(text[1:-1]) if match[1] not in _ESCAPED]
    if wrong:
        raise FieldPathError(f"invalid string literal: invalid escape char {wrong[-1]}")
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], text[1:-1])


def _step(schema: Structural, name: str) -> Structural:
    found = schema.properties.get(name)
    if found is None:
        found = schema.values
    if found is None:
        raise FieldPathError("does not refer to a valid field")
    return found
