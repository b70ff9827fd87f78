"""The ledger of the trials: what it finds in a store's log, and what it counts."""

from __future__ import annotations

import pytest

from tests.linearizability.trials import percentile
from tests.linearizability.writers import Ack, Ledger

LOG = [(2, "a", "0.0"), (3, "b", "1.0"), (4, "a", "0.1")]


def ledger() -> Ledger:
    return Ledger(acknowledged={2: ("a", "0.0"), 4: ("a", "0.1")}, unknown={"1.0", "2.0"}, refused={"3.0"})


def test_a_log_with_everything_acknowledged_passes() -> None:
    ledger().check(LOG, 2, 4)


BAD_LOGS = {
    "acknowledged": LOG[:2],
    "found": [LOG[0], LOG[1], (4, "a", "0.9")],
    "twice": [*LOG, (5, "b", "1.0")],
    "refused": [*LOG, (5, "c", "3.0")],
    "nobody wrote": [*LOG, (5, "c", "9.0")],
    "missing": [LOG[0], LOG[2]],
}


@pytest.mark.parametrize("text", BAD_LOGS)
def test_a_bad_log_fails(text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        ledger().check(BAD_LOGS[text], 2, max(4, BAD_LOGS[text][-1][0]))


def test_what_was_verified_may_not_come_again() -> None:
    book = ledger()
    book.check(LOG, 2, 4)
    book.settle(4)
    book.check([(5, "c", "2.0")], 5, 5)
    for value in ("1.0", "0.0"):
        with pytest.raises(AssertionError, match="nobody wrote"):
            book.check([(5, "b", value)], 5, 5)


def test_a_write_acknowledged_beyond_the_logs_end_is_lost() -> None:
    book = ledger()
    book.acknowledged[9] = ("z", "7.0")
    with pytest.raises(AssertionError, match="acknowledged"):
        book.check(LOG, 2, 4)


def test_times_count_from_writes_that_were_called_after_the_fault() -> None:
    book = Ledger([Ack(1.0, 0.5, 0, 2), Ack(5.1, 4.9, 0, 3), Ack(6.0, 5.5, 1, 4), Ack(7.5, 6.0, 0, 5)])
    assert book.first_after(5.0) == 1.0  # what was called before the fault and answered after it does not count
    assert book.all_after(5.0, 2) == 2.5
    assert book.all_after(5.0, 3) is None
    assert book.longest_gap(0.0, 8.0) == pytest.approx(4.1)
    assert book.rate(5.0, 7.0) == 1.0


def test_percentiles_are_of_what_was_measured() -> None:
    values = [float(n) for n in range(1, 21)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([3.0], 0.99)) == (10.0, 20.0, 3.0)
