"""Checks of arguments that are written down: times, durations and patterns that could never be right."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from kubeactors.api.cel import times
from kubeactors.api.cel.ast import Call, Literal, Node
from kubeactors.api.cel.libraries.patterns import compiled
from kubeactors.api.cel.source import Issue
from kubeactors.api.cel.values import EvaluationError


def literal_issues(nodes: Iterable[Node]) -> list[Issue]:
    found = []
    for node in nodes:
        if not isinstance(node, Call) or node.function not in _CHECKS:
            continue
        argument = node.args[-1] if node.args else None
        if not isinstance(argument, Literal) or type(argument.value) is not str:
            continue
        try:
            _CHECKS[node.function](argument.value)
        except EvaluationError:
            found.append(Issue(argument.position, f"invalid {node.function} argument"))
    return found


def constant_conversions(nodes: Iterable[Node]) -> list[Node]:
    """Conversions of what is written down, innermost first: they are carried out before anything is evaluated.

    `nodes`: of an expression, children before nodes.
    """
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Call) and node.target is None and node.function in _CONVERSIONS and len(node.args) == 1:
            argument = node.args[0]
            if isinstance(argument, Literal) or any(argument is each for each in found):
                found.append(node)
    return found


def useless_pattern(nodes: Iterable[Node]) -> str:
    """What is wrong with a written pattern of find or findAll; empty if nothing is."""
    for node in nodes:
        if isinstance(node, Call) and node.function in ("find", "findAll") and node.args:
            pattern = node.args[0]
            if isinstance(pattern, Literal) and type(pattern.value) is str:
                try:
                    compiled(pattern.value)
                except EvaluationError as error:
                    return str(error)
    return ""


_CONVERSIONS: Final = frozenset(
    {"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"}
)
_CHECKS: Final[dict[str, Callable[[str], Any]]] = {
    "duration": times.parse_duration,
    "timestamp": times.parse_timestamp,
    "matches": compiled,
}
