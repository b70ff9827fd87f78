"""Loops: those of macros run as Python's own, others as the fold that they are written as."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kubeactors.api.cel.ast import Comprehension
from kubeactors.api.cel.values import CostLimitExceeded, EvaluationError, is_list, is_map, keys

if TYPE_CHECKING:
    from kubeactors.api.cel.evaluator import Compiler

COST, LIMIT = 0, 1
Frame = list[Any]
Closure = Callable[[Frame], Any]
Items = Callable[[Frame, Any], Iterator[None]]

# What a turn of each macro's loop costs besides its body: names read, calls and lists made.
_ALL_TURN, _EXISTS_TURN, _COUNT_HIT, _COUNT_MISS, _APPEND, _SKIP, _COUNT_END = 3, 4, 2, 1, 12, 1, 2


def compile(node: Comprehension, compiler: "Compiler") -> Closure:
    if node.macro == "bind":
        return _bind(node, compiler)
    source = compiler.compile(node.range)
    outer = dict(compiler.places)
    first = compiler.place(node.variable)
    second = compiler.place(node.variable2) if node.variable2 else 0
    items = _pairs(first, second) if second else _singles(first)
    make = {"all": _quantifier, "exists": _quantifier, "exists_one": _exactly_one, "map": _append}.get(
        node.macro, _fold
    )
    closure = make(node, compiler, source, items)
    compiler.places = outer
    return closure


def _singles(place: int) -> Items:
    def turns(frame: Frame, values: Any) -> Iterator[None]:
        for value in _iterated(values):
            frame[place] = value
            yield
            if frame[COST] > frame[LIMIT]:
                raise CostLimitExceeded

    return turns


def _pairs(first: int, second: int) -> Items:
    def turns(frame: Frame, values: Any) -> Iterator[None]:
        pairs = enumerate(values) if is_list(values) else ((key, values[key]) for key in _iterated(values))
        for key, value in pairs:
            frame[first], frame[second] = key, value
            yield
            if frame[COST] > frame[LIMIT]:
                raise CostLimitExceeded

    return turns


def _iterated(values: Any) -> Iterator[Any]:
    if is_list(values):
        return iter(values)
    if is_map(values):
        return keys(values)
    raise EvaluationError("no such overload")


def _quantifier(node: Comprehension, compiler: "Compiler", source: Closure, items: Items) -> Closure:
    """all and exists: the first element that decides ends the loop; an error counts only if none decides."""
    assert node.body is not None
    body = compiler.compile(node.body)
    decisive = node.macro == "exists"
    turn = _EXISTS_TURN if decisive else _ALL_TURN

    def evaluate(frame: Frame) -> Any:
        failure: EvaluationError | None = None
        for _ in items(frame, source(frame)):
            frame[COST] += turn
            try:
                held = body(frame)
                if held is decisive:
                    return decisive
                if type(held) is not bool and failure is None:
                    failure = EvaluationError("no such overload")
            except EvaluationError as error:
                failure = failure or error
        frame[COST] += 1
        if failure is not None:
            raise failure
        return not decisive

    return evaluate


def _exactly_one(node: Comprehension, compiler: "Compiler", source: Closure, items: Items) -> Closure:
    assert node.body is not None
    body = compiler.compile(node.body)

    def evaluate(frame: Frame) -> Any:
        count = 0
        for _ in items(frame, source(frame)):
            held = body(frame)
            if type(held) is not bool:
                raise EvaluationError("no such overload")
            count += held
            frame[COST] += _COUNT_HIT if held else _COUNT_MISS
        frame[COST] += _COUNT_END
        return count == 1

    return evaluate


def _append(node: Comprehension, compiler: "Compiler", source: Closure, items: Items) -> Closure:
    assert node.body is not None
    body = compiler.compile(node.body)
    wanted = compiler.compile(node.filter) if node.filter is not None else None

    def evaluate(frame: Frame) -> Any:
        found = []
        for _ in items(frame, source(frame)):
            if wanted is not None:
                held = wanted(frame)
                if held is not True:
                    if held is not False:
                        raise EvaluationError("no such overload")
                    frame[COST] += _SKIP
                    continue
            found.append(body(frame))
            frame[COST] += _APPEND
        frame[COST] += 1
        return found

    return evaluate


def _fold(node: Comprehension, compiler: "Compiler", source: Closure, items: Items) -> Closure:
    start = compiler.compile(node.init)
    place = compiler.place(node.accumulator)
    condition, step = compiler.compile(node.condition), compiler.compile(node.step)
    result = compiler.compile(node.result)

    def evaluate(frame: Frame) -> Any:
        frame[place] = start(frame)
        for _ in items(frame, source(frame)):
            if condition(frame) is False:
                break
            frame[place] = step(frame)
        return result(frame)

    return evaluate


def _bind(node: Comprehension, compiler: "Compiler") -> Closure:
    value = compiler.compile(node.init)
    outer = dict(compiler.places)
    place = compiler.place(node.accumulator)
    result = compiler.compile(node.result)
    compiler.places = outer

    def evaluate(frame: Frame) -> Any:
        frame[place] = value(frame)
        return result(frame)

    return evaluate
