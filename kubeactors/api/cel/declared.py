"""Declared types with what bounds their values: how many elements at most, how small they may be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.estimates import Range
from kubeactors.api.cel.lexer import RESERVED
from kubeactors.api.cel.types import Kind, Type, list_of, map_of, struct

MAX_REQUEST: Final = 3 * 1024 * 1024  # bytes
_SPECIAL: Final = re.compile(r"__|[-./]")
_ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_NAME: Final = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*")


def escape(name: str) -> str:
    """A field's name as expressions write it; empty for one that they cannot.

    https://kubernetes.io/docs/reference/using-api/cel/#escaping
    """
    if name in RESERVED:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return ""
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], name)


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """`max_elements`: of a list, map or string; `min_size`: in bytes, as JSON. `fields` None: not an object.

    `any_name`: the values of a map are as large by whatever name they are read.
    """

    type: Type
    min_size: int = 0
    max_elements: int = 0
    element: "Declared | None" = None
    key: "Declared | None" = None
    fields: Mapping[str, "Declared"] | None = None
    any_name: bool = False

    def named(self, name: str) -> "Declared":
        """With a name for the types of objects, from which those inside get theirs."""
        if self.fields is not None:
            name = name if self.type.name == "object" else self.type.name
            fields = {key: each.named(f"{name}.{key}") for key, each in self.fields.items()}
            made = struct(name, {key: each.type for key, each in fields.items()})
            return Declared(made, self.min_size, self.max_elements, fields=fields)
        if self.element is None:
            return self
        if self.key is not None:
            return map_type(self.key, self.element.named(f"{name}.@elem"), self.max_elements)
        return list_type(self.element.named(f"{name}.@idx"), self.max_elements)


def list_type(element: Declared, max_items: int) -> Declared:
    return Declared(list_of(element.type), 2, max_items, element)


def map_type(key: Declared, element: Declared, max_properties: int, *, any_name: bool = False) -> Declared:
    return Declared(map_of(key.type, element.type), 2, max_properties, element, key, any_name=any_name)


def object_type(name: str, fields: Mapping[str, Declared], min_size: int = 2) -> Declared:
    made = struct(name, {key: each.type for key, each in fields.items()})
    return Declared(made, min_size, fields=dict(fields))


def size_at(root: Declared, path: Sequence[str]) -> Range | None:
    """How large the value at a path may be. Steps are names, `@items`, `@values` and `@keys`."""
    node = root
    for name in path:
        if name in ("@items", "@values"):
            found = node.element
        elif name == "@keys":
            found = node.key
        else:
            found = (node.fields or {}).get(name) or (node.element if node.any_name else None)
        if found is None:
            return None
        node = found
    return Range(0, node.max_elements)


def has_parameters(type: Type) -> bool:
    return type.kind in (Kind.LIST, Kind.MAP) and bool(type.parameters)
