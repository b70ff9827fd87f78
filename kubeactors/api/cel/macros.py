"""Macros: calls that become other nodes while an expression is parsed.

https://github.com/google/cel-spec/blob/master/doc/langdef.md#macros, those for two variables, those of optional values,
and cel.bind and sortBy of the reference implementation's extensions.
"""

from collections.abc import Callable, Mapping
from typing import Final

from kubeactors.api.cel.ast import (
    ACCUMULATOR,
    Call,
    Comprehension,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
)

_UNUSED: Final = "#unused"


class MacroError(Exception):
    """Arguments that a macro cannot take."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


Expander = Callable[[int, Node, list[Node]], Node | None]


class Macros:
    """Those of an environment: has(), and `members`, which are called on a target, by (name, count of arguments)."""

    def __init__(self, members: Mapping[tuple[str, int], Expander]) -> None:
        self._members = members

    def plus(self, members: Mapping[tuple[str, int], Expander]) -> "Macros":
        return Macros({**self._members, **members})

    def expand(self, position: int, name: str, target: Node | None, args: list[Node]) -> Node | None:
        """What a call becomes; None: it stays a call. Raises MacroError."""
        if target is None:
            return _has(position, args[0]) if name == "has" and len(args) == 1 else None
        macro = self._members.get((name, len(args)))
        return macro(position, target, args) if macro is not None else None


def _has(position: int, argument: Node) -> Node:
    if isinstance(argument, Select) and not argument.test:
        return Select(position, argument.operand, argument.field, test=True)
    raise MacroError(argument.position, "invalid argument to has() macro")


def _variable(argument: Node, message: str = "argument must be a simple name") -> str:
    if not isinstance(argument, Ident) or argument.name.startswith("."):
        raise MacroError(argument.position, message)
    if argument.name in ("__result__", ACCUMULATOR):
        raise MacroError(argument.position, "iteration variable overwrites accumulator variable")
    return argument.name


def _variables(args: list[Node], two: bool) -> tuple[str, str]:
    first = _variable(args[0])
    second = _variable(args[1]) if two else ""
    if two and first == second:
        raise MacroError(args[1].position, f"duplicate variable name: {second}")
    return first, second


def _result(position: int) -> Node:
    return Ident(position, ACCUMULATOR)


def _call(position: int, function: str, *args: Node) -> Node:
    return Call(position, function, None, list(args))


def _quantifier(kind: str, two: bool) -> Expander:
    def expand(position: int, target: Node, args: list[Node]) -> Node:
        first, second = _variables(args, two)
        body = args[-1]
        everything = kind == "all"
        held = _result(position) if everything else _call(position, "!_", _result(position))
        return Comprehension(
            position,
            target,
            first,
            second,
            ACCUMULATOR,
            init=Literal(position, everything),
            condition=_call(position, "@not_strictly_false", held),
            step=_call(position, "_&&_" if everything else "_||_", _result(position), body),
            result=_result(position),
            macro=kind,
            body=body,
        )

    return expand


def _exactly_one(two: bool) -> Expander:
    def expand(position: int, target: Node, args: list[Node]) -> Node:
        first, second = _variables(args, two)
        body = args[-1]
        more = _call(position, "_+_", _result(position), Literal(position, 1))
        return Comprehension(
            position,
            target,
            first,
            second,
            ACCUMULATOR,
            init=Literal(position, 0),
            condition=Literal(position, True),
            step=_call(position, "_?_:_", body, more, _result(position)),
            result=_call(position, "_==_", _result(position), Literal(position, 1)),
            macro="exists_one",
            body=body,
        )

    return expand


def _to_list(
    position: int, target: Node, variables: tuple[str, str], filter: Node | None, body: Node, macro: str = "map"
) -> Node:
    step = _call(position, "_+_", _result(position), ListNode(position, [body]))
    if filter is not None:
        step = _call(position, "_?_:_", filter, step, _result(position))
    return Comprehension(
        position,
        target,
        *variables,
        ACCUMULATOR,
        init=ListNode(position, []),
        condition=Literal(position, True),
        step=step,
        result=_result(position),
        macro=macro,
        body=body,
        filter=filter,
    )


def _map(position: int, target: Node, args: list[Node]) -> Node:
    name = _variable(args[0], "argument is not an identifier")
    return _to_list(position, target, (name, ""), args[1] if len(args) == 3 else None, args[-1])


def _filter(position: int, target: Node, args: list[Node]) -> Node:
    name = _variable(args[0], "argument is not an identifier")
    return _to_list(position, target, (name, ""), args[1], Ident(args[0].position, name))


def _transform_list(position: int, target: Node, args: list[Node]) -> Node:
    return _to_list(position, target, _variables(args, True), args[2] if len(args) == 4 else None, args[-1])


def _transform_map(whole_entries: bool) -> Expander:
    def expand(position: int, target: Node, args: list[Node]) -> Node:
        variables = _variables(args, True)
        parts = [args[-1]] if whole_entries else [Ident(position, variables[0]), args[-1]]
        step = _call(position, "cel.@mapInsert", _result(position), *parts)
        if len(args) == 4:
            step = _call(position, "_?_:_", args[2], step, _result(position))
        return Comprehension(
            position,
            target,
            *variables,
            ACCUMULATOR,
            init=MapNode(position, []),
            condition=Literal(position, True),
            step=step,
            result=_result(position),
        )

    return expand


def _bound(position: int, name: str, value: Node, result: Node) -> Node:
    return Comprehension(
        position,
        ListNode(position, []),
        _UNUSED,
        "",
        name,
        init=value,
        condition=Literal(position, False),
        step=Ident(position, name),
        result=result,
        macro="bind",
    )


def _bind(position: int, target: Node, args: list[Node]) -> Node | None:
    if not isinstance(target, Ident) or target.name != "cel":
        return None
    name = args[0]
    if not isinstance(name, Ident):
        raise MacroError(name.position, "cel.bind() variable names must be simple identifiers")
    return _bound(position, name.name, args[1], args[2])


def _optional_map(flat: bool) -> Expander:
    macro = "optFlatMap" if flat else "optMap"

    def expand(position: int, target: Node, args: list[Node]) -> Node:
        variable = args[0]
        if not isinstance(variable, Ident):
            raise MacroError(variable.position, f"{macro}() variable name must be a simple identifier")
        value: Node = Call(position, "value", target, [])
        mapped = _bound(position, variable.name, value, args[1])
        return _call(
            position,
            "_?_:_",
            Call(position, "hasValue", target, []),
            mapped if flat else _call(position, "optional.of", mapped),
            _call(position, "optional.none"),
        )

    return expand


def _sort_by(position: int, target: Node, args: list[Node]) -> Node:
    name = _variable(args[0], "@sortBy() variable name must be a simple identifier")
    held = "@__sortBy_input__"
    keys = _to_list(position, Ident(position, held), (name, ""), None, args[1])
    ordered = Call(position, "@sortByAssociatedKeys", Ident(position, held), [keys])
    return _bound(position, held, target, ordered)


STANDARD: Final[dict[tuple[str, int], Expander]] = {
    ("all", 2): _quantifier("all", False),
    ("exists", 2): _quantifier("exists", False),
    ("exists_one", 2): _exactly_one(False),
    ("existsOne", 2): _exactly_one(False),
    ("map", 2): _map,
    ("map", 3): _map,
    ("filter", 2): _filter,
}
TWO_VARIABLES: Final[dict[tuple[str, int], Expander]] = {
    ("all", 3): _quantifier("all", True),
    ("exists", 3): _quantifier("exists", True),
    ("existsOne", 3): _exactly_one(True),
    ("exists_one", 3): _exactly_one(True),
    ("transformList", 3): _transform_list,
    ("transformList", 4): _transform_list,
    ("transformMap", 3): _transform_map(False),
    ("transformMap", 4): _transform_map(False),
    ("transformMapEntry", 3): _transform_map(True),
    ("transformMapEntry", 4): _transform_map(True),
}
OPTIONAL: Final[dict[tuple[str, int], Expander]] = {
    ("optMap", 2): _optional_map(False),
    ("optFlatMap", 2): _optional_map(True),
}
BINDINGS: Final[dict[tuple[str, int], Expander]] = {("bind", 3): _bind}
SORTING: Final[dict[tuple[str, int], Expander]] = {("sortBy", 2): _sort_by}
