"""Values of literals."""

import re
from typing import Any, Final

from kubeactors.api.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt

_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.S)


class LiteralError(ValueError):
    """A literal that has no value; the message is shown at its place."""


def integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    value = sign * (int(digits, 16) if digits[:2] == "0x" else int(digits))
    if not INT_MIN <= value <= INT_MAX:
        raise LiteralError("invalid int literal")
    return value


def unsigned(text: str) -> UInt:
    digits = text[:-1]
    value = int(digits, 16) if digits[:2] == "0x" else int(digits)
    if value > UINT_MAX:
        raise LiteralError("invalid uint literal")
    return UInt(value)


def double(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise LiteralError("invalid double literal")
    return value


def string(text: str) -> str:
    body, raw = _body(text)
    if raw:
        return body
    return _ESCAPE.sub(_character, body)


def binary(text: str) -> bytes:
    body, raw = _body(text[1:])
    if raw:
        return body.encode()
    made = bytearray()
    at = 0
    for match in _ESCAPE.finditer(body):
        made += body[at : match.start()].encode()
        byte, octal = match[1], match[4]
        if match[2] or match[3]:
            raise LiteralError(f"unable to unescape string: \\{match[0][1]} in bytes")
        made += bytes([int(byte, 16) if byte else int(octal, 8)]) if byte or octal else _SIMPLE[match[5]].encode()
        at = match.end()
    return bytes(made + body[at:].encode())


def _body(text: str) -> tuple[str, bool]:
    raw = text[0] in "rR"
    text = text[1:] if raw else text
    quotes = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    body = text[quotes:-quotes]
    return body.replace("\r\n", "\n").replace("\r", "\n"), raw


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None and match[4] is None:
        return _SIMPLE[match[5]]
    number = int(code, 16) if code else int(match[4], 8)
    if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF:
        raise LiteralError("invalid unicode code point")
    return chr(number)


CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
