"""Functions: what the checker knows of their overloads, and what evaluation calls.

Signatures are written as text: `string.(string) -> bool` for a function called on a string, `(list(T), T) -> bool` for
one called by name. Capital letters stand for any type.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api.cel import types
from kubeactors.api.cel.types import Type, parameter

_SIMPLE: Final = {
    "bool": types.BOOL,
    "bytes": types.BYTES,
    "double": types.DOUBLE,
    "duration": types.DURATION,
    "dyn": types.DYN,
    "int": types.INT,
    "null": types.NULL,
    "string": types.STRING,
    "timestamp": types.TIMESTAMP,
    "type": types.TYPE,
    "uint": types.UINT,
}
_WORD: Final = re.compile(r"[A-Za-z_@][\w.]*\w|\w")


@dataclass(frozen=True, slots=True)
class Overload:
    """`arguments` begin with the target of a member. `run` takes the values; it raises EvaluationError.

    Operators that read their operands themselves (&&, ?:) have no `run`.
    """

    id: str
    arguments: tuple[Type, ...]
    result: Type
    member: bool
    parameters: frozenset[str]
    run: Callable[..., Any] | None


def overload(id: str, signature: str, run: Callable[..., Any] | None, known: Mapping[str, Type] = {}) -> Overload:
    """`known`: types by the names that the signature calls them."""
    before, _, after = signature.partition(" -> ")
    target, _, rest = before.partition(".(") if not before.startswith("(") else ("", "", before[1:])
    reader = _Reader(known)
    arguments = ([reader.type(target)] if target else []) + reader.list(rest.removesuffix(")"))
    result = reader.type(after)
    return Overload(id, tuple(arguments), result, bool(target), frozenset(reader.parameters), run)


class _Reader:
    def __init__(self, known: Mapping[str, Type]) -> None:
        self._known = known
        self.parameters: set[str] = set()

    def list(self, text: str) -> "list[Type]":
        found = []
        depth = start = 0
        for index, char in enumerate(text + ","):
            depth += (char == "(") - (char == ")")
            if char == "," and depth == 0:
                if text[start:index].strip():
                    found.append(self.type(text[start:index].strip()))
                start = index + 1
        return found

    def type(self, text: str) -> Type:
        name, _, inner = text.partition("(")
        parameters = tuple(self.list(inner.removesuffix(")"))) if inner else ()
        if name == "list":
            return Type(types.Kind.LIST, parameters=parameters)
        if name == "map":
            return Type(types.Kind.MAP, parameters=parameters)
        if name == "type" and parameters:
            return types.type_of(parameters[0])
        if name == "optional":
            return types.optional_of(parameters[0])
        if name in self._known:
            return self._known[name]
        if len(name) == 1 and name.isupper():
            self.parameters.add(name)
            return parameter(name)
        return _SIMPLE[name]


Functions = Mapping[str, tuple[Overload, ...]]


@dataclass(frozen=True, slots=True)
class Library:
    """What an extension adds: functions, names of types, macros."""

    functions: Functions
    types: tuple[Type, ...] = ()


def merged(*libraries: Library) -> Functions:
    """The overloads of every function of several libraries."""
    found: dict[str, tuple[Overload, ...]] = {}
    for library in libraries:
        for name, overloads in library.functions.items():
            found[name] = found.get(name, ()) + overloads
    return found
