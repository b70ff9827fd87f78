"""Durations and times as text, in Go's forms."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kubeactors.api import go_time
from kubeactors.api.cel.values import INT_MAX, INT_MIN, Duration, EvaluationError, Timestamp

SECOND: Final = 10**9
_UNITS: Final = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_EPOCH: Final = date(1970, 1, 1).toordinal()
MIN_TIME: Final = (date(1, 1, 1).toordinal() - _EPOCH) * 86400
MAX_TIME: Final = (date(9999, 12, 31).toordinal() - _EPOCH) * 86400 + 86399

OVERFLOW: Final = "timestamp overflow"


def parse_duration(text: str) -> Duration:
    """Go's time.ParseDuration. Raises EvaluationError."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return Duration(0)
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise EvaluationError(f'time: invalid duration "{text}"')
    total = int(sum(Fraction(_number(number)) * _UNITS[unit] for number, unit in parts))
    total = -total if text[0] == "-" else total
    if not INT_MIN <= total <= INT_MAX:
        raise EvaluationError(f'time: invalid duration "{text}"')
    return Duration(total)


def _number(text: str) -> str:
    return text if text[0] != "." else f"0{text}"


def duration_text(value: Duration) -> str:
    """`5400s`, `1.5s`."""
    sign = "-" if value.nanos < 0 else ""
    seconds, nanos = divmod(abs(value.nanos), SECOND)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{sign}{seconds}{fraction}s"


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339. Raises EvaluationError."""
    try:
        found = go_time.parse(text)
    except ValueError as error:
        raise EvaluationError(str(error)) from None
    if found.year == 0:
        raise EvaluationError(OVERFLOW)
    days = date(*found[:3]).toordinal() - _EPOCH
    seconds = days * 86400 + found.hour * 3600 + found.minute * 60 + found.second
    return timestamp((seconds - found.offset) * SECOND + found.nanos, found.offset)


def timestamp(nanos: int, offset: int = 0) -> Timestamp:
    """Raises EvaluationError outside of the years 1 to 9999."""
    if not MIN_TIME * SECOND <= nanos < (MAX_TIME + 1) * SECOND:
        raise EvaluationError(OVERFLOW)
    return Timestamp(nanos, offset)


def duration(nanos: int) -> Duration:
    if not INT_MIN <= nanos <= INT_MAX:
        raise EvaluationError("duration overflow")
    return Duration(nanos)


def moment(value: Timestamp, zone: tzinfo = UTC) -> datetime:
    """To the second: datetimes hold no nanoseconds."""
    seconds = value.nanos // SECOND
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)


def timestamp_text(value: Timestamp) -> str:
    offset = value.offset
    try:
        when = moment(value) + timedelta(seconds=offset)
    except OverflowError:
        when, offset = moment(value), 0
    nanos = value.nanos % SECOND
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{when.year:04d}-{when.month:02d}-{when.day:02d}T{when:%H:%M:%S}{fraction}{_offset_text(offset)}"


def _offset_text(seconds: int) -> str:
    if not seconds:
        return "Z"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """`Europe/Berlin`, `+02:00`, `-8:30`. Raises EvaluationError."""
    if ":" not in name:
        try:
            return ZoneInfo(name) if name not in ("", "UTC") else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise EvaluationError(f"unknown time zone {name}") from None
    match = re.fullmatch(r"([+-]?)([0-9]{1,2}):([0-9]{2})", name)
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        raise EvaluationError(f"unknown time zone {name}")
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
