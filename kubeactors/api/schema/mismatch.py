"""A value of the wrong type, in the words of Go's decoder.

Where and what was wanted is said as Go sees it: by the struct that has the field and the name of the field's Go type.
"""

from __future__ import annotations

from typing import Any, Final

from kubeactors.api.schema.type_names import type_names
from kubeactors.api.schema.types import JSON_SCHEMA_PROPS, ListType, MapType, Scalar, SchemaType, Struct, struct

Path = tuple[Any, ...] | None  # (parent path, field name or list index)

MAP: Final = "map"
ARRAY: Final = "array"


class TypeMismatchError(ValueError):
    """A value of the wrong type; once `locate` was called, the message names the field."""

    def __init__(self, message: str, value: Any = None, wanted: str = "", path: Path = None) -> None:
        super().__init__(message)
        self.value = value
        self.wanted = wanted
        self.path = path

    def locate(self, root: SchemaType) -> None:
        """Say where in an object of type `root` it is, as Go does: without indexes and keys of maps."""
        if not self.wanted:
            return
        owner, names, type_, name = "", [], root, ""
        for part in _parts(self.path):
            if isinstance(type_, Scalar) and isinstance(part, str):  # a schema of a custom resource
                type_ = struct(JSON_SCHEMA_PROPS)
            if isinstance(type_, Struct):
                owner, name = type_.name, type_names(type_.name).get(part, "")
                names.append(part)
                type_ = type_.fields[part].type
            elif isinstance(type_, ListType):
                type_, name = type_.item, name.removeprefix("[]")
            elif isinstance(type_, MapType):
                type_, name = type_.value, name.removeprefix("map[string]") if name.startswith("map[") else ""
        where = f"struct field {owner.rpartition('.')[2]}.{'.'.join(names)}" if names else "value"
        self.args = (mismatch_text(self.value, name or _go_type(type_, self.wanted), where),)

    def as_conversion(self) -> str:
        """The message in the words of the converter that reads the result of strategic merge patches."""
        given = next((name for kind, name in _CONVERTER_NAMES if isinstance(self.value, kind)), "")
        if not self.wanted or not given:
            return str(self)
        if self.wanted in (MAP, ARRAY):
            return f"cannot restore {'slice' if self.wanted == ARRAY else 'map'} from {given}"
        if self.wanted[0].isupper():
            return f"cannot restore struct from: {given}"
        # Go converts every number to every other, and integers to strings, which JSON does not: only those
        # conversions get far enough to be refused by name.
        if given in ("int64", "float64") and self.wanted != "bool" and (given, self.wanted) != ("float64", "string"):
            return f"cannot convert {given} to {self.wanted}"
        return f"unrecognized type: {self.wanted}"


_CONVERTER_NAMES: Final = (
    (bool, "bool"),
    (int, "int64"),
    (float, "float64"),
    (str, "string"),
    (list, "slice"),
    (dict, "map"),
)


def mismatch_text(value: Any, wanted: str, where: str = "value") -> str:
    """The message for a parsed JSON value that Go's type `wanted` cannot hold."""
    return f"json: cannot unmarshal {_given(value, wanted)} into Go {where} of type {wanted}"


def _parts(path: Path) -> list[Any]:
    parts: list[Any] = []
    while path is not None:
        parts.append(path[1])
        path = path[0]
    return parts[::-1]


def _given(value: Any, wanted: str) -> str:
    """What JSON calls the value. A number is quoted only where another number would have done."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if wanted.startswith(("int", "float")) else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _go_type(type_: SchemaType, scalar: str) -> str:
    if isinstance(type_, Struct):
        return ".".join(type_.name.split(".")[-2:])
    if isinstance(type_, ListType):
        return f"[]{_go_type(type_.item, _GO_SCALARS.get(getattr(type_.item, 'type', ''), scalar))}"
    if isinstance(type_, MapType):
        return f"map[string]{_go_type(type_.value, _GO_SCALARS.get(getattr(type_.value, 'type', ''), scalar))}"
    return scalar


_GO_SCALARS: Final = {
    "string": "string",
    "boolean": "bool",
    "int32": "int32",
    "int64": "int64",
    "number": "float64",
    "bytes": "[]uint8",
    "quantity": "resource.Quantity",
    "amount": "resource.Quantity",
    "int-or-string": "intstr.IntOrString",
    "time": "v1.Time",
    "micro-time": "v1.MicroTime",
}
