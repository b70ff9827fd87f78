"""What Go takes for a time, and what it says of what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubeactors.api import go_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T03:04:05Z", datetime(2026, 11, 24, 3, 4, 5, 0, UTC)),
        ("2026-11-24T03:04:05.123456789+02:30", datetime(2026, 11, 24, 0, 34, 5, 123456, UTC)),
        ("2026-11-24T03:04:05,5-01:00", datetime(2026, 11, 24, 4, 4, 5, 500000, UTC)),
        ("2026-11-24T3:04:05Z", datetime(2026, 11, 24, 3, 4, 5, 0, UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, 0, 0, 0, 0, UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert go_time.parse(text).utc() == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("yesterday", ' as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
        ("", ' as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"'),
        ("2026-11-24", ' as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
        ("2026-11-24 03:04:05Z", ' as "2006-01-02T15:04:05Z07:00": cannot parse " 03:04:05Z" as "T"'),
        ("2026-1-24T03:04:05Z", ' as "2006-01-02T15:04:05Z07:00": cannot parse "1-24T03:04:05Z" as "01"'),
        ("2026-11-24T03:04:05", ' as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"'),
        ("2026-11-24T03:04:05+0100", ' as "2006-01-02T15:04:05Z07:00": cannot parse "+0100" as "Z07:00"'),
        ("2026-13-24T03:04:05Z", ": month out of range"),
        ("2026-11-31T03:04:05Z", ": day out of range"),
        ("2026-11-24T24:04:05Z", ": hour out of range"),
        ("2026-11-24T03:60:05Z", ": minute out of range"),
        ("2026-11-24T03:04:60Z", ": second out of range"),
        ("2026-11-24T03:04:05+25:00", ": time zone offset hour out of range"),
        ("2026-11-24T03:04:05ZZ", ': extra text: "Z"'),
    ],
)
def test_what_is_none(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="parsing time") as raised:
        go_time.parse(text)
    assert str(raised.value) == f'parsing time "{text}"{problem}'


def test_micro_times_have_six_digits_of_a_fraction() -> None:
    assert go_time.parse("2026-11-24T03:04:05.000001Z", go_time.RFC3339_MICRO).nanos == 1000
    with pytest.raises(ValueError, match=r'05\.000000Z07:00": cannot parse "Z" as "\.000000"$'):
        go_time.parse("2026-11-24T03:04:05Z", go_time.RFC3339_MICRO)
    with pytest.raises(ValueError, match=r'cannot parse "7Z" as "Z07:00"$'):
        go_time.parse("2026-11-24T03:04:05.1234567Z", go_time.RFC3339_MICRO)
