"""String formats that Kubernetes checks in custom resources (kube-openapi's strfmt registry).

Other formats are annotations: they are kept and not checked.
"""

import base64
import binascii
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from kubeactors.api.meta import parse_time
from kubeactors.api.regular_expressions import found_in
from kubeactors.api.validation.names import dns1123_label_errors, dns1123_subdomain_errors

_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = rf"{_HEX}{{8}}-?{_HEX}{{4}}-?%s{_HEX}{{3}}-?%s{_HEX}{{3}}-?{_HEX}{{12}}"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
# A single label has a hyphen at most as its second character; the last of several has two characters or more.
_HOSTNAME: Final = re.compile(
    r"[a-zA-Z0-9]-?[a-zA-Z0-9]{0,62}|(?:[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z0-9](?:-?[a-zA-Z0-9]){1,62}"
)
# RFC 5322, with a name before the address as in `Jane Doe <jane@example.com>`.
_ATOM: Final = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOTTED: Final = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED: Final = r'"(?:[^"\\]|\\.)+"'
_ADDRESS: Final = rf"(?:{_DOTTED}|{_QUOTED})@(?:{_DOTTED}|\[[^\[\]\\]*\])"
_EMAIL: Final = rf"^[ \t]*(?:{_ADDRESS}|(?:(?:{_ATOM}|\.|{_QUOTED})[ \t]*)*<{_ADDRESS}>)[ \t]*$"
_LONGEST_EMAIL: Final = 64 << 10
_ZEROS: Final = re.compile(r"(?<![0-9a-fA-F])0+(?=[0-9]+(?:\.|$))")
_MAC_BYTES: Final = (6, 8, 20)
_GO_DURATION: Final = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")
_DURATION: Final = re.compile(
    r"\s*(\d+(\.\d+)?)\s*(ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|"
    r"m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\s*",
    re.IGNORECASE,
)
_HEX_COLOR: Final = re.compile(rf"#?({_HEX}{{3}}|{_HEX}{{6}})")
_RGB_COLOR: Final = re.compile(
    r"rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,"
    r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)"
)
_SSN: Final = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}")
_BSON: Final = re.compile(rf"{_HEX}{{24}}")


def _full(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _uuid(version: str = "", variant: str = "") -> Callable[[str], bool]:
    return _full(re.compile(_UUID % (version or _HEX, variant or _HEX)))


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and _is_time(f"{text}T00:00:00Z")


def _is_date_time(text: str) -> bool:
    return _DATE_TIME.fullmatch(text) is not None and _is_time(text.upper().replace(" ", "T"))


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except (ValueError, OverflowError):
        return False
    return True


def _is_duration(text: str) -> bool:
    return _GO_DURATION.fullmatch(text) is not None or _DURATION.fullmatch(text) is not None


def _is_hostname(text: str) -> bool:
    parts = text.encode().split(b".")
    return len(text.encode()) <= 255 and max(map(len, parts)) <= 63 and bool(_HOSTNAME.fullmatch(_plain(text)))


def _plain(text: str) -> str:
    """Letters and symbols of all languages count as letters."""
    return "".join("a" if not c.isascii() and unicodedata.category(c)[0] in "LS" else c for c in text)


def _is_email(text: str) -> bool:
    return len(text) <= _LONGEST_EMAIL and found_in("".join(c if c.isascii() else "a" for c in text), _EMAIL)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """As Go read addresses before 1.17: numbers may have zeros before them, and there are no zones."""
    try:
        return None if "%" in text else ipaddress.ip_address(_ZEROS.sub("", text) if "." in text else text)
    except ValueError:
        return None


def _is_ipv4(text: str) -> bool:
    return "." in text and _address(text) is not None


def _is_ipv6(text: str) -> bool:
    return ":" in text and _address(text) is not None


def _is_cidr(text: str) -> bool:
    start, _, bits = text.partition("/")
    address = _address(start)
    return address is not None and bits.isascii() and bits.isdigit() and int(bits[:9]) <= address.max_prefixlen


def _is_mac(text: str) -> bool:
    """01:23:45:67:89:ab, with dashes, or 0123.4567.89ab: of 6, 8 or 20 bytes."""
    digits, between = (4, ".") if "." in text else (2, "-" if "-" in text else ":")
    parts = text.split(between)
    valid = all(re.fullmatch(rf"{_HEX}{{{digits}}}", part) for part in parts)
    return valid and len(parts) * digits // 2 in _MAC_BYTES


def _is_uri(text: str) -> bool:
    if not text or any(c <= " " or c == "\x7f" for c in text):
        return False
    if text.startswith("/"):
        return True
    try:
        return bool(urlsplit(text).scheme)
    except ValueError:
        return False


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not 12 <= len(digits) <= 19:
        return False
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((10 - i) * (10 if d == "X" else int(d)) for i, d in enumerate(digits)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"\d{13}", digits):
        return False
    return sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _full(_BSON),
    "uri": _is_uri,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "cidr": _is_cidr,
    "mac": _is_mac,
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89abAB]"),
    "uuid5": _uuid("5", "[89abAB]"),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _full(_SSN),
    "hexcolor": _full(_HEX_COLOR),
    "rgbcolor": _full(_RGB_COLOR),
    "byte": _is_base64,
    "password": lambda text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_date_time,
    "k8sshortname": lambda text: not dns1123_label_errors(text),
    "k8slongname": lambda text: not dns1123_subdomain_errors(text),
}

_NUMBERS: Final = frozenset({"int32", "int64", "float", "double"})


def checked(format: str) -> Callable[[str], bool] | None:
    """The check of a string format, None for one that is not checked. Dashes in its name mean nothing."""
    return _CHECKS.get(format.replace("-", ""))


def known(format: str) -> bool:
    """Whether the format means something to the server."""
    return format in _NUMBERS or checked(format) is not None
