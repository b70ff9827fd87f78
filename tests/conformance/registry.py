"""Which behaviours of Kubernetes' conformance suite the tests of this package are for, and which are for later."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent


@cache
def later() -> dict[str, str]:
    """Title → why there is no test here. Raises ValueError for a title that stands in two places."""
    found: dict[str, str] = {}
    for group in yaml.safe_load((HERE / "later.yaml").read_text()):
        for title in group["behaviours"]:
            if title in found:
                raise ValueError(f"later.yaml has {title!r} twice")
            found[title] = group["reason"]
    return found


@cache
def elsewhere() -> dict[str, str]:
    """Title → the test of another package that checks it, as "path::function"."""
    listed: dict[str, list[str]] = yaml.safe_load((HERE / "elsewhere.yaml").read_text())
    return {title: test for test, behaviours in listed.items() for title in behaviours}


def behaviour(*of: str) -> pytest.MarkDecorator:
    """Marks the test of a behaviour, or of several, by the suite's titles (without "[Conformance]" at their end).

    Raises ValueError for what is no title: they begin with the group that owns the behaviour.
    """
    if not of or not all(title.startswith("[sig-") for title in of):
        raise ValueError(f"no titles of the conformance suite: {of}")
    return pytest.mark.behaviour(*of)


def titles_of(marks: Iterable[pytest.Mark]) -> list[str]:
    """The titles that marks name."""
    return [title for mark in marks if mark.name == "behaviour" for title in mark.args]


@cache
def covered() -> frozenset[str]:
    """The titles that a test of this package is for, whichever tests were asked for on the command line."""
    found: set[str] = set()
    for path in sorted(HERE.glob("test_*.py")):
        found.update(_titles_in(importlib.import_module(f"{__package__}.{path.stem}")))
    return frozenset(found)


def titles() -> frozenset[str]:
    """The titles of all behaviours that are known here."""
    return covered() | elsewhere().keys() | later().keys()


def _titles_in(module: ModuleType) -> Iterator[str]:
    for name, value in inspect.getmembers(module):
        if name.startswith("test_"):
            for mark in getattr(value, "pytestmark", []):
                yield from titles_of([mark])
                if mark.name == "parametrize":
                    yield from _titles_of_parameters(mark.args[1])


def _titles_of_parameters(parameters: Iterable[Any]) -> Iterator[str]:
    for parameter in parameters:
        yield from titles_of(getattr(parameter, "marks", ()))
