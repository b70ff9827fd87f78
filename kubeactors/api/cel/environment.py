"""What an expression may name, and its way from text to program."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api import allowance
from kubeactors.api.allowance import TakesLongError
from kubeactors.api.cel import macros
from kubeactors.api.cel.ast import Call as CallNode
from kubeactors.api.cel.ast import Comprehension, Entry, Ident, ListNode, MapNode, Node, Select, StructNode
from kubeactors.api.cel.checker import Checker
from kubeactors.api.cel.declarations import Functions, Library, merged
from kubeactors.api.cel.evaluator import COST, LIMIT, Compiler, Frame
from kubeactors.api.cel.libraries import (
    addresses,
    authorizer,
    formats,
    lists,
    optionals,
    patterns,
    quantities,
    sets,
    standard,
    strings,
    two_variables,
    urls,
    versions,
)
from kubeactors.api.cel.literal_arguments import constant_conversions, literal_issues, useless_pattern
from kubeactors.api.cel.parser import parse
from kubeactors.api.cel.source import CompileError, InstantiationError, Source
from kubeactors.api.cel.types import Type, type_of
from kubeactors.api.cel.values import MISSING, CostLimitExceeded, EvaluationError

# What one expression may cost (0.1 s on Kubernetes' own server).
PER_CALL_LIMIT: Final = 1_000_000
# Microseconds, for the allowance: of compiling, and of one unit of an evaluation's cost.
_COMPILING: Final = 100
_COMPILING_CHARACTER: Final = 10
_COST_UNIT: Final = 1
LIMIT_EXCEEDED: Final = "operation cancelled: actual cost limit exceeded"


Resolver = Callable[[str], Type | None]


class CostLimitError(EvaluationError):
    """An evaluation was ended because it cost too much."""


@dataclass(frozen=True, slots=True)
class Program:
    """An expression that can be evaluated, any number of times."""

    text: str
    root: Node
    result_type: Type
    variables: tuple[str, ...]
    size: int
    closure: Callable[[Frame], Any]

    def evaluate(self, values: Sequence[Any], limit: int = PER_CALL_LIMIT) -> tuple[Any, int]:
        """(result, cost), for values in the order of `variables`; MISSING: no value. Errors as of `Evaluation.run`."""
        evaluation = Evaluation(self, values, limit)
        return evaluation.run(), evaluation.cost

    def uses(self, variable: str) -> bool:
        """Whether the expression names a variable."""
        return any(isinstance(node, Ident) and node.name == variable for node in walk(self.root))


class Evaluation:
    """One evaluation; its cost is known even when it fails."""

    def __init__(self, program: Program, values: Sequence[Any], limit: int = PER_CALL_LIMIT) -> None:
        self._program = program
        self._limit = limit
        self._frame: Frame = [0, limit, *values, *([MISSING] * (program.size - 2 - len(values)))]

    @property
    def cost(self) -> int:
        return int(self._frame[COST])

    def run(self) -> Any:
        """Raises EvaluationError; CostLimitError if it costs more than it may. TakesLongError: it was not finished."""
        left = allowance.left()
        if left is not None and left < self._limit * _COST_UNIT:
            return self._run_within(left // _COST_UNIT)
        return self._run()

    def _run_within(self, limit: int) -> Any:
        self._frame[LIMIT] = limit
        try:
            result = self._run()
        except CostLimitError:
            raise TakesLongError from None
        if self.cost > limit:
            raise TakesLongError
        allowance.spend(self.cost * _COST_UNIT)
        return result

    def _run(self) -> Any:
        try:
            result = self._program.closure(self._frame)
        except CostLimitExceeded:
            raise CostLimitError(LIMIT_EXCEEDED) from None
        except RecursionError:
            raise EvaluationError("evaluation is nested too deeply") from None
        if self.cost > self._limit:
            raise CostLimitError(LIMIT_EXCEEDED)
        return result


class Environment:
    """Variables, types and functions. Immutable; `with_variables` gives a larger one."""

    def __init__(
        self,
        variables: Mapping[str, Type],
        names: Mapping[str, Type],
        functions: Functions,
        known: macros.Macros,
        more_names: Resolver | None = None,
    ) -> None:
        self._variables = dict(variables)
        self._types = dict(names)
        self._functions = functions
        self._macros = known
        self._more_names = more_names

    def with_variables(self, variables: Mapping[str, Type], names: Mapping[str, Type] = {}) -> "Environment":
        """`names`: of types that expressions may use."""
        return Environment(
            {**self._variables, **variables}, {**self._types, **names}, self._functions, self._macros, self._more_names
        )

    def with_names(self, resolver: Resolver) -> "Environment":
        """Types that are not listed: `resolver` gives the type of a name, None for one that it does not know."""
        return Environment(self._variables, self._types, self._functions, self._macros, resolver)

    def with_libraries(
        self, *libraries: Library, macros_of: Mapping[tuple[str, int], macros.Expander] = {}
    ) -> "Environment":
        functions = merged(Library(self._functions), *libraries)
        return Environment(self._variables, self._types, functions, self._macros.plus(macros_of), self._more_names)

    def compile(self, text: str) -> Program:
        """Raises CompileError."""
        allowance.spend(_COMPILING + len(text) * _COMPILING_CHARACTER)
        source = Source(text)
        root = parse(source, self._macros)
        checker = Checker(self._type_of, self._functions)
        checker.check(root)
        nodes = walk(root)
        issues = checker.issues or literal_issues(nodes)
        if issues:
            raise CompileError(source, issues)
        reason = useless_pattern(reversed(nodes))
        if reason:
            raise InstantiationError(source, reason)
        compiler = Compiler(list(self._variables), self._type_of, self._functions)
        closure = compiler.compile(root)
        for node in constant_conversions(reversed(nodes)):
            try:
                compiler.compile(node)([0, PER_CALL_LIMIT])
            except EvaluationError as error:
                raise InstantiationError(source, str(error)) from None
        return Program(text, root, root.type, tuple(self._variables), compiler.size, closure)

    def _type_of(self, name: str) -> Type | None:
        """Of a variable, or of a type's name."""
        found = self._variables.get(name) or self._types.get(name)
        return self._more_names(name) if found is None and self._more_names is not None else found


def walk(root: Node) -> list[Node]:
    """Every node, before its children and the last of these first; what macros repeat comes once."""
    found: list[Node] = []
    stack = [root]
    seen: set[int] = set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found.append(node)
        stack += _children(node)
    return found


def _children(node: Node) -> list[Node]:
    if isinstance(node, Select):
        return [] if node.declared else [node.operand]
    if isinstance(node, CallNode):
        return [*([node.target] if node.target is not None else ()), *node.args]
    if isinstance(node, ListNode):
        return node.elements
    if isinstance(node, MapNode):
        return [each for entry in node.entries for each in _parts(entry)]
    if isinstance(node, StructNode):
        return [entry.value for entry in node.fields]
    if isinstance(node, Comprehension):
        return [node.range, node.init, node.condition, node.step, node.result]
    return []


def _parts(entry: Entry) -> list[Node]:
    assert isinstance(entry.key, Node)
    return [entry.key, entry.value]


# What every expression in Kubernetes has (k8s.io/apiserver/pkg/cel/environment).
BASE: Final = Environment(
    {},
    {
        **standard.NAMES,
        **addresses.NAMES,
        "optional_type": type_of(optionals.LIBRARY.types[0]),
        **{
            each.name: type_of(each)
            for library in (urls, quantities, versions, formats, authorizer)
            for each in library.LIBRARY.types
        },
    },
    merged(
        standard.LIBRARY,
        optionals.LIBRARY,
        strings.LIBRARY,
        lists.KUBERNETES,
        lists.LIBRARY,
        sets.LIBRARY,
        patterns.LIBRARY,
        urls.LIBRARY,
        quantities.LIBRARY,
        addresses.LIBRARY,
        versions.LIBRARY,
        formats.LIBRARY,
        authorizer.LIBRARY,
        two_variables.LIBRARY,
    ),
    macros.Macros({**macros.STANDARD, **macros.TWO_VARIABLES, **macros.OPTIONAL, **macros.SORTING}),
)
