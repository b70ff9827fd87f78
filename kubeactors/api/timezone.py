"""Names of time zones, as Go's time.LoadLocation takes them."""

from zoneinfo import ZoneInfo


class TimeZoneError(ValueError):
    """A name that no zone has."""


def check_time_zone(name: str) -> None:
    """Raises TimeZoneError. Empty and `UTC` are UTC, `Local` the machine's own zone; others are read from tzdata."""
    if name in ("", "UTC", "Local"):
        return
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        # A name may also lead to a directory or out of the database.
        raise TimeZoneError(f"unknown time zone {name}") from error
