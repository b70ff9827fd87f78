"""What is said of texts that are no IP addresses and ranges, and which quantities are integers."""

from __future__ import annotations

import pytest

from kubeactors.api.cel.environment import BASE
from kubeactors.api.cel.libraries.address_texts import AddressError, check_address
from kubeactors.api.cel.values import EvaluationError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unable to parse IP"),
        ("abc", "unable to parse IP"),
        ("%eth0", "missing IPv6 address"),
        ("1.2.3", "IPv4 address too short"),
        ("1.2.3.4.5", "IPv4 address too long"),
        ("1.2.3.256", "IPv4 field has value >255"),
        ("1.02.3.4", "IPv4 field has octet with leading zero"),
        ("1..2.3", 'IPv4 field must have at least one digit (at ".2.3")'),
        ("1.2.3.", 'IPv4 field must have at least one digit (at ".")'),
        ("1.2.x.4", 'unexpected character (at "x.4")'),
        ("1.2.3.4/8", 'unexpected character (at "/8")'),
        ("2001:db8:::68", 'each colon-separated field must have at least one digit (at ":68")'),
        ("12345::", 'each group must have 4 or less digits (at "12345::")'),
        ("1:2:3", "address string too short"),
        ("1::2::3", 'multiple :: in address (at ":3")'),
        ("1:2:3:4:5:6:7:8:9", 'trailing garbage after address (at "9")'),
        ("1:2:3:4:5:6:7:8::", "the :: must expand to at least one field of zeros"),
        ("1:g", 'each colon-separated field must have at least one digit (at "g")'),
        ("1:2g", 'unexpected character, want colon (at "g")'),
        ("1:2:", 'colon must be followed by more characters (at ":")'),
        ("fe80::1%", "zone must be a non-empty string"),
        ("1:1.2.3.4", 'embedded IPv4 address must replace the final 2 fields of the address (at "1.2.3.4")'),
    ],
)
def test_wrong_addresses(text: str, said: str) -> None:
    with pytest.raises(AddressError) as caught:
        check_address(text)
    assert str(caught.value) == f'ParseAddr("{text}"): {said}'


@pytest.mark.parametrize("text", ["1.2.3.4", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "fe80::1%eth0"])
def test_addresses(text: str) -> None:
    check_address(text)


def test_wrong_ranges() -> None:
    twice = "network address parse error during conversion from string: " * 2
    with pytest.raises(EvaluationError) as caught:
        BASE.compile("cidr('10.0.0/8')").evaluate([])
    assert str(caught.value) == f'{twice}netip.ParsePrefix("10.0.0/8"): ParseAddr("10.0.0"): IPv4 address too short'


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("0", True),
        ("50k", True),
        ("1.5k", True),
        ("12Mi", True),
        ("1Ti", True),
        ("1e3", True),
        ("-7", True),
        ("1.0", False),
        ("1000m", False),
        ("1.5Gi", False),
        ("100Ti", False),
        ("1e30", False),
        ("1234567890123456789", False),
    ],
)
def test_quantities_are_integers_by_their_form(text: str, whole: bool) -> None:
    assert BASE.compile(f"quantity('{text}').isInteger()").evaluate([])[0] is whole


@pytest.mark.parametrize(
    ("expression", "whole"),
    [
        ("quantity('1k').add(quantity('500m'))", False),
        ("quantity('1k').sub(1)", True),
        ("quantity('0').add(quantity('1G'))", True),
        ("quantity('1Pi').sub(quantity('1Pi'))", False),
    ],
)
def test_sums_of_quantities_keep_their_form(expression: str, whole: bool) -> None:
    assert BASE.compile(f"{expression}.isInteger()").evaluate([])[0] is whole
