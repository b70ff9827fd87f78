"""Every listed behaviour has a test here or stands in later.yaml with its reason."""

from __future__ import annotations

from tests.conformance.registry import covered, later, titles


def test_every_behaviour_is_tested_or_left_for_later() -> None:
    missing = [title for title in titles() if title not in covered() and title not in later()]
    assert not missing, "neither a test nor a line in later.yaml:\n" + "\n".join(missing)


def test_nothing_is_left_for_later_that_is_tested_or_unknown() -> None:
    both = sorted(covered() & later().keys())
    assert not both, "tested, and in later.yaml too:\n" + "\n".join(both)
    unknown = sorted(later().keys() - set(titles()))
    assert not unknown, "in later.yaml, but not in behaviours.txt:\n" + "\n".join(unknown)
