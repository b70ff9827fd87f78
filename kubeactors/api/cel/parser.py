"""The grammar of the language: text to nodes, macros expanded.

https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

from collections.abc import Callable, Set
from typing import Final

from kubeactors.api.cel import literals
from kubeactors.api.cel.ast import Call, Entry, Ident, ListNode, Literal, MapNode, Node, Select, StructNode
from kubeactors.api.cel.lexer import (
    BYTES,
    EOF,
    ESCAPED_IDENTIFIER,
    FLOAT,
    IDENTIFIER,
    INT,
    RESERVED,
    STRING,
    UINT,
    Token,
    tokens,
)
from kubeactors.api.cel.macros import MacroError, Macros
from kubeactors.api.cel.recovery import SyntaxProblem, TokenStream, TooManyProblems
from kubeactors.api.cel.source import CompileError, Issue, Source

_MAX_SIZE: Final = 100_000
_MAX_DEPTH: Final = 250

_LITERALS: Final = frozenset({"true", "false", "null", FLOAT, INT, UINT, STRING, BYTES})
_PRIMARY: Final = _LITERALS | {"[", "{", "(", ".", IDENTIFIER, "-"}
_START: Final = _PRIMARY | {"!"}
_OPTIONAL_START: Final = _START | {"?"}
_NAMES: Final = frozenset({IDENTIFIER, ESCAPED_IDENTIFIER})

_RELATIONS: Final = frozenset({"==", "!=", "in", "<", "<=", ">=", ">"})
_SUMS: Final = frozenset({"+", "-"})
_PRODUCTS: Final = frozenset({"*", "/", "%"})
_LEFT_TO_RIGHT: Final = (_PRODUCTS, _SUMS, _RELATIONS)
_BINARY: Final = frozenset({"&&", "||"}).union(*_LEFT_TO_RIGHT)
_CLOSING: Final = frozenset({",", ")", "]", "}", ":", EOF})
_STEPS: Final = frozenset({".", "["})

FUNCTIONS: Final = {
    "==": "_==_", "!=": "_!=_", "in": "@in", "<": "_<_", "<=": "_<=_", ">=": "_>=_", ">": "_>_", "+": "_+_", "-": "_-_",
    "*": "_*_", "/": "_/_", "%": "_%_", "&&": "_&&_", "||": "_||_", "!": "!_", "[": "_[_]", "[?": "_[?_]",
}  # fmt: skip


def parse(source: Source, macros: Macros) -> Node:
    """Raises CompileError."""
    issues: list[Issue] = []
    if len(source.text) > _MAX_SIZE:
        message = f"expression code point size exceeds limit: size: {len(source.text)}, limit {_MAX_SIZE}"
        raise CompileError(source, [Issue(-1, message)])
    found = tokens(source.text, issues)
    parser = _Parser(TokenStream(found, issues), issues, macros)
    try:
        node = parser.start()
    except TooManyProblems:
        raise CompileError(source, issues) from None
    except RecursionError:
        issues.append(Issue(-1, f"expression recursion limit exceeded: {_MAX_DEPTH}"))
        raise CompileError(source, issues) from None
    if not issues and parser.deepest > _MAX_DEPTH:
        issues.append(Issue(-1, "max recursion depth exceeded"))
    if issues:
        raise CompileError(source, issues)
    return node


class _Parser:
    """One method for a rule. After a problem a rule gives a node that nobody uses."""

    def __init__(self, stream: TokenStream, issues: list[Issue], macros: Macros) -> None:
        self._stream = stream
        self._issues = issues
        self._macros = macros
        self.deepest = 0

    def start(self) -> Node:
        try:
            node = self._within(self._expression, {EOF})
            self._stream.match(EOF)
        except SyntaxProblem as problem:
            self._stream.recover(problem)
            return Literal(0, None)
        return node

    def _within(self, rule: Callable[[], Node], follow: Set[str], *, closes: bool = True) -> Node:
        self._stream.enter(follow, closes=closes)
        try:
            return rule()
        except SyntaxProblem as problem:
            self._stream.recover(problem)
            return Literal(self._stream.next.position, None)
        finally:
            self._stream.leave()

    def _expression(self) -> Node:
        stream = self._stream
        if stream.peek() in _CLOSING:  # a single token, as most elements and arguments are
            if stream.next.kind in _LITERALS:
                return self._literal()
            if stream.next.kind == IDENTIFIER:
                return self._name()
        node = self._within(self._operators, {"?"}, closes=False)
        if stream.next.kind != "?":
            return node
        operator = stream.take()
        yes = self._within(self._operators, {":"})
        stream.match(":", _START, closes=True)
        no = self._within(self._expression, frozenset(), closes=False)
        return Call(operator.position, "_?_:_", None, [node, yes, no])

    def _operators(self) -> Node:
        """Operands with binary operators between them."""
        stream = self._stream
        operands = [self._within(self._unary, _BINARY, closes=False)]
        operators: list[Token] = []
        while stream.next.kind in _BINARY:
            operators.append(stream.take())
            operands.append(self._within(self._unary, _BINARY, closes=False))
        return self._tree(operands, operators) if operators else operands[0]

    def _tree(self, operands: list[Node], operators: list[Token]) -> Node:
        """By precedence: what binds closer is joined first, from the left; && and || as balanced trees."""
        for level in _LEFT_TO_RIGHT:
            if not any(each.kind in level for each in operators):
                continue
            joined, left = [operands[0]], []
            depth = 0
            for operator, right in zip(operators, operands[1:], strict=True):
                if operator.kind in level:
                    depth += 1
                    self.deepest = max(self.deepest, depth)
                    joined[-1] = Call(operator.position, FUNCTIONS[operator.kind], None, [joined[-1], right])
                else:
                    depth = 0
                    left.append(operator)
                    joined.append(right)
            operands, operators = joined, left
        for kind in ("&&", "||"):
            groups: list[tuple[list[Node], list[int]]] = [([operands[0]], [])]
            left = []
            for operator, right in zip(operators, operands[1:], strict=True):
                if operator.kind == kind:
                    groups[-1][0].append(right)
                    groups[-1][1].append(operator.position)
                else:
                    left.append(operator)
                    groups.append(([right], []))
            operands = [_balanced(FUNCTIONS[kind], terms, positions) for terms, positions in groups]
            operators = left
        return operands[0]

    def _deeper(self, depth: int) -> int:
        self.deepest = max(self.deepest, depth + 1)
        return depth + 1

    def _unary(self) -> Node:
        stream = self._stream
        stream.sync(_START)
        sign = stream.next.kind
        if sign == "!" or (sign == "-" and stream.peek() not in (INT, FLOAT)):
            first = stream.take()
            count = 1
            while stream.next.kind == sign and not (sign == "-" and stream.peek() in (INT, FLOAT)):
                stream.take()
                count += 1
            if sign == "-" and stream.next.kind not in _PRIMARY:
                raise stream.no_alternative(1)
            if stream.next.kind == sign:  # the sign of a number; an even count of signs before it is nothing
                count += 1
                stream.take()
            node = self._member()
            if count % 2 == 0:
                return node
            return Call(first.position, "!_" if sign == "!" else "-_", None, [node])
        return self._member()

    def _member(self) -> Node:
        stream = self._stream
        node = self._within(self._primary, _STEPS, closes=False)
        named = isinstance(node, Ident)
        depth = 0
        while stream.next.kind in _STEPS:
            depth = self._deeper(depth)
            node = self._index(node) if stream.next.kind == "[" else self._selection(node, named)
            named = named and isinstance(node, Select)
        return node

    def _index(self, node: Node) -> Node:
        stream = self._stream
        operator = stream.take()
        optional = stream.next.kind == "?"
        if optional:
            stream.take()
        key = self._within(self._expression, {"]"})
        stream.match("]")
        return Call(operator.position, FUNCTIONS["[?" if optional else "["], None, [node, key])

    def _selection(self, node: Node, named: bool) -> Node:
        """`named`: the node is a chain of names, which may go on as the name of a type."""
        stream = self._stream
        dot = stream.take()
        if stream.next.kind == "?":
            stream.take()
            name = self._field_name()
            return Call(dot.position, "_?._", None, [node, Literal(name.position, name.text)])
        if stream.next.kind not in _NAMES:
            if not named:
                raise stream.no_alternative(1)
            stream.match(IDENTIFIER, {".", "{"})
            return node
        if stream.next.kind == IDENTIFIER and stream.peek() == "(":
            name = stream.take()
            return self._call(name, node)
        if named and stream.next.kind == IDENTIFIER and stream.peek() == "{":
            name = stream.take()
            return self._struct(f"{_qualified(node)}.{name.text}")
        return Select(dot.position, node, self._field_name().text)

    def _field_name(self) -> Token:
        stream = self._stream
        stream.sync(_NAMES)
        name = stream.take()
        if name.kind == ESCAPED_IDENTIFIER:
            self._issues.append(Issue(name.position, "unsupported syntax: '`'"))
        return name

    def _call(self, name: Token, target: Node | None) -> Node:
        stream = self._stream
        opening = stream.take()
        args: list[Node] = []
        stream.sync(_START | {")"})
        if stream.next.kind != ")":
            stream.enter({")"})
            try:
                args = self._expressions()
            except SyntaxProblem as problem:
                stream.recover(problem)
            finally:
                stream.leave()
        stream.match(")")
        try:
            expanded = self._macros.expand(opening.position, name.text, target, args)
        except MacroError as error:
            self._issues.append(Issue(error.position, str(error)))
            return Literal(opening.position, None)
        return expanded or Call(opening.position, name.text, target, args)

    def _expressions(self) -> list[Node]:
        found = [self._within(self._expression, {","}, closes=False)]
        while self._stream.next.kind == ",":
            self._stream.take()
            found.append(self._within(self._expression, {","}, closes=False))
        return found

    def _primary(self) -> Node:
        stream = self._stream
        stream.sync(_PRIMARY)
        token = stream.next
        if token.kind in _LITERALS or token.kind == "-":
            return self._literal()
        if token.kind == "(":
            stream.take()
            node = self._within(self._expression, {")"})
            stream.match(")")
            return node
        if token.kind == "[":
            return self._list()
        if token.kind == "{":
            return self._map()
        return self._name()

    def _name(self) -> Node:
        stream = self._stream
        absolute = stream.next.kind == "."
        if absolute:
            stream.take()
            if stream.next.kind != IDENTIFIER:
                raise stream.no_alternative(1)
        name = stream.take()
        reserved = name.text in RESERVED
        if reserved:
            self._issues.append(Issue(name.position, f"reserved identifier: {name.text}"))
        full = f".{name.text}" if absolute else name.text
        if stream.next.kind == "(":
            return self._call(Token(name.kind, full, name.position), None)
        if stream.next.kind == "{":
            return self._struct(full)
        return Literal(name.position, None) if reserved else Ident(name.position, full)

    def _list(self) -> Node:
        stream = self._stream
        opening = stream.take()
        elements: list[Node] = []
        optional: set[int] = set()
        stream.sync(_OPTIONAL_START | {",", "]"})
        while stream.next.kind not in (",", "]", EOF):
            if stream.next.kind == "?":
                stream.take()
                optional.add(len(elements))
            elements.append(self._within(self._expression, {",", "]"}))
            stream.sync({",", "]"})
            if stream.next.kind != "," or stream.peek() == "]":
                break
            stream.take()
            stream.sync(_OPTIONAL_START)
        if stream.next.kind == ",":
            stream.take()
        stream.match("]")
        return ListNode(opening.position, elements, frozenset(optional))

    def _map(self) -> Node:
        opening = self._stream.take()
        return MapNode(opening.position, self._entries(_OPTIONAL_START, self._map_key))

    def _map_key(self) -> Node:
        return self._within(self._expression, {":"})

    def _struct(self, name: str) -> Node:
        opening = self._stream.take()
        return StructNode(opening.position, name, self._entries(_NAMES | {"?"}, lambda: self._field_name().text))

    def _entries(self, start: Set[str], key: Callable[[], Node | str]) -> list[Entry]:
        stream = self._stream
        entries: list[Entry] = []
        stream.sync(start | {",", "}"})
        stream.enter({",", "}"})
        try:
            while stream.next.kind not in (",", "}", EOF):
                optional = stream.next.kind == "?"
                if optional:
                    stream.take()
                name = key()
                colon = stream.match(":", _START, closes=True)
                value = self._within(self._expression, {","}, closes=False)
                entries.append(Entry(colon.position, name, value, optional))
                if stream.next.kind != "," or stream.peek() == "}":
                    break
                stream.take()
                stream.sync(start)
        except SyntaxProblem as problem:
            stream.recover(problem)
        finally:
            stream.leave()
        stream.sync({",", "}"})
        if stream.next.kind == ",":
            stream.take()
        stream.match("}")
        return entries

    def _literal(self) -> Node:
        token = self._stream.take()
        text = token.text
        if token.kind == "-":
            if self._stream.next.kind not in (INT, FLOAT):
                raise self._stream.no_alternative(1)
            number = self._stream.take()
            token = Token(number.kind, f"-{number.text}", token.position)
            text = token.text
        try:
            return Literal(token.position, _VALUES[token.kind](text))
        except literals.LiteralError as error:
            self._issues.append(Issue(token.position, str(error)))
            return Literal(token.position, None)


_VALUES: Final[dict[str, Callable[[str], object]]] = {
    INT: literals.integer,
    UINT: literals.unsigned,
    FLOAT: literals.double,
    STRING: literals.string,
    BYTES: literals.binary,
    **dict.fromkeys(literals.CONSTANTS, literals.CONSTANTS.__getitem__),
}


def _qualified(node: Node) -> str:
    if isinstance(node, Select):
        return f"{_qualified(node.operand)}.{node.field}"
    assert isinstance(node, Ident)
    return node.name


def _balanced(function: str, terms: list[Node], positions: list[int]) -> Node:
    """A tree of the terms; the operator at an index stands between the terms at that index and after it."""
    if len(terms) == 1:
        return terms[0]
    middle = (len(positions) - 1) // 2 if len(positions) > 1 else 0
    left = _balanced(function, terms[: middle + 1], positions[:middle])
    right = _balanced(function, terms[middle + 1 :], positions[middle + 1 :])
    return Call(positions[middle], function, None, [left, right])
