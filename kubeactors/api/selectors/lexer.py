"""Tokens of label selectors, as apimachinery's lexer cuts them."""

from typing import Final, NamedTuple

END: Final = "end"
IDENTIFIER: Final = "identifier"
ERROR: Final = "error"
IN: Final = "in"
NOT_IN: Final = "notin"
NOT: Final = "!"
COMMA: Final = ","
OPEN: Final = "("
CLOSE: Final = ")"

_SPECIAL: Final = frozenset("=!(),><")
_SYMBOLS: Final = frozenset({")", ",", "!", "==", "=", ">", "<", "!=", "("})
_SPACES: Final = frozenset(" \t\r\n")


class Token(NamedTuple):
    kind: str  # one of the constants above, or a comparison operator's own text
    literal: str


def lex(text: str) -> list[Token]:
    """Every token of `text`; the last is END. A run of symbols that means nothing is an ERROR token."""
    tokens: list[Token] = []
    position = 0
    while True:
        while position < len(text) and text[position] in _SPACES:
            position += 1
        if position >= len(text):
            tokens.append(Token(END, ""))
            return tokens
        if text[position] in _SPECIAL:
            token, position = _symbol(text, position)
            tokens.append(token)
            continue
        start = position
        while position < len(text) and text[position] not in _SPECIAL and text[position] not in _SPACES:
            position += 1
        word = text[start:position]
        tokens.append(Token(word if word in (IN, NOT_IN) else IDENTIFIER, word))


def _symbol(text: str, start: int) -> tuple[Token, int]:
    """The longest symbol at `start`, and where to go on."""
    best = ""
    end = start
    while end < len(text) and text[end] in _SPECIAL:
        candidate = text[start : end + 1]
        if candidate in _SYMBOLS:
            best = candidate
        elif best:
            break
        end += 1
    if not best:
        return Token(ERROR, f"error expected: keyword found '{text[start:end]}'"), end
    return Token(best, best), end
