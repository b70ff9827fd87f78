"""The types that validation rules see: of the fields of a structural schema.

Values that a schema says nothing of are not seen. Bounds (maxItems, maxLength …) are kept, as costs follow from them.
"""

from dataclasses import replace
from typing import Final

from kubeactors.api.cel import types
from kubeactors.api.cel.declared import MAX_REQUEST, Declared, escape, list_type, map_type, object_type
from kubeactors.api.customresources.structural import Structural

_TEXT: Final = Structural(type="string")
_METADATA: Final = Structural(type="object", properties={"name": _TEXT, "generateName": _TEXT})
_LONGEST: Final = MAX_REQUEST - 2  # characters, of a string that nothing else bounds
_TIME_LENGTH: Final = 32
_DATE_LENGTH: Final = 12
_BOOL: Final = Declared(types.BOOL, 4)
_NUMBER: Final = Declared(types.DOUBLE, 1)
_INTEGER: Final = Declared(types.INT, 1)
_KEY: Final = Declared(types.STRING, 2)


def whole(schema: Structural) -> Structural:
    """The schema of a whole object, of which apiVersion, kind and names are seen always."""
    known = schema.properties
    names = known.get("metadata", Structural()).properties
    texts = (known.get("kind"), known.get("apiVersion"), names.get("name"), names.get("generateName"))
    if all(each is not None and each.type == "string" for each in texts) and known["metadata"].type == "object":
        return schema
    return replace(schema, properties={**known, "kind": _TEXT, "apiVersion": _TEXT, "metadata": _METADATA})


def declared(schema: Structural, *, root: bool = False) -> Declared | None:
    """The type of a schema's values; None: rules do not see them. `root`: they are whole objects."""
    if schema.int_or_string:
        longest = schema.source.get("maxLength")
        return Declared(types.DYN, 1, _LONGEST if longest is None else max(longest, 0) * 4)
    if root:
        schema = whole(schema)
    if schema.type == "array":
        return _list(schema)
    if schema.type == "object":
        return _object(schema)
    if schema.type == "string":
        return _string(schema)
    return {"boolean": _BOOL, "number": _NUMBER, "integer": _INTEGER}.get(schema.type)


def _list(schema: Structural) -> Declared | None:
    item = None if schema.items is None else declared(schema.items, root=schema.items.embedded)
    if item is None:
        return None
    most = schema.source.get("maxItems")
    return list_type(item, _LONGEST // (item.min_size + 1) if most is None else max(most, 0))


def _object(schema: Structural) -> Declared | None:
    if schema.values is not None:
        value = declared(schema.values, root=schema.values.embedded)
        if value is None:
            return None
        most = schema.source.get("maxProperties")
        return map_type(_KEY, value, _LONGEST // (value.min_size + 6) if most is None else max(most, 0))
    required = schema.source.get("required") or ()
    fields: dict[str, Declared] = {}
    smallest = 2
    for name, each in schema.properties.items():
        found = declared(each, root=each.embedded)
        if found is None:
            continue
        escaped = escape(name)
        if escaped:
            fields[escaped] = found
        if name in required and each.default is None:
            smallest += len(name.encode()) + found.min_size + 4
    return object_type("object", fields, smallest)


def _string(schema: Structural) -> Declared:
    longest, format = schema.source.get("maxLength"), schema.source.get("format")
    if format == "byte":
        return Declared(types.BYTES, 2, _LONGEST if longest is None else max(longest, 0))
    if format == "duration":
        return Declared(types.DURATION, 3, _TIME_LENGTH)
    if format == "date":
        return Declared(types.TIMESTAMP, _DATE_LENGTH, _DATE_LENGTH)
    if format == "date-time":
        return Declared(types.TIMESTAMP, 21, _TIME_LENGTH)
    if longest is not None:
        return Declared(types.STRING, 2, max(longest, 0) * 4)
    values = [each for each in schema.source.get("enum") or () if isinstance(each, str)]
    if schema.source.get("enum"):
        return Declared(types.STRING, 2, max((len(each.encode()) for each in values), default=0))
    return Declared(types.STRING, 2, _LONGEST)
