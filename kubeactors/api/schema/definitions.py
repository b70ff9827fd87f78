"""The v1.37 definitions as JSON schema, read once from the package kubernetes-validate.

The whole file is 862 definitions; only those that are asked for, and what they refer to, are kept.
"""

import importlib.resources
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

VERSION: Final = "1.37"
_FILE: Final = f"kubernetes-json-schema/v{VERSION}.0-local/_definitions.json"
_REF: Final = "#/$defs/"

_kept: dict[str, dict[str, Any]] = {}
_expected: set[str] = set()


def definition(name: str) -> dict[str, Any]:
    """One definition (`io.k8s.api.core.v1.Pod`) as it stands in the file. Raises KeyError."""
    found = _kept.get(name)
    if found is None:
        found = closure([name])[name]
    return found


def closure(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The named definitions with every definition that they refer to, directly or not."""
    wanted = list(names)
    source = _kept
    if any(name not in _kept for name in wanted):
        source = _read()
        wanted += [name for name in _expected if name in source]
    result: dict[str, dict[str, Any]] = {}
    todo = wanted
    while todo:
        name = todo.pop()
        if name in result:
            continue
        result[name] = source[name]
        todo.extend(_references(source[name]))
    _kept.update(result)
    return result


def expect(name: str) -> None:
    """Announce that a definition will be asked for: those announced are kept when the file is first read."""
    _expected.add(name)


def definition_names() -> list[str]:
    """Of every definition in the file. Reads the whole of it."""
    return sorted(_read())


def ref_name(schema: dict[str, Any]) -> str:
    """The definition that a schema refers to; empty when it is none of its own."""
    ref = schema.get("$ref")
    return ref.removeprefix(_REF) if ref else ""


def _read() -> dict[str, dict[str, Any]]:
    data = importlib.resources.files("kubernetes_validate").joinpath(_FILE).read_bytes()
    definitions: dict[str, dict[str, Any]] = orjson.loads(data)["$defs"]
    return definitions


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        ref = schema.get("$ref")
        if isinstance(ref, str):
            yield ref.removeprefix(_REF)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
