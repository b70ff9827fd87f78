"""Why a text is no JSON, in the words of Go's encoding/json, which users of Kubernetes search for."""

from __future__ import annotations

import re
from typing import Final

from kubeactors.api.fielderrors import go_quote

ENDED: Final = "unexpected end of JSON input"
_SPACE: Final = b" \t\r\n"
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPED: Final = b'bfnrt\\/"'
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"


def syntax_error(text: bytes) -> str | None:
    """The first error that Go's scanner meets; None if it meets none."""
    try:
        _scan(text)
    except _SyntaxProblem as problem:
        return str(problem)
    return None


class _SyntaxProblem(Exception):
    def __init__(self, text: bytes, place: int, context: str) -> None:
        if place >= len(text):
            super().__init__(ENDED)
            return
        char = chr(text[place])
        shown = {"'": r"\'", '"': '"'}.get(char) or go_quote(char)[1:-1]
        super().__init__(f"invalid character '{shown}' {context}")


def _scan(text: bytes) -> None:
    open_: list[int] = []  # the brackets that are open
    place = _spaces(text, 0)
    while True:
        # A value begins here.
        char = text[place : place + 1]
        if char in (b"{", b"["):
            open_.append(text[place])
            place = _spaces(text, place + 1)
            if text[place : place + 1] != (b"}" if char == b"{" else b"]"):
                place = _key(text, place, "looking for beginning of object key string") if char == b"{" else place
                continue
        else:
            place = _spaces(text, _scalar(text, place))
            if not open_:
                if place < len(text):
                    raise _SyntaxProblem(text, place, "after top-level value")
                return
        # A value has ended, or an empty object or array is about to: close what closes.
        while open_ and text[place : place + 1] == (b"}" if open_[-1] == ord("{") else b"]"):
            open_.pop()
            place = _spaces(text, place + 1)
        if not open_:
            if place < len(text):
                raise _SyntaxProblem(text, place, "after top-level value")
            return
        in_object = open_[-1] == ord("{")
        if text[place : place + 1] != b",":
            raise _SyntaxProblem(text, place, f"after {'object key:value pair' if in_object else 'array element'}")
        place = _spaces(text, place + 1)
        if in_object:
            place = _key(text, place, "looking for beginning of object key string")


def _spaces(text: bytes, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


def _key(text: bytes, place: int, context: str) -> int:
    if text[place : place + 1] != b'"':
        raise _SyntaxProblem(text, place, context)
    place = _spaces(text, _string(text, place))
    if text[place : place + 1] != b":":
        raise _SyntaxProblem(text, place, "after object key")
    return _spaces(text, place + 1)


def _scalar(text: bytes, place: int) -> int:
    char = text[place : place + 1]
    if char == b'"':
        return _string(text, place)
    if char and char in b"-0123456789":
        return _number(text, place)
    for word in (b"true", b"false", b"null"):
        if char == word[:1]:
            for offset in range(1, len(word)):
                if text[place + offset : place + offset + 1] != word[offset : offset + 1]:
                    context = f"in literal {word.decode()} (expecting '{chr(word[offset])}')"
                    raise _SyntaxProblem(text, place + offset, context)
            return place + len(word)
    raise _SyntaxProblem(text, place, "looking for beginning of value")


def _string(text: bytes, place: int) -> int:
    place += 1
    while place < len(text) and text[place] != ord('"'):
        if text[place] < 0x20:
            raise _SyntaxProblem(text, place, "in string literal")
        if text[place] == ord("\\"):
            place += 1
            if text[place : place + 1] == b"u":
                for _ in range(4):
                    place += 1
                    if place >= len(text) or text[place] not in _HEXADECIMAL:
                        raise _SyntaxProblem(text, place, "in \\u hexadecimal character escape")
            elif place >= len(text) or text[place] not in _ESCAPED:
                raise _SyntaxProblem(text, place, "in string escape code")
        place += 1
    if place >= len(text):
        raise _SyntaxProblem(text, place, "")
    return place + 1


def _number(text: bytes, place: int) -> int:
    found = _NUMBER.match(text, place)
    if found is None:  # a minus and no digit
        raise _SyntaxProblem(text, place + 1, "in numeric literal")
    place = found.end()
    following = text[place : place + 1]
    exponent = b"e" in found[0].lower()
    if following == b"." and b"." not in found[0] and not exponent:
        raise _SyntaxProblem(text, place + 1, "after decimal point in numeric literal")
    if following and following in b"eE" and not exponent:
        place += 2 if text[place + 1 : place + 2] in (b"+", b"-") else 1
        raise _SyntaxProblem(text, place, "in exponent of numeric literal")
    return place
