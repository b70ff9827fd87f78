"""How much is tried, and with which seeds.

KUBEACTORS_LONG=1 tries more, KUBEACTORS_FUZZ_SEED=N other cases than the usual ones; every failure names its seed.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, strategies

from tests.fuzz.choices import Choices

LONG = bool(os.environ.get("KUBEACTORS_LONG"))
SEED = int(os.environ.get("KUBEACTORS_FUZZ_SEED", "0"))
T = TypeVar("T")


def attempt(name: str, make: Callable[[Choices], T], test: Callable[[T], Any], tries: int, long_tries: int) -> None:
    """Try cases that `make` draws, and report the smallest that fails.

    The cases follow from the name and the seed alone.
    """

    @strategies.composite
    def cases(draw: Any) -> T:
        return make(Choices(draw))

    @hypothesis.seed(zlib.crc32(f"{name} {SEED}".encode()))
    @hypothesis.settings(
        max_examples=long_tries if LONG else tries,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(cases())
    def run(case: T) -> None:
        test(case)

    try:
        run()
    except Exception as error:
        error.add_note(f"{name}: run again with KUBEACTORS_FUZZ_SEED={SEED}" + (" KUBEACTORS_LONG=1" if LONG else ""))
        raise
