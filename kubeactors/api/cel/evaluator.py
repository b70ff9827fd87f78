"""Checked nodes become closures. A closure takes a frame, which is a list: cost so far, cost limit, variables.

What evaluation costs is counted as the reference implementation does, so that the limits of Kubernetes mean the same:
https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints.
"""

from collections.abc import Callable
from typing import Any, Final

from kubeactors.api.cel import comprehensions
from kubeactors.api.cel.ast import (
    Call,
    Comprehension,
    Entry,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    StructNode,
)
from kubeactors.api.cel.declarations import Functions
from kubeactors.api.cel.dispatch import Dispatcher
from kubeactors.api.cel.runtime_cost import LIST_COST, MAP_COST, STRUCT_COST, call_cost
from kubeactors.api.cel.structs import StructValue
from kubeactors.api.cel.types import Kind, Type
from kubeactors.api.cel.values import (
    MISSING,
    NONE,
    EvaluationError,
    Fields,
    Optional,
    TypeValue,
    find,
    is_list,
    is_map,
    keyed,
)

COST, LIMIT, FIRST = 0, 1, 2
Frame = list[Any]
Closure = Callable[[Frame], Any]


class Compiler:
    """Of one expression. `variables` get places in the frame, in order; loops take further places."""

    def __init__(self, variables: list[str], names: Callable[[str], Type | None], functions: Functions) -> None:
        self.places = {name: FIRST + index for index, name in enumerate(variables)}
        self.size = FIRST + len(variables)
        self._names = names
        self._functions = functions
        self._dispatchers: dict[tuple[str, bool, tuple[str, ...]], Dispatcher] = {}

    def place(self, name: str) -> int:
        """A new place for a variable of a loop."""
        self.size += 1
        self.places[name] = self.size - 1
        return self.size - 1

    def compile(self, node: Node) -> Closure:
        if isinstance(node, Literal):
            value = node.value
            return lambda frame: value
        if isinstance(node, Ident):
            return self._name(node.name)
        if isinstance(node, Select):
            return self._select(node)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, ListNode):
            return self._list(node)
        if isinstance(node, MapNode):
            return self._map(node)
        if isinstance(node, StructNode):
            return self._struct(node)
        assert isinstance(node, Comprehension)
        return comprehensions.compile(node, self)

    # --- names and fields

    def _name(self, name: str) -> Closure:
        place = self.places.get(name)
        if place is None:
            named = self._names(name)
            known = named is not None and named.kind is Kind.TYPE and named.parameters
            type_value = TypeValue(named.parameters[0].runtime_name if named is not None and known else "type")
            return lambda frame: type_value

        def variable(frame: Frame) -> Any:
            frame[COST] += 1
            value = frame[place]
            if value is MISSING:
                raise EvaluationError(f"no such attribute(s): {name}")
            return value

        return variable

    def _select(self, node: Select) -> Closure:
        if node.declared:
            return self._name(node.declared)
        operand, field = self.compile(node.operand), node.field
        if node.test:
            return lambda frame: has(operand(frame), field)

        def selected(frame: Frame) -> Any:
            value = operand(frame)
            frame[COST] += 1
            if type(value) is dict:
                try:
                    return value[field]
                except KeyError:
                    raise EvaluationError(f"no such key: {field}") from None
            return select(value, field)

        return selected

    # --- calls

    def _call(self, node: Call) -> Closure:
        special = _SPECIAL.get(node.function)
        if special is not None:
            return special(self, node)
        operands = [*([node.target] if node.target is not None else ()), *node.args]
        closures = [self.compile(each) for each in operands]
        dispatcher = self._dispatcher(node.function, node.target is not None, tuple(node.overloads))
        return _dispatched(dispatcher, closures, call_cost(node.function, node.overloads))

    def _dispatcher(self, function: str, member: bool, checked: tuple[str, ...]) -> Dispatcher:
        """`checked`: the overloads that the checker found, which are tried first."""
        key = (function, member, checked)
        if key not in self._dispatchers:
            fitting = [each for each in self._functions[function] if each.member == member]
            fitting.sort(key=lambda each: each.id not in checked)
            self._dispatchers[key] = Dispatcher(function, fitting)
        return self._dispatchers[key]

    def optional_select(self, node: Call) -> Closure:
        operand = self.compile(node.args[0])
        name = node.args[1]
        assert isinstance(name, Literal)
        field = name.value

        def selected(frame: Frame) -> Any:
            value = operand(frame)
            frame[COST] += 1
            return optional_field(value, field)

        return selected

    # --- lists, maps, objects

    def _list(self, node: ListNode) -> Closure:
        closures = [self.compile(each) for each in node.elements]
        optional = node.optional
        if not optional:

            def plain(frame: Frame) -> Any:
                frame[COST] += LIST_COST
                return [closure(frame) for closure in closures]

            return plain

        def made(frame: Frame) -> Any:
            frame[COST] += LIST_COST
            found = []
            for index, closure in enumerate(closures):
                value = closure(frame)
                if index not in optional:
                    found.append(value)
                elif _optional(value).present:
                    found.append(value.value)
            return found

        return made

    def _map(self, node: MapNode) -> Closure:
        entries = [(self.compile(_key(entry)), self.compile(entry.value), entry.optional) for entry in node.entries]

        def made(frame: Frame) -> Any:
            frame[COST] += MAP_COST
            found: dict[Any, Any] = {}
            for key_closure, value_closure, optional in entries:
                key = key_closure(frame)
                value = value_closure(frame)
                if optional:
                    if not _optional(value).present:
                        continue
                    value = value.value
                insert(found, key, value)
            return found

        return made

    def _struct(self, node: StructNode) -> Closure:
        entries = [(str(entry.key), self.compile(entry.value), entry.optional) for entry in node.fields]
        made_type = node.type

        def made(frame: Frame) -> Any:
            frame[COST] += STRUCT_COST
            found: dict[str, Any] = {}
            for name, closure, optional in entries:
                value = closure(frame)
                if not optional:
                    found[name] = value
                elif _optional(value).present:
                    found[name] = value.value
            return StructValue(made_type, found)

        return made


def _key(entry: Entry) -> Node:
    assert isinstance(entry.key, Node)
    return entry.key


def insert(into: dict[Any, Any], key: Any, value: Any) -> None:
    """Raises EvaluationError for a key that is there, or is none."""
    if type(key) is float or is_list(key) or is_map(key) or key is None:
        raise EvaluationError(f"unsupported key type: {type(key).__name__}")
    if keyed(key) in into:
        raise EvaluationError(f"Failed with repeated key: {key}")
    into[keyed(key)] = value


# --- fields


def select(value: Any, field: str) -> Any:
    """value.field. Raises EvaluationError."""
    if isinstance(value, Fields) or type(value) is dict:
        found = find(value, field)
        if found is MISSING:
            raise EvaluationError(f"no such key: {field}")
        return found
    if type(value) is Optional:
        return optional_field(value, field)
    raise EvaluationError("no such overload")


def optional_field(value: Any, field: str) -> Optional:
    if type(value) is Optional:
        return optional_field(value.value, field) if value.present else NONE
    if not is_map(value):
        raise EvaluationError("no such overload")
    found = find(value, field)
    return NONE if found is MISSING else Optional(found)


def has(value: Any, field: str) -> bool:
    if type(value) is Optional:
        return value.present and has(value.value, field)
    if not is_map(value):
        raise EvaluationError("no such overload")
    return find(value, field) is not MISSING


def _optional(value: Any) -> Optional:
    if type(value) is not Optional:
        raise EvaluationError("no such overload")
    return value


# --- calls


def _dispatched(
    dispatcher: Dispatcher, closures: list[Closure], cost: Callable[[tuple[Any, ...], Any], int] | None
) -> Closure:
    known = dispatcher.known
    if len(closures) == 1:
        only = closures[0]

        def unary(frame: Frame) -> Any:
            value = only(frame)
            run = known.get(type(value)) or dispatcher.find((value,))
            result = run(value)
            frame[COST] += 1 if cost is None else cost((value,), result)
            return result

        return unary
    if len(closures) == 2:
        first, second = closures

        def binary(frame: Frame) -> Any:
            one, other = first(frame), second(frame)
            run = known.get((type(one), type(other))) or dispatcher.find((one, other))
            result = run(one, other)
            frame[COST] += 1 if cost is None else cost((one, other), result)
            return result

        return binary

    def call(frame: Frame) -> Any:
        args = tuple([closure(frame) for closure in closures])
        run = known.get(tuple(map(type, args))) or dispatcher.find(args)
        result = run(*args)
        frame[COST] += 1 if cost is None else cost(args, result)
        return result

    return call


def _logical(decisive: bool) -> Callable[[Compiler, Call], Closure]:
    """&& (decided by false) and || (decided by true): an error counts only if the other side does not decide."""

    def compile(compiler: Compiler, node: Call) -> Closure:
        left, right = map(compiler.compile, node.args)

        def evaluate(frame: Frame) -> Any:
            failure: EvaluationError | None = None
            try:
                one = left(frame)
                if one is decisive:
                    return decisive
                if type(one) is not bool:
                    failure = EvaluationError("no such overload")
            except EvaluationError as error:
                failure = error
            if failure is None:
                other = right(frame)
                if type(other) is not bool:
                    raise EvaluationError("no such overload")
                return other
            try:
                if right(frame) is decisive:
                    return decisive
            except EvaluationError:
                raise failure from None
            raise failure

        return evaluate

    return compile


def _conditional(compiler: Compiler, node: Call) -> Closure:
    condition, yes, no = map(compiler.compile, node.args)

    def evaluate(frame: Frame) -> Any:
        decided = condition(frame)
        if decided is True:
            return yes(frame)
        if decided is False:
            return no(frame)
        raise EvaluationError("no such overload")

    return evaluate


def _not_strictly_false(compiler: Compiler, node: Call) -> Closure:
    operand = compiler.compile(node.args[0])

    def evaluate(frame: Frame) -> Any:
        frame[COST] += 1
        try:
            return operand(frame) is not False
        except EvaluationError:
            return True

    return evaluate


def _or(compiler: Compiler, node: Call) -> Closure:
    """`optional.or(optional)` and `optional.orValue(value)`: the argument is evaluated only if it is needed."""
    assert node.target is not None
    target, argument = compiler.compile(node.target), compiler.compile(node.args[0])
    whole = node.function == "or"

    def evaluate(frame: Frame) -> Any:
        value = _optional(target(frame))
        if value.present:
            return value if whole else value.value
        return argument(frame)

    return evaluate


_SPECIAL: Final[dict[str, Callable[[Compiler, Call], Closure]]] = {
    "_&&_": _logical(False),
    "_||_": _logical(True),
    "_?_:_": _conditional,
    "@not_strictly_false": _not_strictly_false,
    "_?._": Compiler.optional_select,
    "or": _or,
    "orValue": _or,
}
