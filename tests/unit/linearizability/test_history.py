"""Histories: recorded, saved, read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.linearizability.checker import assert_linearizable
from tests.linearizability.history import History, Kind, Outcome, Unseen, load, save


def recorded() -> History:
    history = History()
    put = history.call(1, Kind.PUT, "k", value="a")
    get = history.call(2, Kind.GET, "k")
    history.done(put, revision=2)
    history.done(get, observed=None, revision=1)
    swap = history.call(1, Kind.CAS, "k", value="b", expected="a")
    history.unknown(swap, "the connection broke")
    refused = history.call(2, Kind.DELETE, "k")
    history.failed(refused, "no leader")
    return history


def test_events_are_ordered_as_they_were_recorded() -> None:
    ops = list(recorded())
    assert [(op.call, op.returned) for op in ops] == [(1, 3), (2, 4), (5, None), (6, 7)]
    assert recorded().counts() == {"ok": 2, "failed": 1, "unknown": 1}
    assert_linearizable(ops)


def test_what_was_saved_reads_as_it_was(tmp_path: Path) -> None:
    ops = list(recorded())
    save(ops, tmp_path / "history.jsonl")
    again = load(tmp_path / "history.jsonl")
    assert [str(op) for op in again] == [str(op) for op in ops]
    assert isinstance(again[0].observed, Unseen) and again[1].observed is None
    assert again[2].outcome is Outcome.UNKNOWN and again[3].kind is Kind.DELETE


def test_an_answer_says_what_it_must() -> None:
    history = History()
    with pytest.raises(ValueError, match="observed"):
        history.done(history.call(1, Kind.GET, "k"))
    with pytest.raises(ValueError, match="succeeded"):
        history.done(history.call(1, Kind.CAS, "k", value="b"))
