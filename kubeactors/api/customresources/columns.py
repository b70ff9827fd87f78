"""Printer columns of custom resources."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kubeactors.api.customresources.jsonpath import JsonPathError, json_path
from kubeactors.api.duration import since
from kubeactors.api.go_order import sorted_throughout
from kubeactors.api.go_values import go_json, go_number
from kubeactors.api.kinds.kind import NAME_COLUMN, Cells, Column
from kubeactors.api.meta import Object, parse_time

_DEFAULT = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_AGE_DOC = "ObjectMeta.creationTimestamp"


def columns_of(definitions: Sequence[Mapping[str, Any]]) -> tuple[tuple[Column, ...], Cells]:
    """(columns with the name before them, the function that makes the cells).

    Without definitions, or with a path that cannot be parsed, there are name and age.
    """
    try:
        return _columns(definitions) if definitions else _columns([_DEFAULT], doc=_AGE_DOC)
    except JsonPathError:
        return _columns([_DEFAULT], doc=_AGE_DOC)


def _columns(definitions: Sequence[Mapping[str, Any]], doc: str = "") -> tuple[tuple[Column, ...], Cells]:
    columns = [NAME_COLUMN]
    finders: list[tuple[str, Callable[[Any], list[Any]]]] = []
    for each in definitions:
        path, kind = each.get("jsonPath") or "", each.get("type") or ""
        description = each.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        columns.append(
            Column(
                each.get("name") or "",
                kind,
                "" if doc else description,
                each.get("priority") or 0,
                each.get("format") or "",
                doc,
            )
        )
        finders.append((kind, json_path(path)))

    def cells(obj: Object, now: datetime) -> list[Any]:
        made: list[Any] = [(obj.get("metadata") or {}).get("name") or ""]
        for kind, find in finders:
            found = find(obj)
            made.append(_cell(kind, found[0], now) if found else None)
        return made

    return tuple(columns), cells


def _cell(kind: str, value: Any, now: datetime) -> Any:
    if kind == "string":
        return _text(value)
    if kind == "date":
        return _age(value, now) if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "integer":
        return int(value)
    return value if kind == "number" else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_number(value) if isinstance(value, int | float) else go_json(sorted_throughout(value))


def _age(value: str, now: datetime) -> str:
    if value in ("", "null"):
        return "<unknown>"
    try:
        parse_time(value)
    except (ValueError, OverflowError):
        return "<invalid>"
    return since(value, now)
