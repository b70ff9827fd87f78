"""The types of the language, and of what Kubernetes declares in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    ERROR = auto()
    DYN = auto()
    NULL = auto()
    BOOL = auto()
    INT = auto()
    UINT = auto()
    DOUBLE = auto()
    STRING = auto()
    BYTES = auto()
    DURATION = auto()
    TIMESTAMP = auto()
    LIST = auto()
    MAP = auto()
    TYPE = auto()
    OPAQUE = auto()  # known by its functions only; may have parameters
    STRUCT = auto()  # has fields, or is known by its functions only
    PARAMETER = auto()  # stands for another type in a declaration


@dataclass(frozen=True, slots=True)
class Type:
    """`name`: of structs, opaque types and parameters. Structs are the same when their names are."""

    kind: Kind
    name: str = ""
    parameters: tuple["Type", ...] = ()
    fields: Mapping[str, "Type"] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """As errors show it."""
        shown = _SHOWN.get(self.kind)
        name = shown or self.name
        if self.kind is Kind.DYN or not self.parameters:
            return name
        return f"{name}({', '.join(map(str, self.parameters))})"

    @property
    def runtime_name(self) -> str:
        """What `type(x)` is called."""
        return _RUNTIME.get(self.kind) or self.name


_SHOWN: Final = {
    Kind.ERROR: "!error!",
    Kind.DYN: "dyn",
    Kind.NULL: "null",
    Kind.BOOL: "bool",
    Kind.INT: "int",
    Kind.UINT: "uint",
    Kind.DOUBLE: "double",
    Kind.STRING: "string",
    Kind.BYTES: "bytes",
    Kind.DURATION: "duration",
    Kind.TIMESTAMP: "timestamp",
    Kind.LIST: "list",
    Kind.MAP: "map",
    Kind.TYPE: "type",
}
_RUNTIME: Final = {
    **{kind: shown for kind, shown in _SHOWN.items()},
    Kind.NULL: "null_type",
    Kind.DURATION: "google.protobuf.Duration",
    Kind.TIMESTAMP: "google.protobuf.Timestamp",
}

ERROR: Final = Type(Kind.ERROR)
DYN: Final = Type(Kind.DYN)
NULL: Final = Type(Kind.NULL)
BOOL: Final = Type(Kind.BOOL)
INT: Final = Type(Kind.INT)
UINT: Final = Type(Kind.UINT)
DOUBLE: Final = Type(Kind.DOUBLE)
STRING: Final = Type(Kind.STRING)
BYTES: Final = Type(Kind.BYTES)
DURATION: Final = Type(Kind.DURATION)
TIMESTAMP: Final = Type(Kind.TIMESTAMP)
TYPE: Final = Type(Kind.TYPE)


def list_of(element: Type) -> Type:
    return Type(Kind.LIST, parameters=(element,))


def map_of(key: Type, value: Type) -> Type:
    return Type(Kind.MAP, parameters=(key, value))


def type_of(of: Type) -> Type:
    """The type of the name of a type."""
    return Type(Kind.TYPE, parameters=(of,))


def optional_of(value: Type) -> Type:
    return Type(Kind.OPAQUE, "optional_type", (value,))


def is_optional(kind: Type) -> bool:
    return kind.kind is Kind.OPAQUE and kind.name == "optional_type"


def opaque(name: str) -> Type:
    return Type(Kind.OPAQUE, name)


def struct(name: str, fields: Mapping[str, Type] | None = None) -> Type:
    """`fields` None: its values have functions, and no fields."""
    return Type(Kind.STRUCT, name, (), fields)


def parameter(name: str) -> Type:
    return Type(Kind.PARAMETER, name)
