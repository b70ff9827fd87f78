"""Label selectors: the text form of queries, and LabelSelector objects (matchLabels and matchExpressions).

Grammar and messages are those of apimachinery's `labels.Parse`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kubeactors.api import fielderrors
from kubeactors.api.selectors.lexer import (
    CLOSE,
    COMMA,
    END,
    IDENTIFIER,
    IN,
    NOT,
    NOT_IN,
    OPEN,
    Token,
    lex,
)
from kubeactors.api.validation.names import label_value_errors, qualified_name_errors

_OPERATORS = {"=": "=", "==": "==", "!=": "!=", ">": ">", "<": "<", IN: "in", NOT_IN: "notin"}
MAX_CACHED = 1024  # characters
_EXPECTED_OPERATORS = "in, notin, =, ==, !=, gt, lt"


class SelectorError(ValueError):
    """A selector that does not parse; the text is what Kubernetes answers with 400."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition. `operator` is one of: in, notin, =, ==, !=, exists, !, >, <."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        op = self.operator
        if op in ("=", "==", "in"):
            return self.key in labels and labels[self.key] in self.values
        if op in ("!=", "notin"):
            return self.key not in labels or labels[self.key] not in self.values
        if op == "exists":
            return self.key in labels
        if op == "!":
            return self.key not in labels
        have, want = _int64(labels.get(self.key, "")), _int64(self.values[0])
        if have is None or want is None:
            return False
        return have > want if op == ">" else have < want

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return f"!{self.key}"
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        return f"{self.key}{self.operator}{self.values[0]}"


class LabelSelector:
    """All of some requirements. An empty selector matches everything; NOTHING matches nothing."""

    __slots__ = ("_equal", "_never", "_rest", "requirements")

    def __init__(self, requirements: tuple[Requirement, ...] = (), *, never: bool = False) -> None:
        self.requirements = requirements
        self._never = never
        # Most selectors are equalities: those are compared without a call for each.
        self._equal = tuple(
            (r.key, r.values[0]) for r in requirements if r.operator in ("=", "==", "in") and len(r.values) == 1
        )
        self._rest = tuple(r for r in requirements if not (r.operator in ("=", "==", "in") and len(r.values) == 1))

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether labels (None counts as none) satisfy every requirement."""
        if self._never:
            return False
        labels = labels or {}
        for key, value in self._equal:
            if labels.get(key) != value:
                return False
        return all(r.matches(labels) for r in self._rest)

    @property
    def empty(self) -> bool:
        """True when it matches everything."""
        return not self.requirements and not self._never

    @property
    def exact(self) -> dict[str, str]:
        """The labels that every match must have with one value: what an index can look up."""
        return dict(self._equal)

    def __str__(self) -> str:
        return ",".join(str(r) for r in self.requirements)

    def __repr__(self) -> str:
        return "LabelSelector(nothing)" if self._never else f"LabelSelector({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelSelector):
            return NotImplemented
        return self.requirements == other.requirements and self._never == other._never

    def __hash__(self) -> int:
        return hash((self.requirements, self._never))


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(never=True)


def parse_label_selector(text: str) -> LabelSelector:
    """Parse the labelSelector of a query. Raises SelectorError with Kubernetes' wording."""
    # Long ones are not kept: they come from one client, and many would fill the memory.
    return _parse(text) if len(text) <= MAX_CACHED else _parse.__wrapped__(text)


@lru_cache(maxsize=4096)
def _parse(text: str) -> LabelSelector:
    if not text:
        return EVERYTHING
    return LabelSelector(tuple(_Parser(lex(text)).parse()))


def from_map(labels: Mapping[str, str] | None) -> LabelSelector:
    """The selector of spec.selector maps (services): every label equal. An empty map matches everything."""
    if not labels:
        return EVERYTHING
    return LabelSelector(tuple(Requirement(k, "=", (v,)) for k, v in sorted(labels.items())))


_EXPRESSION_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A metav1.LabelSelector object as a selector: None selects nothing, an empty one everything.

    Raises SelectorError for an unknown operator or malformed values.
    """
    if selector is None:
        return NOTHING
    requirements = [_requirement(k, "=", (v,)) for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        operator = _EXPRESSION_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        requirements.append(_requirement(expression.get("key", ""), operator, tuple(expression.get("values") or ())))
    return LabelSelector(tuple(requirements))


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        while True:
            kind, literal = self._peek()
            if kind in (IDENTIFIER, NOT):
                try:
                    requirements.append(self._requirement())
                except SelectorError as error:
                    raise SelectorError(f"unable to parse requirement: {error}") from None
                kind, literal = self._next()
                if kind == END:
                    return requirements
                if kind != COMMA:
                    raise SelectorError(f"found '{literal}', expected: ',' or 'end of string'")
                kind, literal = self._peek()
                if kind not in (IDENTIFIER, NOT):
                    raise SelectorError(f"found '{literal}', expected: identifier after ','")
            elif kind == END:
                return requirements
            else:
                raise SelectorError(f"found '{literal}', expected: !, identifier, or 'end of string'")

    def _peek(self, *, operators: bool = False) -> Token:
        token = self._tokens[min(self._position, len(self._tokens) - 1)]
        if not operators and token.kind in (IN, NOT_IN):
            return Token(IDENTIFIER, token.literal)
        return token

    def _next(self, *, operators: bool = False) -> Token:
        token = self._peek(operators=operators)
        self._position += 1
        return token

    def _requirement(self) -> Requirement:
        kind, key = self._next()
        negated = kind == NOT
        if negated:
            kind, key = self._next()
        if kind != IDENTIFIER:
            raise SelectorError(f"found '{key}', expected: identifier")
        _check_key("<nil>", key)
        if self._peek().kind in (END, COMMA):
            return _requirement(key, "!" if negated else "exists", ())
        if negated:
            return _requirement(key, "!", ())
        kind, literal = self._next(operators=True)
        operator = _OPERATORS.get(kind)
        if operator is None:
            raise SelectorError(f"found '{literal}', expected: {_EXPECTED_OPERATORS}")
        values = self._value_list() if operator in ("in", "notin") else (self._value(),)
        return _requirement(key, operator, values)

    def _value(self) -> str:
        kind, _ = self._peek()
        if kind in (END, COMMA):
            return ""
        kind, literal = self._next()
        if kind != IDENTIFIER:
            raise SelectorError(f"found '{literal}', expected: identifier")
        return literal

    def _value_list(self) -> tuple[str, ...]:
        kind, literal = self._next()
        if kind != OPEN:
            raise SelectorError(f"found '{literal}' expected: '('")
        kind, literal = self._peek()
        if kind == CLOSE:
            self._next()
            return ()
        if kind not in (IDENTIFIER, COMMA):
            raise SelectorError(f"found '{literal}', expected: ',', ')' or identifier")
        values: set[str] = set()
        while True:
            kind, literal = self._next()
            if kind == IDENTIFIER:
                values.add(literal)
                kind, literal = self._peek()
                if kind == CLOSE:
                    break
                if kind != COMMA:
                    raise SelectorError(f"found '{literal}', expected: ',' or ')'")
            elif kind == COMMA:
                if not values:
                    values.add("")
                kind, _ = self._peek()
                if kind == CLOSE:
                    values.add("")
                    break
                if kind == COMMA:
                    self._next()
                    values.add("")
            else:
                raise SelectorError(f"found '{literal}', expected: ',', or identifier")
        self._next()
        return tuple(sorted(values))


def _requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    _check_key("key", key)
    if operator in ("in", "notin") and not values:
        _refuse("values", [], "for 'in', 'notin' operators, values set can't be empty")
    if operator in ("exists", "!") and values:
        _refuse("values", list(values), "values set must be empty for exists and does not exist")
    if operator in (">", "<") and _int64(values[0]) is None:
        _refuse("values[0]", values[0], "for 'Gt', 'Lt' operators, the value must be an integer")
    for index, value in enumerate(values):
        problems = label_value_errors(value)
        if problems:
            _refuse(f"values[{index}][{key}]", value, "; ".join(problems))
    return Requirement(key, operator, values)


def _check_key(path: str, key: str) -> None:
    problems = qualified_name_errors(key)
    if problems:
        _refuse(path, key, "; ".join(problems))


def _refuse(path: str, value: Any, message: str) -> None:
    raise SelectorError(str(fielderrors.invalid(path, value, message)))


def _int64(text: str) -> int | None:
    if not text.isascii() or not text.lstrip("+-").isdigit() or len(text) > 20:
        return None
    try:
        value = int(text)
    except ValueError:
        return None
    return value if -(2**63) <= value < 2**63 else None
