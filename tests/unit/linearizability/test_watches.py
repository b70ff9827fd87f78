"""The watch checker against records whose verdict is known."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.linearizability.history import Kind, Operation, Outcome
from tests.linearizability.watches import Change, WatchRecord, WatchViolation, check_agreement, check_log, check_watch

LOG = [
    Change(2, "a", "1", 1, 2),
    Change(3, "b", "2", 1, 3),
    Change(4, "a", "3", 2, 2, "1"),
    Change(5, "a", None, 0, 0, "3"),
    Change(6, "a", "4", 1, 6),
]


def record(*changes: Change, first: int = 1, last: int = 0) -> WatchRecord:
    return WatchRecord("w", first, list(changes), last or (changes[-1].revision if changes else 0))


def test_a_whole_record_passes() -> None:
    check_watch(record(*LOG))
    check_watch(record(*LOG[2:], first=4))
    check_watch(record())


BAD_RECORDS = {
    "out of order": [LOG[0], LOG[2], LOG[1]],
    "a duplicate": [LOG[0], LOG[1], LOG[1], LOG[2]],
    "a gap": [LOG[0], *LOG[2:]],
    "missing at the start": LOG[1:],
    "a jump of the version": [*LOG[:2], Change(4, "a", "3", 3, 2)],
    "another creation": [*LOG[:2], Change(4, "a", "3", 2, 3)],
    "created twice": [*LOG[:2], Change(4, "a", "3", 1, 4)],
    "deleted twice": [*LOG[:4], Change(6, "a", None)],
    "a deletion of nothing": [*LOG[:4], Change(6, "c", None)],
    "another previous value": [*LOG[:2], Change(4, "a", "3", 2, 2, "2")],
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_a_bad_record_fails(name: str) -> None:
    with pytest.raises(WatchViolation):
        check_watch(record(*BAD_RECORDS[name]))


def test_what_was_told_to_be_complete_must_be() -> None:
    with pytest.raises(WatchViolation, match=r"told nothing of 7\.\.9"):
        check_watch(record(*LOG, last=9))


def test_a_watch_of_some_keys_may_leave_revisions_out() -> None:
    check_watch(record(LOG[0], *LOG[2:]), every_revision=False)
    with pytest.raises(WatchViolation):
        check_watch(record(LOG[0], LOG[3]), every_revision=True)


def test_two_watchers_must_agree() -> None:
    check_agreement([record(*LOG), record(*LOG[2:], first=4)])
    with pytest.raises(WatchViolation, match="was told"):
        check_agreement([record(*LOG), record(LOG[0], Change(3, "b", "5", 1, 3))])


def operations() -> dict[str, Operation]:
    """A run that LOG is the log of."""
    ok = Outcome.OK
    return {
        "put": Operation(0, Kind.PUT, "a", 1, "1", outcome=ok, returned=2, revision=2),
        "other": Operation(1, Kind.PUT, "b", 1, "2", outcome=ok, returned=4, revision=3),
        "get": Operation(0, Kind.GET, "a", 3, outcome=ok, returned=5, observed="1", revision=3, mod_revision=2),
        "cas": Operation(0, Kind.CAS, "a", 6, "3", "1", outcome=ok, returned=7, succeeded=True, revision=4),
        "lost": Operation(
            1, Kind.CAS, "a", 8, "9", "1", outcome=ok, returned=9, succeeded=False, observed="3", revision=4
        ),
        "delete": Operation(0, Kind.DELETE, "a", 10, outcome=ok, returned=11, succeeded=True, observed="3", revision=5),
        "unknown": Operation(1, Kind.PUT, "a", 12, "4"),
        "never": Operation(1, Kind.PUT, "a", 12, "5"),
        "refused": Operation(1, Kind.PUT, "a", 12, "6", outcome=Outcome.FAILED, returned=13),
        "last": Operation(0, Kind.GET, "a", 14, outcome=ok, returned=15, observed="4", revision=6, mod_revision=6),
    }


def test_answers_that_fit_the_log_pass() -> None:
    check_log(operations().values(), LOG)


def from_the_past(ops: dict[str, Operation]) -> None:
    """Right for its revision, which is older than what was answered before."""
    ops["last"].revision, ops["last"].observed, ops["last"].mod_revision = 4, "3", 4


BAD_ANSWERS: dict[str, Callable[[dict[str, Operation]], object]] = {
    "a value that nobody wrote": lambda ops: ops.pop("unknown"),
    "a deletion that nobody asked for": lambda ops: ops.pop("delete"),
    "an acknowledged write that is not there": lambda ops: setattr(ops["never"], "outcome", Outcome.OK),
    "another revision than was answered": lambda ops: setattr(ops["put"], "revision", 3),
    "a refused write that was applied": lambda ops: setattr(ops["unknown"], "outcome", Outcome.FAILED),
    "a swap that was lost and yet applied": lambda ops: setattr(ops["cas"], "succeeded", False),
    "a swap of another value": lambda ops: setattr(ops["cas"], "expected", "2"),
    "a read of another value": lambda ops: setattr(ops["get"], "observed", "3"),
    "a read of another modification": lambda ops: setattr(ops["get"], "mod_revision", 3),
    "a read from the past": from_the_past,
    "a write earlier than what was answered before": lambda ops: setattr(ops["get"], "revision", 6),
    "a refused swap that saw another value": lambda ops: setattr(ops["lost"], "observed", "1"),
    "a deletion that saw another value": lambda ops: setattr(ops["delete"], "observed", "1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_answers_that_do_not_fit_the_log_fail(name: str) -> None:
    ops = deepcopy(operations())
    BAD_ANSWERS[name](ops)
    with pytest.raises(WatchViolation):
        check_log(ops.values(), LOG)


def test_a_write_applied_twice_fails() -> None:
    with pytest.raises(WatchViolation, match="second time"):
        check_log(operations().values(), [*LOG, Change(7, "a", "1", 2, 6)])


def test_values_must_be_unique() -> None:
    ops = operations()
    ops["never"].value = "1"
    with pytest.raises(ValueError, match="written twice"):
        check_log(ops.values(), LOG)
