"""The JSONPath of printer columns: kubectl's dialect, as far as it picks values out of an object.

`.spec.replicas`, `['a.b']`, `.list[0]`, `[-1]`, `[1:3]`, `[*]`, `.*`, `..name`, `[?(@.type=="Ready")]`, `['a','b']`.
https://kubernetes.io/docs/reference/kubectl/jsonpath/.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

Step = Callable[[list[Any]], list[Any]]

_NAME: Final = re.compile(r"(?:\\.|[^\s.\[\]\\{}])+")
_SLICE: Final = re.compile(r"(-?\d*)(?::(-?\d*))?(?::(-?\d*))?")
_FILTER: Final = re.compile(r"\?\(\s*(.*?)\s*\)", re.DOTALL)
_COMPARISON: Final = re.compile(r"(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)", re.DOTALL)
_MAX_RESULTS: Final = 10_000


class JsonPathError(ValueError):
    """No path of this dialect."""


@lru_cache(maxsize=4096)
def json_path(text: str) -> Callable[[Any], list[Any]]:
    """A function that finds all values at a path. Raises JsonPathError."""
    steps = list(_parse(text))

    def find(root: Any) -> list[Any]:
        found = [root]
        for step in steps:
            found = step(found)[:_MAX_RESULTS]
        return found

    return find


def simple_fields(path: str) -> tuple[str, ...]:
    """`.spec.a.b` → (spec, a, b): a path of plain fields, as the scale subresource has them."""
    return tuple(part for part in path.split(".") if part)


def _parse(text: str) -> Iterator[Step]:
    at = 0
    while at < len(text):
        if text.startswith("..", at):
            at += 2
            match = _NAME.match(text, at)
            if match is None:
                yield _everything
                continue
            at = match.end()
            yield _below(_unescape(match.group()))
        elif text[at] == ".":
            at += 1
            match = _NAME.match(text, at)
            if match is None:
                continue
            at = match.end()
            yield _all_values if match.group() == "*" else _field(_unescape(match.group()))
        elif text[at] == "[":
            end = _closing(text, at)
            yield _bracket(text[at + 1 : end].strip())
            at = end + 1
        else:
            raise JsonPathError(f"unexpected {text[at]!r} in {text!r}")


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes; quotes hide brackets."""
    depth, quote, at = 0, "", start
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise JsonPathError(f"unterminated array in {text!r}")


def _bracket(inside: str) -> Step:
    filtered = _FILTER.fullmatch(inside)
    if filtered is not None:
        return _filter(filtered.group(1))
    if inside == "*":
        return _all_values
    parts = [part.strip() for part in re.findall(r"'(?:\\.|[^'])*'|\"(?:\\.|[^\"])*\"|[^,]+", inside)]
    steps = [_bracket_part(part) for part in parts]
    if not steps:
        raise JsonPathError("invalid array index")
    if len(steps) == 1:
        return steps[0]
    return lambda values: [found for value in values for step in steps for found in step([value])]


def _bracket_part(part: str) -> Step:
    if len(part) > 1 and part[0] == part[-1] and part[0] in "'\"":
        return _field(_unescape(part[1:-1]))
    match = _SLICE.fullmatch(part)
    if match is None or not part:
        raise JsonPathError(f"invalid array index {part}")
    first, last, step = (int(g) if g not in (None, "", "-") else None for g in match.groups())
    if match.group(2) is None:
        if first is None:
            raise JsonPathError(f"invalid array index {part}")
        return _index(first)
    if step is not None and step < 1:
        raise JsonPathError("step must be > 0")
    return _slice(slice(first, last, step))


def _field(name: str) -> Step:
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _index(at: int) -> Step:
    return lambda values: [v[at] for v in values if isinstance(v, list) and -len(v) <= at < len(v)]


def _slice(which: slice) -> Step:
    return lambda values: [item for value in values if isinstance(value, list) for item in value[which]]


def _all_values(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            found += [value[key] for key in sorted(value)]
        elif isinstance(value, list):
            found += value
    return found


def _everything(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    pending = list(values)
    while pending and len(found) < _MAX_RESULTS:
        value = pending.pop(0)
        found.append(value)
        pending = _all_values([value]) + pending
    return found


def _below(name: str) -> Step:
    pick = _all_values if name == "*" else _field(name)
    return lambda values: pick(_everything(values))


def _filter(condition: str) -> Step:
    match = _COMPARISON.fullmatch(condition)
    if match is None:
        path = _operand(condition)
        return lambda values: [item for item in _all_values(values) if path(item)]
    left, operator, right = _operand(match.group(1)), match.group(2), _operand(match.group(3))

    def holds(item: Any) -> bool:
        a, b = left(item), right(item)
        return bool(a) and bool(b) and _compare(a[0], operator, b[0])

    return lambda values: [item for item in _all_values(values) if holds(item)]


def _operand(text: str) -> Callable[[Any], list[Any]]:
    if text.startswith("@"):
        return json_path(text[1:])
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        literal: Any = _unescape(text[1:-1])
    elif text in ("true", "false"):
        literal = text == "true"
    else:
        try:
            literal = float(text) if "." in text else int(text)
        except ValueError:
            raise JsonPathError(f"unrecognized value in a filter: {text}") from None
    return lambda item: [literal]


def _compare(a: Any, operator: str, b: Any) -> bool:
    if operator == "==":
        return type(a) is type(b) and bool(a == b)
    if operator == "!=":
        return type(a) is not type(b) or bool(a != b)
    if isinstance(a, str) != isinstance(b, str) or not isinstance(a, str | int | float) or isinstance(a, bool):
        return False
    if operator == "<":
        return bool(a < b)
    if operator == ">":
        return bool(a > b)
    return bool(a <= b) if operator == "<=" else bool(a >= b)
