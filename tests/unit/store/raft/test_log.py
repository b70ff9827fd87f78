from __future__ import annotations

import pytest

from kubeactors.store.raft.errors import InconsistentLog
from kubeactors.store.raft.log import MAX_COUNT, RaftLog
from kubeactors.store.wal.record import Entry, EntryKind
from tests.support.raft_members import log_of


def entries(first: int, *terms: int, size: int = 0) -> list[Entry]:
    return [Entry(term, first + i, EntryKind.NORMAL, b"x" * size) for i, term in enumerate(terms)]


def terms(log: RaftLog) -> list[int | None]:
    return [log.term_at(index) for index in range(log.first_index, log.last_index + 1)]


@pytest.mark.parametrize("given", [entries(2, 1), entries(1, 1) + entries(3, 1), entries(1, 2, 1)])
def test_a_log_with_a_gap_or_a_falling_term_is_refused(given: list[Entry]) -> None:
    with pytest.raises(InconsistentLog):
        RaftLog(given)


@pytest.mark.parametrize(
    ("index", "new", "result"),
    [
        (3, [3], [1, 2, 2, 3]),
        (3, [], [1, 2, 2]),
        (2, [2], [1, 2, 2]),  # known
        (1, [2], [1, 2, 2]),  # known, and what follows stays
        (1, [2, 2, 3], [1, 2, 2, 3]),  # partly known
        (2, [3], [1, 2, 3]),  # replaces
        (1, [3], [1, 3]),  # replaces, and what follows goes
        (1, [2, 4, 4], [1, 2, 4, 4]),
    ],
)
def test_append_after(index: int, new: list[int], result: list[int]) -> None:
    log = log_of(1, 2, 2)
    log.commit_to(1)
    log.append_after(index, entries(index + 1, *new))
    assert terms(log) == result
    common = next((i for i, (a, b) in enumerate(zip([1, 2, 2], result, strict=False)) if a != b), 3)
    assert log.stable == min(common, len(result))
    assert [entry.index for entry in log.take(1 << 20)] == list(range(log.stable + 1, len(result) + 1))


def test_committed_entries_are_never_replaced() -> None:
    log = log_of(1, 2, 2)
    log.commit_to(2)
    with pytest.raises(InconsistentLog):
        log.append_after(1, entries(2, 3))
    assert terms(log) == [1, 2, 2]
    with pytest.raises(InconsistentLog):
        log.append_after(3, entries(5, 3))
    with pytest.raises(InconsistentLog):
        log.commit_to(4)


@pytest.mark.parametrize(
    ("index", "term", "agreement"),
    [
        (10, 9, (6, 4)),
        (6, 4, (6, 4)),
        (6, 3, (5, 3)),
        (6, 2, (3, 2)),
        (4, 4, (4, 3)),
        (6, 1, (1, 1)),
        (6, 0, (0, 0)),
        (0, 0, (0, 0)),
    ],
)
def test_agreement(index: int, term: int, agreement: tuple[int, int]) -> None:
    assert log_of(1, 2, 2, 3, 3, 4).agreement(index, term) == agreement


@pytest.mark.parametrize(
    ("index", "term", "agreement"),
    [(9, 9, (8, 5)), (8, 4, (7, 4)), (8, 3, (6, 3)), (8, 2, (5, 0)), (5, 3, (5, 0)), (3, 3, (3, 0))],
)
def test_agreement_behind_what_was_dropped(index: int, term: int, agreement: tuple[int, int]) -> None:
    assert log_of(4, 5, index=6, term=3).agreement(index, term) == agreement


def test_up_to_date() -> None:
    log = log_of(1, 2, 2)
    assert [log.up_to_date(*end) for end in [(3, 2), (4, 2), (1, 3), (2, 2), (9, 1)]] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_slices() -> None:
    log = RaftLog(entries(1, 1, 1, 1, 1, size=10))
    assert [entry.index for entry in log.slice(2, 100)] == [2, 3, 4]
    assert [entry.index for entry in log.slice(2, 25)] == [2, 3]
    assert [entry.index for entry in log.slice(2, 1)] == [2]
    assert log.slice(5, 100) == []
    # Two followers that are equally far share one list, until it would be another one.
    assert log.slice(2, 25) is log.slice(2, 25)
    log.append_after(1, entries(2, 2, 2, 2))
    assert [entry.term for entry in log.slice(2, 100)] == [2, 2, 2]
    many = RaftLog(entries(1, *[1] * (MAX_COUNT + 5)))
    assert len(many.slice(1, 1 << 30)) == MAX_COUNT


def test_compact() -> None:
    log = log_of(1, 2, 2, 3)
    log.compact(2)
    assert (log.first_index, log.term_at(1), log.term_at(2), log.term_at(3)) == (3, None, 2, 2)
    log.compact(2)
    log.compact(1)  # dropped already
    log.compact(9)  # not there
    assert (log.first_index, terms(log)) == (3, [2, 3])
    assert [entry.index for entry in log.between(3, 4)] == [3, 4]


def test_writing_in_pieces() -> None:
    log = RaftLog()
    for entry in entries(1, 1, 1, 1, size=10):
        log.append(entry)
    first = log.take(20)
    assert ([entry.index for entry in first], log.untaken, log.stable) == ([1, 2], 1, 0)
    second = log.take(20)
    log.written(first)
    assert log.stable == 2
    log.written(second)
    assert (log.stable, log.untaken) == (3, 0)


def test_what_was_replaced_while_it_was_written_is_not_stable() -> None:
    log = log_of(1)
    log.append_after(1, entries(2, 2, 2))
    written = log.take(100)
    log.append_after(2, entries(3, 3))
    log.written(written)
    assert log.stable == 2
    assert [entry.term for entry in log.take(100)] == [3]


def test_restore() -> None:
    log = log_of(1, 1, 1, 1)
    log.commit_to(2)
    log.restore(3, 2)
    assert (log.first_index, log.last_index, log.last_term, log.commit, log.stable) == (4, 3, 2, 3, 2)
    log.append_after(3, entries(4, 2))
    log.restored(3)
    assert (log.stable, [entry.index for entry in log.take(100)]) == (3, [4])
