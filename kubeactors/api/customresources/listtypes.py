"""Uniqueness in lists of type set and map."""

from typing import Any

import orjson

from kubeactors.api import fielderrors
from kubeactors.api.customresources.structural import Structural
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.go_order import sorted_throughout


def list_errors(obj: Any, schema: Structural, path: str = "") -> list[FieldError]:
    """Repeated items of sets and repeated keys of maps, anywhere in the object."""
    errors: list[FieldError] = []
    if isinstance(obj, dict):
        for key, value in obj.items():
            known = schema.properties.get(key)
            if known is not None:
                errors += list_errors(value, known, f"{path}.{key}" if path else key)
            elif schema.values is not None:
                errors += list_errors(value, schema.values, f"{path}[{key}]")
    elif isinstance(obj, list):
        if schema.list_type == "set":
            errors += [fielderrors.duplicate(f"{path}[{i}]", sorted_throughout(obj[i])) for i in _repeated(obj)]
        elif schema.list_type == "map":
            errors += _map_errors(obj, schema.map_keys, path)
        if schema.items is not None:
            for index, each in enumerate(obj):
                errors += list_errors(each, schema.items, f"{path}[{index}]")
    return errors


def _map_errors(items: list[Any], keys: tuple[str, ...], path: str) -> list[FieldError]:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            message = "must be an object for an array of list-type map"
            return [fielderrors.invalid(f"{path}[{index}]", item, message)]
    of_items = [{key: (item or {})[key] for key in keys if key in (item or {})} for item in items]
    return [fielderrors.duplicate(f"{path}[{i}]", sorted_throughout(of_items[i])) for i in _repeated(of_items)]


def _repeated(items: list[Any]) -> list[int]:
    """Where a value comes for the second time; further times are not told."""
    times: dict[bytes, int] = {}
    found = []
    for index, item in enumerate(items):
        text = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        times[text] = times.get(text, 0) + 1
        if times[text] == 2:
            found.append(index)
    return found
