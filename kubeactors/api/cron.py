"""Cron schedules as CronJobs have them: the five fields and descriptors of robfig/cron, in its words."""

import re
from typing import Final

from kubeactors.api.duration import parse_go
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.timezone import TimeZoneError, check_time_zone

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Of minute, hour, day of the month, month and day of the week: the least and greatest number, and names.
_FIELDS: Final[tuple[tuple[int, int, dict[str, int]], ...]] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_DESCRIPTORS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY: Final = "@every "
_MAX_DIGITS: Final = 18


class CronError(ValueError):
    """A text that is no schedule; the message says why."""


def check_schedule(text: str) -> None:
    """Raises CronError."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, text = text.partition("=")[2].partition(" ")
        _check_zone(zone)
        text = text.strip()
    if text.startswith("@"):
        _check_descriptor(text)
        return
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, bounds in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            if part:
                _check_range(part, *bounds)


def _check_zone(zone: str) -> None:
    try:
        check_time_zone(zone)
    except TimeZoneError as error:
        raise CronError(f"provided bad location {zone}: {error}") from error


def _check_descriptor(text: str) -> None:
    if text in _DESCRIPTORS:
        return
    if not text.startswith(_EVERY):
        raise CronError(f"unrecognized descriptor: {text}")
    try:
        parse_go(text.removeprefix(_EVERY))
    except ValueError as error:
        raise CronError(f"failed to parse duration {text}: {error}") from error


def _check_range(part: str, least: int, greatest: int, names: dict[str, int]) -> None:
    span, *steps = part.split("/")
    low, *highs = span.split("-")
    if low in ("*", "?"):
        start, end = least, greatest
    else:
        start = _number(low, names)
        if len(highs) > 1:
            raise CronError(f"too many hyphens: {part}")
        end = _number(highs[0], names) if highs else start
    step = 1
    if steps:
        if len(steps) > 1:
            raise CronError(f"too many slashes: {part}")
        step = _number(steps[0], {})
        # "5/15" runs from 5 to the greatest.
        end = end if highs else greatest
    if start < least:
        raise CronError(f"beginning of range ({start}) below minimum ({least}): {part}")
    if end > greatest:
        raise CronError(f"end of range ({end}) above maximum ({greatest}): {part}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {part}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {part}")


def _number(text: str, names: dict[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not re.fullmatch("[+-]?[0-9]+", text):
        raise CronError(f"failed to parse int from {text}: strconv.Atoi: parsing {go_quote(text)}: invalid syntax")
    if len(text) > _MAX_DIGITS:
        raise CronError(f"failed to parse int from {text}: strconv.Atoi: parsing {go_quote(text)}: value out of range")
    number = int(text)
    if number < 0:
        raise CronError(f"negative number ({number}) not allowed: {text}")
    return number
