"""Work that follows from what clients send is announced."""

from __future__ import annotations

import pytest

from kubeactors.api import allowance
from kubeactors.api.allowance import TakesLongError
from kubeactors.api.cel.environment import BASE, CostLimitError
from kubeactors.api.cel.types import INT, list_of

NUMBERS = BASE.with_variables({"self": list_of(INT)})
PAIRS = NUMBERS.compile("self.all(x, self.all(y, x + y >= 0))")


def test_without_a_limit_everything_is_done() -> None:
    assert allowance.left() is None
    allowance.spend(10**9)
    assert PAIRS.evaluate([list(range(100))])[0] is True


def test_what_is_left_gets_less_until_nothing_is() -> None:
    with allowance.limited(100):
        allowance.spend(60)
        assert allowance.left() == 40
        with pytest.raises(TakesLongError):
            allowance.spend(41)
    assert allowance.left() is None


def test_long_expressions_are_not_compiled_where_others_wait() -> None:
    text = " && ".join(f"self.size() != {n}" for n in range(100))
    with allowance.limited(5000):
        NUMBERS.compile("self.size() > 0")
        with pytest.raises(TakesLongError):
            NUMBERS.compile(text)
    assert NUMBERS.compile(text).evaluate([[]])[0] is False


def test_long_evaluations_are_not_finished_where_others_wait() -> None:
    with allowance.limited(5000):
        assert PAIRS.evaluate([[1, 2, 3]])[0] is True
        assert (allowance.left() or 0) < 5000
        with pytest.raises(TakesLongError):
            PAIRS.evaluate([list(range(100))])
    with pytest.raises(CostLimitError):
        PAIRS.evaluate([list(range(1000))])


def test_many_short_evaluations_are_long_together() -> None:
    with allowance.limited(5000), pytest.raises(TakesLongError):
        for _ in range(1000):
            PAIRS.evaluate([[1, 2, 3]])
