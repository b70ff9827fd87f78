"""Numbers and JSON as Go prints them."""

from __future__ import annotations

from typing import Any

import pytest

from kubeactors.api.fielderrors import invalid
from kubeactors.api.go_values import go_number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1000000, "1000000"),
        (1.5, "1.5"),
        (2.0, "2"),
        (-0.0, "-0"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (-1e21, "-1e+21"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (float("inf"), "+Inf"),
    ],
)
def test_numbers(number: float, text: str) -> None:
    assert go_number(number) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"rule": "a < b && c > d"}, r'{"rule":"a \u003c b \u0026\u0026 c \u003e d"}'),
        ("a < b", '"a < b"'),
        (2500000.0, "2.5e+06"),
        (None, "null"),
    ],
)
def test_values_in_messages(value: Any, text: str) -> None:
    assert str(invalid("spec", value, "no")) == f"spec: Invalid value: {text}: no"
