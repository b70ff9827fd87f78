"""What is wrong with the text of an IP address, in the words of Go's net/netip."""

import re
from typing import Final

from kubeactors.api.fielderrors import go_quote

_HEX: Final = re.compile("[0-9a-fA-F]*")


class AddressError(ValueError):
    """The message is Go's, with the text and the place in it."""


def check_address(text: str) -> None:
    """Raises AddressError if netip.ParseAddr would fail."""
    first = next((char for char in text if char in ".:%"), "")
    if first == ".":
        _check_fields(text, text)
    elif first == ":":
        _check_ipv6(text)
    elif first:
        raise _error(text, "missing IPv6 address")
    else:
        raise _error(text, "unable to parse IP")


def _error(text: str, message: str, at: str = "") -> AddressError:
    place = f" (at {go_quote(at)})" if at else ""
    return AddressError(f"ParseAddr({go_quote(text)}): {message}{place}")


def _check_fields(text: str, part: str) -> None:
    """`part` is the part of the text with four numbers."""
    number = digits = dots = 0
    for index, char in enumerate(part):
        if "0" <= char <= "9":
            if digits == 1 and number == 0:
                raise _error(text, "IPv4 field has octet with leading zero")
            number, digits = number * 10 + int(char), digits + 1
            if number > 255:
                raise _error(text, "IPv4 field has value >255")
        elif char == ".":
            if not digits or index == len(part) - 1:
                raise _error(text, "IPv4 field must have at least one digit", part[index:])
            if dots == 3:
                raise _error(text, "IPv4 address too long")
            number, digits, dots = 0, 0, dots + 1
        else:
            raise _error(text, "unexpected character", part[index:])
    if dots < 3:
        raise _error(text, "IPv4 address too short")


def _check_ipv6(text: str) -> None:
    rest, percent, zone = text.partition("%")
    if percent and not zone:
        raise _error(text, "zone must be a non-empty string")
    shortened = rest.startswith("::")
    if shortened:
        rest = rest[2:]
        if not rest:
            return
    size = 0
    while size < 16:
        match = _HEX.match(rest)
        length = match.end() if match is not None else 0
        if length > 4:
            raise _error(text, "each group must have 4 or less digits", rest)
        if not length:
            raise _error(text, "each colon-separated field must have at least one digit", rest)
        if rest[length : length + 1] == ".":
            _check_embedded(text, rest, size, shortened)
            rest, size = "", size + 4
            break
        rest, size = rest[length:], size + 2
        if not rest:
            break
        if rest[0] != ":":
            raise _error(text, "unexpected character, want colon", rest)
        if len(rest) == 1:
            raise _error(text, "colon must be followed by more characters", rest)
        rest = rest[1:]
        if rest[0] == ":":
            if shortened:
                raise _error(text, "multiple :: in address", rest)
            shortened, rest = True, rest[1:]
            if not rest:
                break
    if rest:
        raise _error(text, "trailing garbage after address", rest)
    if size < 16 and not shortened:
        raise _error(text, "address string too short")
    if size == 16 and shortened:
        raise _error(text, "the :: must expand to at least one field of zeros")


def _check_embedded(text: str, rest: str, size: int, shortened: bool) -> None:
    if not shortened and size != 12:
        raise _error(text, "embedded IPv4 address must replace the final 2 fields of the address", rest)
    if size + 4 > 16:
        raise _error(text, "too many hex fields to fit an embedded IPv4 at the end of the address", rest)
    _check_fields(text, rest)
