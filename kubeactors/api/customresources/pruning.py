"""Pruning: fields that the structural schema does not name are removed."""

from dataclasses import replace
from typing import Any

from kubeactors.api.customresources.structural import META_FIELDS, Structural


def prune(obj: Any, schema: Structural | None, *, root: bool) -> list[str]:
    """Remove unknown fields in place; their paths (`spec.list[0].x`), sorted.

    `root`: the object is a whole one, whose apiVersion, kind and metadata stay.
    """
    if root:
        schema = Structural(embedded=True) if schema is None else schema
        if not schema.embedded:
            schema = replace(schema, embedded=True)
    removed: list[str] = []
    _prune(obj, schema, "", removed)
    return sorted(removed)


def _prune(value: Any, schema: Structural | None, path: str, removed: list[str]) -> None:
    if schema is not None and schema.preserve_unknown:
        _skip(value, schema, path, removed)
    elif isinstance(value, dict):
        for key in list(value):
            if schema is None:
                del value[key]
                removed.append(_child(path, key))
                continue
            if schema.embedded and key in META_FIELDS:
                continue
            known = schema.properties.get(key)
            if known is not None:
                _prune(value[key], known, _child(path, key), removed)
            elif schema.free_keys:
                _prune(value[key], schema.values, _child(path, key), removed)
            else:
                del value[key]
                removed.append(_child(path, key))
    elif isinstance(value, list):
        items = None if schema is None else schema.items
        for index, each in enumerate(value):
            _prune(each, items, f"{path}[{index}]", removed)


def _skip(value: Any, schema: Structural | None, path: str, removed: list[str]) -> None:
    """Keep what is not named, but prune inside of what is."""
    if schema is None:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            if schema.embedded and key in META_FIELDS:
                continue
            known = schema.properties.get(key)
            if known is not None:
                _prune(each, known, _child(path, key), removed)
            elif schema.values is not None:
                _prune(each, schema.values, _child(path, key), removed)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _skip(each, schema.items, f"{path}[{index}]", removed)


def _child(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
