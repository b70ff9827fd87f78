"""Quantities: parsing, canonical text, arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api.quantity import Format, Quantity, QuantityError, add, canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("1000m", "1"),
        ("1024", "1024"),
        ("1024Ki", "1Mi"),
        ("0.5Ki", "512"),
        ("1500", "1500"),
        ("1000000", "1M"),
        ("1E", "1E"),
        ("1e3", "1e3"),
        ("100e1", "1e3"),
        ("1e2", "100"),
        ("0", "0"),
        ("0Ki", "0"),
        ("-5m", "-5m"),
        ("+2", "2"),
        ("5.", "5"),
        (".5", "500m"),
        ("1.0001n", "2n"),
        ("8Ei", "9223372036854775807"),
        ("1e30", "9223372036854775807"),
        (" 1 ", "1"),
        (2, "2"),
        (0.5, "500m"),
    ],
)
def test_canonical_text(text: str | float, expected: str) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "quantities must match"),
        ("abc", "quantities must match"),
        ("1x", "quantities must match"),
        ("1.2.3", "quantities must match"),
        ("1KI", "quantities must match"),
        ("--1", "unable to parse quantity's suffix"),
        ("1e", "unable to parse quantity's suffix"),
        ("1Kii", "unable to parse quantity's suffix"),
        (".", "unable to parse numeric part"),
    ],
)
def test_refused_text(text: str, message: str) -> None:
    with pytest.raises(QuantityError, match=message):
        Quantity.parse(text)


def test_a_boolean_is_no_quantity() -> None:
    with pytest.raises(QuantityError):
        Quantity.parse(True)


def test_values_round_away_from_zero() -> None:
    assert Quantity.parse("1500m").value == 2
    assert Quantity.parse("-1500m").value == -2
    assert Quantity.parse("1.0001").milli_value == 1001
    assert Quantity.parse("250m").milli_value == 250


def test_sums_keep_the_left_format_unless_it_is_zero() -> None:
    assert str(Quantity.parse("1Gi") + Quantity.parse("1Gi")) == "2Gi"
    assert str(Quantity() + Quantity.parse("1Gi")) == "1Gi"
    assert str(Quantity.parse("1") - Quantity.parse("250m")) == "750m"
    assert add({"cpu": "100m"}, {"cpu": "900m", "memory": "1Gi"}) == {"cpu": "1", "memory": "1Gi"}


def test_amounts_compare_across_formats() -> None:
    assert Quantity.parse("1024Mi") == Quantity.parse("1Gi")
    assert hash(Quantity.parse("1000m")) == hash(Quantity.parse("1"))
    assert Quantity.parse("1G") < Quantity.parse("1Gi")
    assert not Quantity.parse("0")


amounts = st.integers(min_value=-(2**63 - 1) * 10**9, max_value=(2**63 - 1) * 10**9)


@given(amounts, st.sampled_from(list(Format)))
def test_text_and_amount_are_the_same(nanos: int, format: Format) -> None:
    text = str(Quantity(nanos, format))
    again = Quantity.parse(text)
    assert again.nanos == nanos
    if format is not Format.BINARY_SI:  # 625000 of it has no suffix, which reads as decimal: 625k
        assert str(again) == text, "canonical text is a fixed point"


@given(st.from_regex(r"\A[+-]?[0-9]{1,12}(\.[0-9]{0,6})?(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti|e[0-9]|E-[0-9])?\Z"))
def test_every_well_formed_text_parses_to_a_fixed_point(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@given(amounts, amounts)
def test_order_is_that_of_the_amounts(a: int, b: int) -> None:
    assert (Quantity(a) < Quantity(b)) == (a < b)
