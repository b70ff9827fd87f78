"""Tokens of an expression. What is no token is reported in the words of the reference implementation's scanner."""

import re
from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.source import Issue

EOF: Final = "<EOF>"
IDENTIFIER: Final = "IDENTIFIER"
ESCAPED_IDENTIFIER: Final = "ESC_IDENTIFIER"
FLOAT, INT, UINT, STRING, BYTES = "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES"

_OPERATORS: Final = ("==", "!=", "<=", ">=", "&&", "||", *"<>[]{}().,-!?:+*/%")
_KEYWORDS: Final = frozenset({"in", "true", "false", "null"})

RESERVED: Final = frozenset(
    {
        "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
        "namespace", "null", "package", "return", "true", "var", "void", "while",
    }
)  # fmt: skip

# What an error lists as expected comes in this order.
ORDER: Final = {
    kind: index
    for index, kind in enumerate(
        (
            EOF, "==", "!=", "in", "<", "<=", ">=", ">", "&&", "||", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!",
            "?", ":", "+", "*", "/", "%", "true", "false", "null", FLOAT, INT, UINT, STRING, BYTES, IDENTIFIER,
            ESCAPED_IDENTIFIER,
        )
    )
}  # fmt: skip

_ESCAPE: Final = r"\\(?:[abfnrtv\"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"
_STRINGS: Final = (
    rf'"""(?:{_ESCAPE}|[^\\])*?"""',
    rf"'''(?:{_ESCAPE}|[^\\])*?'''",
    rf'"(?:{_ESCAPE}|[^\\"\n\r])*"',
    rf"'(?:{_ESCAPE}|[^\\'\n\r])*'",
    r'[rR]"""(?:.|\n)*?"""',
    r"[rR]'''(?:.|\n)*?'''",
    r'[rR]"[^"\n\r]*"',
    r"[rR]'[^'\n\r]*'",
)
_STRING: Final = "|".join(_STRINGS)
_TOKEN: Final = re.compile(
    rf"""(?P<space>[\t \r\n\f]+|//[^\n]*)
    |(?P<NUM_FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<NUM_UINT>(?:0x[0-9a-fA-F]+|[0-9]+)[uU])
    |(?P<NUM_INT>0x[0-9a-fA-F]+|[0-9]+)
    |(?P<BYTES>[bB](?:{_STRING}))
    |(?P<STRING>{_STRING})
    |(?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<ESC_IDENTIFIER>`[A-Za-z0-9_.\-/\ ]+`)
    |(?P<operator>{"|".join(map(re.escape, _OPERATORS))})""",
    re.VERBOSE,
)
_ESCAPE_AT: Final = re.compile(_ESCAPE)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: an operator or keyword itself, or a name such as IDENTIFIER."""

    kind: str
    text: str
    position: int


def tokens(text: str, issues: list[Issue]) -> list[Token]:
    """The tokens, closed by EOF."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            end = min(_unrecognized_end(text, at) + 1, len(text))
            issues.append(Issue(at, f"Syntax error: token recognition error at: '{visible(text[at:end])}'"))
            at = end
            continue
        kind, word = match.lastgroup or "", match.group()
        if kind == "operator" or (kind == IDENTIFIER and word in _KEYWORDS):
            kind = word
        if kind != "space":
            found.append(Token(kind, word, at))
        at = match.end()
    found.append(Token(EOF, EOF, len(text)))
    return found


def _unrecognized_end(text: str, at: int) -> int:
    """Where the scanner gives up: at the character that no token continues with."""
    char = text[at]
    if char in "=&|":
        return at + 1
    if char == "`":
        end = at + 1
        while end < len(text) and re.match(r"[A-Za-z0-9_.\-/ ]", text[end]):
            end += 1
        return end
    if char not in "\"'":
        return at
    end = at + 1
    while end < len(text) and text[end] not in "\n\r":
        if text[end] != "\\":
            end += 1
            continue
        escape = _ESCAPE_AT.match(text, end)
        if escape is None:
            return _broken_escape_end(text, end)
        end = escape.end()
    return end


def _broken_escape_end(text: str, at: int) -> int:
    digits = {"x": 2, "X": 2, "u": 4, "U": 8}.get(text[at + 1 : at + 2], 0)
    end = at + 2 if digits else at + 1
    while digits and end < len(text) and re.match(r"[0-9a-fA-F]", text[end]):
        end += 1
    return end


def visible(text: str) -> str:
    return text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
