"""Defaulting by the structural schema, and removal of nulls where null is not allowed."""

import copy
from typing import Any

from kubeactors.api.customresources.structural import Structural


def apply_defaults(obj: Any, schema: Structural) -> None:
    """Fill missing fields (and nulls of fields that are not nullable) that have a default. In place."""
    _default(obj, schema)
    _drop_nulls(obj, schema)


def _default(value: Any, schema: Structural | None) -> None:
    if schema is None:
        return
    if isinstance(value, dict):
        for key, known in schema.properties.items():
            if known.default is not None and (key not in value or (value[key] is None and known.refuses_null())):
                value[key] = copy.deepcopy(known.default)
        for key, each in value.items():
            known_or_none = schema.properties.get(key)
            if known_or_none is not None:
                _default(each, known_or_none)
            elif schema.values is not None:
                if each is None and schema.values.refuses_null():
                    value[key] = each = copy.deepcopy(schema.values.default)
                _default(each, schema.values)
    elif isinstance(value, list) and schema.items is not None:
        for index, each in enumerate(value):
            if each is None and schema.items.refuses_null():
                value[index] = each = copy.deepcopy(schema.items.default)
            _default(each, schema.items)


def _drop_nulls(value: Any, schema: Structural | None) -> None:
    if schema is None:
        return
    if isinstance(value, dict):
        for key in list(value):
            known = schema.properties.get(key)
            if known is None:
                known = schema.values
            if known is None:
                continue
            if value[key] is None and known.refuses_null():
                del value[key]
            else:
                _drop_nulls(value[key], known)
    elif isinstance(value, list):
        for each in value:
            _drop_nulls(each, schema.items)
