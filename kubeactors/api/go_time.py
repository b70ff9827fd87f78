"""Times as Go's `time.Parse` takes them, with its words for what is none (RFC 3339, and Kubernetes' MicroTime)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from kubeactors.api.fielderrors import go_quote

RFC3339: Final = "2006-01-02T15:04:05Z07:00"
RFC3339_MICRO: Final = "2006-01-02T15:04:05.000000Z07:00"
"""The fraction is required, with six digits."""

_CHUNKS: Final = ("2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05")
_RANGES: Final = {"01": ("month", 1, 12), "15": ("hour", 0, 23), "04": ("minute", 0, 59), "05": ("second", 0, 59)}
_FRACTION: Final = ".000000"
_ZONE: Final = "Z07:00"


class GoTime(NamedTuple):
    """A time of day in some zone; `offset` is in seconds east of UTC."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanos: int
    offset: int

    def utc(self) -> datetime:
        """In UTC, to the microsecond. Raises OverflowError, ValueError outside of the years 1 to 9999."""
        local = datetime(*self[:6], self.nanos // 1000, UTC)
        return local - timedelta(seconds=self.offset)


def parse(text: str, layout: str = RFC3339) -> GoTime:
    """Raises ValueError with Go's text. As in Go an hour may have one digit, and a fraction may follow a comma."""
    rest, numbers = text, []
    for chunk in _CHUNKS:
        hold = rest
        if not chunk.isdigit():
            if not rest.startswith(chunk):
                raise _unfit(text, layout, rest, chunk)
            rest = rest[len(chunk) :]
            continue
        digits = _digits(rest, len(chunk), shorter=chunk == "15")
        if not digits:
            raise _unfit(text, layout, hold, chunk)
        rest = rest[len(digits) :]
        name, least, most = _RANGES.get(chunk, ("", 0, 9999))
        if not least <= int(digits) <= most:
            raise ValueError(f"parsing time {go_quote(text)}: {name} out of range")
        numbers.append(int(digits))
    nanos, rest = _fraction(text, layout, rest)
    offset, rest = _zone(text, layout, rest)
    if rest:
        raise ValueError(f"parsing time {go_quote(text)}: extra text: {go_quote(rest)}")
    year, month, day = numbers[:3]
    if not 1 <= day <= _days(year, month):
        raise ValueError(f"parsing time {go_quote(text)}: day out of range")
    hour, minute, second = numbers[3:]
    return GoTime(year, month, day, hour, minute, second, nanos, offset)


def _digits(text: str, count: int, *, shorter: bool) -> str:
    """The number that a text begins with, empty for none; where `shorter`, one digit will do, too."""
    head = text[:count]
    if head.isascii() and head.isdigit() and len(head) == count:
        return head
    return head[:1] if shorter and head[:1].isascii() and head[:1].isdigit() else ""


def _fraction(text: str, layout: str, rest: str) -> tuple[int, str]:
    found = rest[:1] in (".", ",") and rest[1:2].isascii() and rest[1:2].isdigit()
    if layout == RFC3339_MICRO:
        digits = _digits(rest[1:], 6, shorter=False) if found else ""
        if not digits:
            raise _unfit(text, layout, rest, _FRACTION)
    elif found:
        after = rest[1:].lstrip("0123456789")
        digits = rest[1 : len(rest) - len(after)]
    else:
        return 0, rest
    return int(digits[:9].ljust(9, "0")), rest[1 + len(digits) :]


def _zone(text: str, layout: str, rest: str) -> tuple[int, str]:
    if rest.startswith("Z"):
        return 0, rest[1:]
    hours, minutes = _digits(rest[1:], 2, shorter=False), _digits(rest[4:], 2, shorter=False)
    if rest[:1] not in ("+", "-") or rest[3:4] != ":" or not hours or not minutes:
        raise _unfit(text, layout, rest, _ZONE)
    for name, number, most in (("hour", hours, 24), ("minute", minutes, 60)):
        if int(number) > most:
            raise ValueError(f"parsing time {go_quote(text)}: time zone offset {name} out of range")
    offset = int(hours) * 3600 + int(minutes) * 60
    return (-offset if rest[0] == "-" else offset), rest[6:]


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else (date(2001, month % 12 + 1, 1) - timedelta(days=1)).day


def _unfit(text: str, layout: str, rest: str, chunk: str) -> ValueError:
    return ValueError(
        f"parsing time {go_quote(text)} as {go_quote(layout)}: cannot parse {go_quote(rest)} as {go_quote(chunk)}"
    )
