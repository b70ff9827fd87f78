"""The nodes of a parsed expression. The checker writes what it finds into them: types, overloads, declarations."""

from dataclasses import dataclass, field
from typing import Any, Final

from kubeactors.api.cel.types import DYN, Type

ACCUMULATOR: Final = "@result"  # no expression can name it


@dataclass(slots=True, eq=False)
class Node:
    """`position`: where it stands in the text. `type`: set by the checker."""

    position: int
    type: Type = field(default=DYN, init=False)


@dataclass(slots=True, eq=False)
class Literal(Node):
    """A value written down: None, a bool, int, UInt, float, str or bytes."""

    value: Any


@dataclass(slots=True, eq=False)
class Ident(Node):
    name: str


@dataclass(slots=True, eq=False)
class Select(Node):
    """`operand.field`; as a test (of the macro has) whether there is such a field.

    `declared`: the whole chain is the name of a declared variable or type, `authorizer.requestResource`.
    """

    operand: Node
    field: str
    test: bool = False
    declared: str = ""


@dataclass(slots=True, eq=False)
class Call(Node):
    """`target.function(args)`, `function(args)` and operators (`_+_`). `overloads`: those the checker found to fit."""

    function: str
    target: Node | None
    args: list[Node]
    overloads: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class ListNode(Node):
    """`[a, ?b]`; `optional`: the indexes with a question mark."""

    elements: list[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Entry:
    """`key: value` of a map, `field: value` of an object (then `key` is its name)."""

    position: int
    key: Node | str
    value: Node
    optional: bool = False


@dataclass(slots=True, eq=False)
class MapNode(Node):
    entries: list[Entry]


@dataclass(slots=True, eq=False)
class StructNode(Node):
    name: str
    fields: list[Entry]


@dataclass(slots=True, eq=False)
class Comprehension(Node):
    """A fold over a list or the keys of a map, which is what macros become.

    `macro` names one that the evaluator has a loop of its own for, `body` and `filter` are then its parts. They are
    parts of `step` also, which the checker and the cost estimate walk.
    """

    range: Node
    variable: str
    variable2: str
    accumulator: str
    init: Node
    condition: Node
    step: Node
    result: Node
    macro: str = ""
    body: Node | None = None
    filter: Node | None = None
