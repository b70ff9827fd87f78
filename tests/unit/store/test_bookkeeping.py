"""What the replica keeps count of: frames seen, reads by rounds, how much of the log stays in memory."""

from __future__ import annotations

from kubeactors.store.errors import StoreError
from kubeactors.store.forward import Seen
from kubeactors.store.reads import Reads
from kubeactors.store.tail import Tail


def test_each_frame_of_each_life_is_taken_once_in_whatever_order() -> None:
    seen = Seen()
    assert [seen.take(1, 10, n) for n in (1, 3, 2, 3, 1, 2)] == [True, True, True, False, False, False]
    assert seen.take(1, 11, 1), "another life"
    assert seen.take(2, 10, 1), "another member"
    for number in range(4, 20_000):
        assert seen.take(1, 10, number)
    assert not any(seen.take(1, 10, number) for number in range(1, 20_000)), "also those long forgotten"
    assert seen.take(1, 10, 30_000)
    assert seen.take(1, 10, 29_000), "it overtook this one"
    assert not seen.take(1, 10, 25_000), "too old to say"
    seen.clear()
    assert seen.take(1, 10, 1)


class Answers:
    def __init__(self) -> None:
        self.given: list[tuple[str, StoreError | None]] = []

    def __call__(self, name: str):  # type: ignore[no-untyped-def]
        return lambda error: self.given.append((name, error))

    @property
    def names(self) -> list[str]:
        assert all(error is None for _, error in self.given)
        return [name for name, _ in self.given]


def due(reads: Reads) -> bool:
    return reads.due


def test_a_read_joins_the_round_after_the_one_that_was_asked() -> None:
    reads, answers = Reads(100, 0.5, 7.0), Answers()
    reads.add(answers("a"), 0.0)
    first = reads.begin(0.0)
    reads.add(answers("b"), 0.1)
    assert not due(reads), "one round at a time"
    reads.confirmed(first, 5)
    assert due(reads)
    second = reads.begin(0.2)
    assert second != first
    reads.confirmed(first, 9)  # comes again
    reads.applied(4)
    assert answers.names == []
    reads.applied(5)
    assert answers.names == ["a"]
    reads.confirmed(second, 5)
    reads.applied(5)
    assert answers.names == ["a", "b"]
    assert len(reads) == 0


def test_a_round_without_an_answer_is_asked_again_under_another_name() -> None:
    reads, answers = Reads(100, 0.5, 7.0), Answers()
    reads.add(answers("a"), 0.0)
    first = reads.begin(0.0)
    reads.tick(0.4)
    assert not due(reads)
    reads.tick(0.5)
    assert due(reads)
    reads.add(answers("b"), 0.5)
    second = reads.begin(0.5)
    reads.confirmed(first, 3)
    reads.applied(10)
    assert answers.names == [], "an answer to the round before says nothing of what came after it was asked"
    reads.confirmed(second, 4)
    reads.applied(10)
    assert answers.names == ["a", "b"]


def test_reads_time_out_wherever_they_wait() -> None:
    reads, answers = Reads(1, 100.0, 7.0), Answers()
    for name in ("confirmed", "asked", "waiting"):
        reads.add(answers(name), 0.0)
        if name != "waiting":
            context = reads.begin(0.0)
        if name == "confirmed":
            reads.confirmed(context, 9)
    reads.add(answers("later"), 1.0)
    reads.tick(6.9)
    assert not answers.given
    reads.tick(7.0)
    assert sorted(name for name, _ in answers.given) == ["asked", "confirmed", "waiting"]
    assert all(error is not None and not error.outcome_unknown for _, error in answers.given)
    assert len(reads) == 1


def test_the_log_keeps_its_tail() -> None:
    tail = Tail(entries=10, max_bytes=1000, catch_up_bytes=5000)
    assert tail.drop(None) == 0
    for index in range(1, 31):
        tail.applied(index, 10)
    assert tail.drop(None) == 20
    assert tail.drop(None) == 0
    tail.applied(31, 950)
    assert tail.drop(None) == 25, "large entries: by bytes"


def test_for_a_live_follower_more_is_kept_but_not_without_bounds() -> None:
    tail = Tail(entries=10, max_bytes=1000, catch_up_bytes=5000)
    for index in range(1, 101):
        tail.applied(index, 40)
    assert tail.drop(needed=31) == 30
    for index in range(101, 301):
        tail.applied(index, 40)
    dropped = tail.drop(needed=31)
    assert dropped == 175, "5,000 bytes are 125 entries"
    assert tail.drop(needed=None) == 290
