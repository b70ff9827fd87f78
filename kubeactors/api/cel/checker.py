"""Types of a parsed expression. https://github.com/google/cel-spec/blob/master/doc/langdef.md#gradual-type-checking

What is found is written into the nodes: their types, the overloads that calls may mean, names resolved.
"""

from collections.abc import Callable, Sequence

from kubeactors.api.cel import types
from kubeactors.api.cel.ast import (
    Call,
    Comprehension,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    StructNode,
)
from kubeactors.api.cel.declarations import Functions, Overload
from kubeactors.api.cel.source import Issue
from kubeactors.api.cel.types import Kind, Type, list_of, map_of, optional_of
from kubeactors.api.cel.unify import assignable, most_general, substitute
from kubeactors.api.cel.values import type_of_value

_FREE = frozenset({Kind.DYN, Kind.ERROR})


class Checker:
    """Of one expression. `names` gives the types of variables and of types, None for what is not declared."""

    def __init__(self, names: Callable[[str], Type | None], functions: Functions) -> None:
        self._names = names
        self._functions = functions
        self._scopes: list[dict[str, Type]] = []
        self._mapping: dict[str, Type] = {}
        self._parameters = 0
        self._checked: list[Node] = []
        self.issues: list[Issue] = []

    def check(self, root: Node) -> None:
        self._check(root)
        for node in self._checked:
            node.type = substitute(self._mapping, node.type, True)

    # --- nodes

    def _check(self, node: Node) -> Type:
        if isinstance(node, Literal):
            found = type_of_value(node.value)
        elif isinstance(node, Ident):
            found = self._ident(node)
        elif isinstance(node, Select):
            found = self._select(node)
        elif isinstance(node, Call):
            found = self._call(node)
        elif isinstance(node, ListNode):
            found = self._list(node)
        elif isinstance(node, MapNode):
            found = self._map(node)
        elif isinstance(node, StructNode):
            found = self._struct(node)
        else:
            assert isinstance(node, Comprehension)
            found = self._comprehension(node)
        node.type = found
        self._checked.append(node)
        return found

    def _ident(self, node: Ident) -> Type:
        found = self._lookup(node.name)
        if found is None:
            self._undeclared(node, node.name)
            return types.ERROR
        node.name = node.name.removeprefix(".")
        return found

    def _select(self, node: Select) -> Type:
        name = _qualified(node)
        if name and not node.test:
            declared = self._lookup(name)
            if declared is not None:
                node.declared = name.removeprefix(".")
                return declared
        found = self._field(node, node.operand, node.field, optional=False)
        return types.BOOL if node.test else substitute(self._mapping, found, False)

    def _field(self, node: Node, operand: Node, field: str, *, optional: bool) -> Type:
        self._check(operand)
        target = substitute(self._mapping, operand.type, False)
        is_optional = types.is_optional(target)
        if is_optional:
            target = target.parameters[0]
        found = types.DYN
        if target.kind is Kind.MAP:
            found = target.parameters[1]
        elif target.kind is Kind.STRUCT:
            known = target.fields.get(field) if target.fields is not None else None
            if known is None:
                self._issue(node, f"undefined field '{field}'")
                known = types.ERROR
            found = known
        elif target.kind is Kind.PARAMETER:
            self._assign(types.DYN, target)
        elif target.kind not in _FREE:
            self._issue(node, f"type '{target}' does not support field selection")
        return optional_of(found) if is_optional or optional else found

    def _call(self, node: Call) -> Type:
        if node.function == "_?._":
            name = node.args[1]
            assert isinstance(name, Literal)
            found = self._field(node, node.args[0], name.value, optional=True)
            self._check(name)
            node.overloads = ("select_optional_field",)
            return substitute(self._mapping, found, False)
        for arg in node.args:
            self._check(arg)
        if node.target is None:
            name_of = node.function.removeprefix(".")
            if name_of not in self._functions:
                self._undeclared(node, node.function)
                return types.ERROR
            node.function = name_of
            return self._resolve(node)
        prefix = _qualified(node.target)
        if prefix:
            name_of = f"{prefix}.{node.function}".removeprefix(".")
            if name_of in self._functions and "." in name_of:
                node.function, node.target = name_of, None
                return self._resolve(node)
        self._check(node.target)
        if node.function in self._functions:
            return self._resolve(node)
        self._undeclared(node, node.function)
        return types.ERROR

    def _resolve(self, node: Call) -> Type:
        operands = [*([node.target] if node.target is not None else ()), *node.args]
        given = [operand.type for operand in operands]
        result: Type | None = None
        matching: list[str] = []
        for overload in self._functions[node.function]:
            if overload.member != (node.target is not None):
                continue
            if node.function in ("_&&_", "_||_"):
                return self._logical(node, overload, given)
            arguments, its_result = self._instance(overload)
            learnt = assignable(self._mapping, given, arguments)
            if learnt is None:
                continue
            self._mapping = learnt
            matching.append(overload.id)
            its_result = substitute(self._mapping, its_result, False)
            if result is None:
                result = its_result
            elif result.kind is not Kind.DYN and result != its_result:
                result = types.DYN
        if result is None:
            shown = [str(substitute(self._mapping, each, True)) for each in given]
            target = f"{shown.pop(0)}." if node.target is not None else ""
            self._issue(
                node, f"found no matching overload for '{node.function}' applied to '{target}({', '.join(shown)})'"
            )
            return types.ERROR
        node.overloads = tuple(matching)
        return result

    def _logical(self, node: Call, overload: Overload, given: Sequence[Type]) -> Type:
        for arg, type in zip(node.args, given, strict=True):
            if not self._assign(type, types.BOOL):
                self._mismatch(arg, types.BOOL, type)
        node.overloads = (overload.id,)
        return types.BOOL

    def _instance(self, overload: Overload) -> tuple[list[Type], Type]:
        """Argument types and result, with type parameters that nothing else has."""
        if not overload.parameters:
            return list(overload.arguments), overload.result
        fresh = {name: self._parameter() for name in sorted(overload.parameters)}
        return [substitute(fresh, each, False) for each in overload.arguments], substitute(
            fresh, overload.result, False
        )

    def _list(self, node: ListNode) -> Type:
        element: Type | None = None
        for index, each in enumerate(node.elements):
            element = self._join(each, element, self._value(each, index in node.optional))
        return list_of(self._parameter() if element is None else element)

    def _map(self, node: MapNode) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            assert isinstance(entry.key, Node)
            key = self._join(entry.key, key, self._check(entry.key))
            value = self._join(entry.value, value, self._value(entry.value, entry.optional))
        if key is None or value is None:
            return map_of(self._parameter(), self._parameter())
        return map_of(key, value)

    def _value(self, node: Node, optional: bool) -> Type:
        """`optional`: it was written with a question mark, so it must be an optional value."""
        found = self._check(node)
        if not optional:
            return found
        if types.is_optional(found):
            return found.parameters[0]
        if found.kind not in _FREE:
            self._mismatch(node, optional_of(found), found)
        return found

    def _struct(self, node: StructNode) -> Type:
        declared = self._lookup(node.name)
        result = types.ERROR
        if declared is None:
            self._undeclared(node, node.name)
            return types.ERROR
        node.name = node.name.removeprefix(".")
        if declared.kind is not Kind.TYPE:
            self._issue(node, f"'{declared}' is not a type")
        elif declared.parameters[0].kind is not Kind.STRUCT or declared.parameters[0].fields is None:
            self._issue(node, f"'{declared.parameters[0]}' is not a message type")
        else:
            result = declared.parameters[0]
        for entry in node.fields:
            assert isinstance(entry.key, str)
            given = self._value(entry.value, entry.optional)
            if result.kind is not Kind.STRUCT:
                continue
            wanted = result.fields.get(entry.key) if result.fields is not None else None
            if wanted is None:
                self.issues.append(Issue(entry.position, f"undefined field '{entry.key}'"))
            elif not self._assign(wanted, given):
                message = f"expected type of field '{entry.key}' is '{wanted}' but provided type is '{given}'"
                self.issues.append(Issue(entry.position, message))
        return result

    def _comprehension(self, node: Comprehension) -> Type:
        self._check(node.range)
        accumulated = self._check(node.init)
        ranged = substitute(self._mapping, node.range.type, False)
        self._scopes.append({node.accumulator: accumulated})
        first = second = types.DYN
        if ranged.kind is Kind.LIST:
            first, second = (types.INT if node.variable2 else ranged.parameters[0]), ranged.parameters[0]
        elif ranged.kind is Kind.MAP:
            first, second = ranged.parameters
        elif ranged.kind in _FREE or ranged.kind is Kind.PARAMETER:
            self._assign(types.DYN, ranged)
        else:
            message = (
                f"expression of type '{ranged}' cannot be range of a comprehension (must be list, map, or dynamic)"
            )
            self._issue(node.range, message)
            first = second = types.ERROR
        self._scopes.append({node.variable: first, **({node.variable2: second} if node.variable2 else {})})
        self._check(node.condition)
        self._must_be(node.condition, types.BOOL)
        self._check(node.step)
        self._must_be(node.step, accumulated)
        self._scopes.pop()
        self._check(node.result)
        self._scopes.pop()
        return substitute(self._mapping, node.result.type, False)

    # --- helpers

    def _lookup(self, name: str) -> Type | None:
        if not name.startswith("."):
            for scope in reversed(self._scopes):
                if name in scope:
                    return scope[name]
        return self._names(name.removeprefix("."))

    def _assign(self, wanted: Type, given: Type) -> bool:
        if wanted == given:
            return True
        learnt = assignable(self._mapping, [wanted], [given])
        if learnt is not None:
            self._mapping = learnt
        return learnt is not None

    def _join(self, node: Node, previous: Type | None, current: Type) -> Type:
        """The type of all elements so far. Kubernetes allows no lists of several types."""
        if previous is None or previous == current:
            return current
        if self._assign(previous, current):
            return most_general(previous, current)
        self._mismatch(node, previous, current)
        return types.ERROR

    def _must_be(self, node: Node, wanted: Type) -> None:
        if not self._assign(wanted, node.type):
            self._mismatch(node, wanted, node.type)

    def _parameter(self) -> Type:
        self._parameters += 1
        return types.parameter(f"_var{self._parameters - 1}")

    def _mismatch(self, node: Node, wanted: Type, given: Type) -> None:
        self._issue(node, f"expected type '{wanted}' but found '{given}'")

    def _undeclared(self, node: Node, name: str) -> None:
        self._issue(node, f"undeclared reference to '{name}' (in container '')")

    def _issue(self, node: Node, message: str) -> None:
        self.issues.append(Issue(node.position, message))


def _qualified(node: Node) -> str:
    """`a.b.c`, if the node is such a chain of names; else empty."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test:
        operand = _qualified(node.operand)
        return f"{operand}.{node.field}" if operand else ""
    return ""
