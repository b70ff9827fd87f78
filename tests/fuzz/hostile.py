"""Values that programs stumble over."""

from __future__ import annotations

from typing import Any, Final

from tests.fuzz.choices import Choices

#: JSON texts, some of which no encoder would write; each is put where a value was.
TEXTS: Final[tuple[bytes, ...]] = (
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1.5",
    b"1e3",
    b"1e400",
    b"-0.0",
    b"2147483648",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"1" + b"0" * 400,
    b'""',
    b'"a"',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\\u202e\\ufeff"',
    b'"%s"' % (b"a" * 70_000),
    b'"../../etc/passwd"',
    b'"a\\r\\nX-Header: b"',
    b'"{}{0}%s%n"',
    b"[]",
    b"{}",
    b"[null]",
    b"[[]]",
    b"[{}]",
    b'{"":null}',
    b'{"a":1,"a":2}',
    b'{"a":{"a":{"a":{}}}}',
    b'{"\\ud800":1}',
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"[" * 200 + b"]" * 200,
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"undefined",
    b"'a'",
    b"01",
    b"+1",
    b"0x10",
    b"",
    b",",
    b"}",
)
STRINGS: Final[tuple[str, ...]] = (
    "a",
    "",
    "a-b.example.com",
    "example.com/a",
    "A_B",
    "-",
    ".",
    "..",
    "*",
    "/",
    "//",
    "/a/b",
    "1",
    "-1",
    "1Gi",
    "1e",
    "1e3",
    "1e99999",
    "100m",
    "9" * 60,
    "0.0000000000000000000000000001",
    "1" * 5_000,
    "50%",
    "%",
    "10.0.0.1",
    "::1",
    "fe80::1%eth0",
    "10.0.0.0/8",
    "10.0.0.0/99",
    "999.1.1.1",
    "2026-01-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "2026-01-01T00:00:00.000000Z",
    "2026-01-01T00:00:00+99:99",
    "1h",
    "1h1",
    "99999999999h",
    "*/5 * * * *",
    "* * * * * *",
    "0 0 31 2 *",
    "TZ=Mars 0 0 * * *",
    "@every 1s",
    "(",
    "(a+)+$",
    "[",
    "{{",
    "$(A)",
    "http://[::1",
    "http://a:99999/",
    "https://a/?b#c",
    "aGVsbG8=",
    "aGVsbG8",
    "====",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "\x00",
    "\x7f\x1b[0m",
    "\u202e",
    "\ufeff",
    "é" * 300,
    "\U0001f600",
    "a" * 64,
    "a" * 254,
    "a" * 3_000,
    "Always",
    "None",
    "default",
    "kube-system",
    "TCP",
    "v1",
    "apps/v1",
    "Pod",
    "self.a == 1",
)
INTEGERS: Final = (1, 0, -1, 2, 80, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, -(2**63))


def text(choose: Choices) -> str:
    """A string."""
    return choose.one(STRINGS)


def value(choose: Choices) -> Any:
    """A value that JSON has, of any type."""
    sort = choose.below(8)
    if sort == 0:
        return None
    if sort == 1:
        return choose.chance(50)
    if sort == 2:
        return choose.one(INTEGERS)
    if sort == 3:
        return choose.one((1.5, 0.1, -0.0, 1e300, 2.0**64, 5e-324))
    if sort == 4:
        return [value(choose) for _ in range(choose.below(3))]
    if sort == 5:
        return {text(choose): value(choose) for _ in range(choose.below(3))}
    return text(choose)
