"""Every listed behaviour has a test, here elsewhere, or stands in later.yaml with its reason."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.registry import covered, elsewhere, later, titles

ROOT = Path(__file__).parents[2]


def test_every_behaviour_is_tested_or_left_for_later() -> None:
    missing = [title for title in titles() if title not in covered() | elsewhere().keys() | later().keys()]
    assert not missing, "neither a test nor a line in later.yaml:\n" + "\n".join(missing)


def test_nothing_stands_in_two_places_or_is_unknown() -> None:
    tested = covered() | elsewhere().keys()
    both = sorted(covered() & elsewhere().keys() | tested & later().keys())
    assert not both, "tested, and in elsewhere.yaml or later.yaml too:\n" + "\n".join(both)
    unknown = sorted((later().keys() | elsewhere().keys()) - set(titles()))
    assert not unknown, "not in behaviours.txt:\n" + "\n".join(unknown)


def test_what_is_tested_elsewhere_is_there() -> None:
    for test in set(elsewhere().values()):
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(), f"{test}, named in elsewhere.yaml, does not exist"
