"""How the message about a bad patch quotes the object that the patch made.

Kubernetes' patch library keeps what it does not touch as the text that it was, in the order of Go's structs, and writes
what it does touch as sorted maps; the object itself it touches always.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from kubeactors.api.go_order import in_go_order, sorted_throughout
from kubeactors.api.go_values import go_json
from kubeactors.api.protobuf.messages import json_fields


class _Touched:
    """Which parts of an object a patch looked into: a member for each, empty where no part of it was touched."""

    __slots__ = ("given", "parts")

    def __init__(self) -> None:
        self.parts: dict[str, _Touched] = {}
        self.given = False  # it stands as the patch gave it

    def part(self, name: str) -> _Touched:
        return self.parts.setdefault(name, _Touched())


def quoted(result: Any, patch: bytes, schema: str) -> str:
    """The text of a merge or JSON patch's result. `schema` is empty for custom resources, which are maps throughout."""
    if not schema:
        return go_json(sorted_throughout(result))
    return go_json(_written(result, _touched_by(orjson.loads(patch) if patch else None), schema))


def _touched_by(patch: Any) -> _Touched:
    touched = _Touched()
    if isinstance(patch, dict):
        _merged(patch, touched)
    for operation in patch if isinstance(patch, list) else ():
        for path in _paths(operation):
            here = touched
            for segment in path:
                here = here.part(segment)
            here.given = here.given or "value" in operation
    return touched


def _merged(patch: dict[str, Any], touched: _Touched) -> None:
    for key, value in patch.items():
        part = touched.part(key)
        if isinstance(value, dict):
            _merged(value, part)
        else:
            part.given = True


def _paths(operation: Any) -> Iterator[list[str]]:
    for field in ("path", "from"):
        path = operation.get(field) if isinstance(operation, dict) else None
        if isinstance(path, str):
            yield [each.replace("~1", "/").replace("~0", "~") for each in path.split("/")[1:]]


def _written(value: Any, touched: _Touched, code: str) -> Any:
    if isinstance(value, dict) and (touched.parts or not touched.given):
        return {key: _part(value[key], touched.parts.get(key), _code_of(code, key)) for key in sorted(value)}
    if isinstance(value, list) and touched.parts:
        of = code[1:] if code.startswith("[") else ""
        return [_part(each, touched.parts.get(str(index)), of) for index, each in enumerate(value)]
    return value


def _part(value: Any, touched: _Touched | None, code: str) -> Any:
    return in_go_order(value, code) if touched is None else _written(value, touched, code)


def _code_of(code: str, key: str) -> str:
    return code[1:] if code.startswith("{") else json_fields(code).get(key, "")
