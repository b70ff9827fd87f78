"""Paths to fields of a schema: `.spec.color`, `.spec['a.b']`; of selectable fields and of validation rules."""

import re
from typing import Final

from kubeactors.api.customresources.structural import Structural

_TOKEN: Final = re.compile(r"'(?:\\.|[^'\\])*'|[.\[\]]|[^.\[\]']+")


class FieldPathError(ValueError):
    """A path that names no field of the schema; the message is Kubernetes'."""


def find_field(path: str, schema: Structural, *, brackets: bool = True) -> tuple[tuple[str, ...], Structural]:
    """(names along the path, the schema at its end). `brackets`: `['a']` is allowed. Raises FieldPathError."""
    tokens = _TOKEN.findall(path)
    if "".join(tokens) != path:
        raise FieldPathError("unable to parse the path")
    names: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at] == "[":
            if not brackets:
                raise FieldPathError("array notation is not allowed")
            if at + 2 >= len(tokens) or tokens[at + 2] != "]":
                raise FieldPathError("unexpected end of JSON path" if at + 2 >= len(tokens) else "expected ]")
            quoted = tokens[at + 1]
            if len(quoted) < 2 or quoted[0] != "'":
                raise FieldPathError(f"expected single quoted string but got {quoted}")
            name = re.sub(r"\\(.)", r"\1", quoted[1:-1])
            at += 3
        elif tokens[at] == ".":
            if at + 1 >= len(tokens) or tokens[at + 1] in ".[]":
                raise FieldPathError("unexpected end of JSON path")
            name = tokens[at + 1]
            at += 2
        else:
            raise FieldPathError(f"expected [ or . but got: {tokens[at]}")
        schema = _step(schema, name)
        names.append(name)
    if not names:
        raise FieldPathError("unexpected end of JSON path")
    return tuple(names), schema


def _step(schema: Structural, name: str) -> Structural:
    found = schema.properties.get(name)
    if found is None:
        found = schema.values
    if found is None:
        raise FieldPathError("does not refer to a valid field")
    return found
