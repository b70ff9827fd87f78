"""Which implementation of a function values get, by the types they turn out to have."""

from collections.abc import Callable, Sequence
from typing import Any

from kubeactors.api.cel.declarations import Overload
from kubeactors.api.cel.types import Kind, Type
from kubeactors.api.cel.values import EvaluationError, type_name, type_of_value

_ANY = frozenset({Kind.DYN, Kind.PARAMETER})
_BY_OPERAND = frozenset(
    {"_+_", "_-_", "_*_", "_/_", "_%_", "_<_", "_<=_", "_>_", "_>=_", "_[_]", "_[?_]", "-_", "!_", "@in"}
)


class Dispatcher:
    """The overloads of one function for one style of call, found by the classes of the arguments."""

    def __init__(self, function: str, overloads: Sequence[Overload]) -> None:
        self._function = function
        self._overloads = overloads
        self.known: dict[Any, Callable[..., Any]] = {}

    def find(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        """Raises EvaluationError if no overload takes the arguments."""
        given = [type_of_value(arg) for arg in args]
        for overload in self._overloads:
            if (
                overload.run is not None
                and len(overload.arguments) == len(args)
                and all(map(_fits, overload.arguments, given))
            ):
                key = tuple(map(type, args)) if len(args) > 1 else type(args[0]) if args else ()
                self.known[key] = overload.run
                return overload.run
        if self._function in _BY_OPERAND:
            raise EvaluationError("no such overload")
        raise EvaluationError(f"no such overload: {self._function}({', '.join(map(type_name, args))})")


def _fits(wanted: Type, given: Type) -> bool:
    if wanted.kind in _ANY:
        return True
    if wanted.kind is not given.kind:
        return False
    return wanted.kind not in (Kind.OPAQUE, Kind.STRUCT) or wanted.name == given.name
