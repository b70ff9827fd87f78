"""Whom a connection goes to, and when open connections are given up."""

import pytest

from nodeagent.forwarder.choice import Backend, State, given_up, order

A, B, C = Backend("a"), Backend("b"), Backend("c")
LOCAL = Backend("b", local=True)


def test_the_local_server_comes_first_while_it_is_ready() -> None:
    states = {A: State.READY, LOCAL: State.READY, C: State.READY}
    assert order([A, LOCAL, C], states, 0)[0] == LOCAL
    assert order([A, LOCAL, C], states, 2)[0] == LOCAL


def test_a_ready_one_comes_before_a_local_one_that_is_not() -> None:
    assert order([A, LOCAL], {A: State.READY, LOCAL: State.UNREADY}, 0) == [A, LOCAL]
    assert order([A, LOCAL], {A: State.DEAD, LOCAL: State.UNREADY}, 0) == [LOCAL, A]


def test_machines_begin_at_different_servers() -> None:
    states = dict.fromkeys([A, B, C], State.READY)
    assert {order([A, B, C], states, turn)[0] for turn in range(3)} == {A, B, C}
    assert order([], {}, 5) == []


@pytest.mark.parametrize(
    ("states", "closed"),
    [
        ({A: State.READY, B: State.READY}, set()),
        ({A: State.READY, B: State.UNKNOWN}, set()),
        ({A: State.READY, B: State.UNREADY}, {B}),
        ({A: State.READY, B: State.SILENT}, {B}),
        ({A: State.READY, B: State.DEAD}, {B}),
        ({A: State.UNREADY, B: State.SILENT}, set()),  # nobody is better
        ({A: State.SILENT, B: State.DEAD}, {B}),
        ({A: State.UNKNOWN, B: State.SILENT}, set()),
    ],
)
def test_connections_are_given_up_only_where_that_helps(states: dict[Backend, State], closed: set[Backend]) -> None:
    assert given_up([A, B], states) == closed
