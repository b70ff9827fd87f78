"""How the parser goes on after an error: the strategy of ANTLR's parsers, as users know its messages.

A token too many is passed over, a missing one thought of as there, and otherwise everything is skipped up to a token
that some rule under way can go on with. Until a token matches again nothing more is reported.
"""

from collections.abc import Iterable, Set
from typing import Final

from kubeactors.api.cel.lexer import EOF, ORDER, Token, visible
from kubeactors.api.cel.source import Issue

_MAX_RECOVERIES: Final = 30


class SyntaxProblem(Exception):
    """A rule cannot go on."""

    def __init__(self, message: str, token: Token) -> None:
        super().__init__(message)
        self.token = token


class TooManyProblems(Exception):
    """The text is not worth reading on."""


class TokenStream:
    """Tokens with the rules under way: each has a set of tokens that may come after it."""

    def __init__(self, tokens: list[Token], issues: list[Issue]) -> None:
        self._tokens = tokens
        self._issues = issues
        self._at = 0
        self._follow: list[tuple[Set[str], bool]] = []
        self._recovering = False
        self._recoveries = 0
        self._stuck_at = -1

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def peek(self, distance: int = 1) -> str:
        return self._tokens[min(self._at + distance, len(self._tokens) - 1)].kind

    def enter(self, follow: Set[str], *, closes: bool = True) -> None:
        """A rule begins, after which comes one of `follow`; `closes` False: or what comes after the rule around it."""
        self._follow.append((follow, closes))

    def leave(self) -> None:
        self._follow.pop()

    def take(self) -> Token:
        """The next token, whatever it is."""
        token = self.next
        if token.kind != EOF:
            self._at += 1
        self._recovering = False
        return token

    def match(self, kind: str, after: Set[str] = frozenset(), *, closes: bool = False) -> Token:
        """The next token if it is of a kind. `after`: what may come behind it within the rule (`closes`: must)."""
        if self.next.kind == kind:
            return self.take()
        if self.peek() == kind:
            self._unwanted({kind})
            self._at += 1
            return self.take()
        beyond = set(after) | (set() if closes else self._after_rule())
        if self.next.kind in beyond:
            if not self._recovering:
                self._recovering = True
                self._report(f"missing {_name(kind)} at {_quoted(self.next)}", self.next)
            return Token(kind, f"<missing {kind}>", self.next.position)
        raise self.mismatch({kind})

    def sync(self, expected: Set[str]) -> None:
        """Before a choice: one of the expected tokens must come; one token too many before it is passed over."""
        if self._recovering or self.next.kind in expected:
            return
        if self.peek() in expected:
            self._unwanted(expected)
            self._at += 1
            self._recovering = False
            return
        raise self.mismatch(expected)

    def mismatch(self, expected: Iterable[str]) -> SyntaxProblem:
        return SyntaxProblem(f"mismatched input {_quoted(self.next)} expecting {listed(expected)}", self.next)

    def no_alternative(self, start: int) -> SyntaxProblem:
        """None of a rule's alternatives goes on like this; `start`: how many tokens ago it began."""
        first = self._tokens[self._at - start].position if start else self.next.position
        words = [t.text for t in self._tokens[self._at - start : self._at + 1] if t.kind != EOF and t.position >= first]
        return SyntaxProblem(f"no viable alternative at input '{visible(''.join(words))}'", self.next)

    def recover(self, problem: SyntaxProblem) -> None:
        """Report, and skip to where a rule under way can go on."""
        self._recoveries += 1
        if not self._recovering:
            self._recovering = True
            self._report(str(problem), problem.token)
        if self._recoveries > _MAX_RECOVERIES:
            self._report(f"error recovery attempt limit exceeded: {_MAX_RECOVERIES}", self.next)
            raise TooManyProblems
        if self._stuck_at == self._at and self.next.kind != EOF:
            self._at += 1
        self._stuck_at = self._at
        wanted: set[str] = {EOF}
        for follow, _ in self._follow:
            wanted |= follow
        while self.next.kind not in wanted:
            self._at += 1

    def _after_rule(self) -> set[str]:
        found: set[str] = set()
        for follow, closes in reversed(self._follow):
            found |= follow
            if closes:
                break
        return found

    def _unwanted(self, expected: Iterable[str]) -> None:
        if not self._recovering:
            self._recovering = True
            self._report(f"extraneous input {_quoted(self.next)} expecting {listed(expected)}", self.next)

    def _report(self, message: str, token: Token) -> None:
        self._issues.append(Issue(token.position, f"Syntax error: {message}"))


def listed(expected: Iterable[str]) -> str:
    names = [_name(kind) for kind in sorted(expected, key=ORDER.__getitem__)]
    return names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"


def _name(kind: str) -> str:
    return kind if kind.isupper() or kind == EOF else f"'{kind}'"


def _quoted(token: Token) -> str:
    return f"'{visible(token.text)}'"
