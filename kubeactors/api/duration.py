"""Durations: how ages are printed (`5m`, `2d3h`), and Go's duration texts (`1m30s`)."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn, Self

from kubeactors.api.meta import parse_time

_GO_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO_MAX: Final = 2**63 / 1e9  # seconds; Go counts nanoseconds in 64 bits

# No object can hold these: nobody outside knows them.
MARK_START: Final = f"<{secrets.token_hex(8)}|"
MARK_END: Final = f"|{secrets.token_hex(8)}>"


class TimeNeeded(Exception):
    """Something was to be computed with a time that is not known."""


class Marks(datetime):
    """Stands for a present that is not known yet: `since` and `until` leave a mark for it, all else raises TimeNeeded.

    A mark is MARK_START, `+` (since) or `-` (until), the time and MARK_END.
    """

    @classmethod
    def now_unknown(cls) -> Self:
        return cls(1970, 1, 1, tzinfo=UTC)

    def mark(self, sign: str, timestamp: str) -> str:
        return f"{MARK_START}{sign}{timestamp}{MARK_END}"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TimeNeeded

    __add__ = __radd__ = __sub__ = __rsub__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    timestamp = isoformat = strftime = _refuse  # type: ignore[assignment]


def human(seconds: float) -> str:
    """duration.HumanDuration: at most two units, coarser with age. Under two seconds in the future counts as now."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 60 * 2:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 60 * 3:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 24 * 8:
        return _two(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = days // 365
    if hours < 24 * 365 * 8:
        return _two(years, "y", days % 365, "d")
    return f"{years}y"


def short_human(seconds: float) -> str:
    """duration.ShortHumanDuration: one unit only, rounded down."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    for unit, size in (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("m", 60)):
        if total >= size:
            return f"{total // size}{unit}"
    return f"{total}s"


def since(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 time was, as printed in an AGE column; `<unknown>` without one."""
    if not timestamp:
        return "<unknown>"
    if now.__class__ is Marks:
        return now.mark("+", timestamp)
    return human((now - parse_time(timestamp)).total_seconds())


def until(timestamp: str | None, now: datetime) -> str:
    if not timestamp:
        return "<unknown>"
    if now.__class__ is Marks:
        return now.mark("-", timestamp)
    return human((parse_time(timestamp) - now).total_seconds())


def parse_go(text: str) -> timedelta:
    """Go's time.ParseDuration: `1h30m`, `1.5s`, `0`. Raises ValueError."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return timedelta(0)
    parts = _GO_PART.findall(body)
    if not parts or "".join(n + u for n, u in parts) != body:
        raise ValueError(f'time: invalid duration "{text}"')
    total = sum(float(number) * _GO_UNITS[unit] for number, unit in parts)
    if total > _GO_MAX:
        raise ValueError(f'time: invalid duration "{text}"')
    return timedelta(seconds=-total if text[0] == "-" else total)


def _two(major: int, major_unit: str, minor: int, minor_unit: str) -> str:
    return f"{major}{major_unit}{minor}{minor_unit}" if minor else f"{major}{major_unit}"
