"""For all tests: time limits of examples, and where `make` has installed everything, a skipped test is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

# How long an example takes says nothing where other programs share the machine.
hypothesis.settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared machine")

NO_SKIPS = "KUBEACTORS_NO_SKIPS"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn skips into failures when the environment says so."""
    report = yield
    if report.skipped and os.environ.get(NO_SKIPS):
        reason: Any = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, but {NO_SKIPS} is set: {reason[2] if isinstance(reason, tuple) else reason}"
    return report
