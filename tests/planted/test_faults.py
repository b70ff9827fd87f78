"""Every planted fault still fits the source that it is planted into."""

from __future__ import annotations

import pytest

from tests.planted.faults import FAULTS, Fault
from tests.planted.plant import Change, Stale, changed, source_of


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_can_be_planted(fault: Fault) -> None:
    _, text = source_of(fault.change.module)
    faulty = changed(fault.change, text)
    assert faulty != text
    compile(faulty, fault.change.module, "exec")


def test_names_are_unique() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(
    ("function", "old", "says"),
    [("f", "x = 3", "0 times"), ("f", "x", "2 times"), ("g", "x = 1", "not there"), ("A.f", "y = 1", "0 times")],
)
def test_a_fault_that_does_not_fit_is_an_error(function: str, old: str, says: str) -> None:
    text = "def f():\n    x = 1\n    return x\n\nclass A:\n    def f(self):\n        pass\n\ny = 1\n"
    with pytest.raises(Stale, match=says):
        changed(Change("m", function, old, "z"), text)


def test_only_the_named_function_is_changed() -> None:
    text = "def f():\n    return 1\n\ndef g():\n    return 1\n"
    assert changed(Change("m", "g", "1", "2"), text) == "def f():\n    return 1\n\ndef g():\n    return 2\n"
