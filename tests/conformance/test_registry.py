"""What is said of behaviours agrees with the tests that there are."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.registry import covered, elsewhere, later

ROOT = Path(__file__).parents[2]


def test_nothing_stands_in_two_places() -> None:
    tested = covered() | elsewhere().keys()
    both = sorted(covered() & elsewhere().keys() | tested & later().keys())
    assert not both, "tested, and in elsewhere.yaml or later.yaml too:\n" + "\n".join(both)


def test_what_is_tested_elsewhere_is_there() -> None:
    for test in set(elsewhere().values()):
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(), f"{test}, named in elsewhere.yaml, does not exist"
