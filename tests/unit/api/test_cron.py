"""Cron schedules, and lists of indexes."""

import pytest

from kubeactors.api.cron import CronError, check_schedule
from kubeactors.api.indexes import IndexesError, overlap, parse_indexes


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 0-23/2 1,15 JAN-mar ?",
        "5/15 * * * sun",
        "@hourly",
        "@every 1h30m",
        "TZ=Europe/Berlin 0 0 * * *",
        "  0   0 1 1 0 ",
    ],
)
def test_schedules(schedule: str) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "empty spec string"),
        ("x", "expected exactly 5 fields, found 1: [x]"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("-1 * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("TZ=No/Where * * * * *", "provided bad location No/Where: unknown time zone No/Where"),
        ("TZ=UTC", "expected exactly 5 fields, found 0: []"),
    ],
)
def test_texts_that_are_no_schedules(schedule: str, message: str) -> None:
    with pytest.raises(CronError) as caught:
        check_schedule(schedule)
    assert str(caught.value) == message


def test_indexes() -> None:
    assert parse_indexes("", 3) == []
    assert parse_indexes("0,2-4,7", 8) == [(0, 0), (2, 4), (7, 7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", 'too large index: "5"'),
        ("1-5", 'too large index: "5"'),
        ("a", 'cannot convert string to integer for index: "a"'),
        ("1,,2", 'cannot convert string to integer for index: ""'),
        ("2-1", "non-increasing order, previous: 2, current: 1"),
        ("0-2,2", "non-increasing order, previous: 2, current: 2"),
        (
            "0-1-2",
            'the fragment "0-1-2" violates the requirement that an index interval can have at most two parts separated '
            "by '-'",
        ),
    ],
)
def test_texts_that_are_no_indexes(text: str, message: str) -> None:
    with pytest.raises(IndexesError) as caught:
        parse_indexes(text, 5)
    assert str(caught.value) == message


def test_overlapping_indexes() -> None:
    assert overlap("0-2,5", "3-4,6", 9) is None
    assert overlap("0-2,5", "x,2-4", 9) == 2
    assert overlap("", "1", 9) is None
