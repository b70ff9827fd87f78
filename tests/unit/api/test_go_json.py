"""What Go says of a text that is no JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api.go_json import syntax_error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "unexpected end of JSON input"),
        ("  ", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('{"a":', "unexpected end of JSON input"),
        ('{"a":1', "unexpected end of JSON input"),
        ('{"a":1,', "unexpected end of JSON input"),
        ("[1,", "unexpected end of JSON input"),
        ('"a', "unexpected end of JSON input"),
        ('"\\u00', "unexpected end of JSON input"),
        ("tru", "unexpected end of JSON input"),
        ("-", "unexpected end of JSON input"),
        ("1.", "unexpected end of JSON input"),
        ("1e+", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("spec: a", "invalid character 's' looking for beginning of value"),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ("[,]", "invalid character ',' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ("{'a':1}", r"invalid character '\'' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        ('{"a":{"b":1]}', "invalid character ']' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("1 2", "invalid character '2' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ('"a\nb"', r"invalid character '\n' in string literal"),
        (r'"\x"', "invalid character 'x' in string escape code"),
        (r'"\u00g0"', r"invalid character 'g' in \u hexadecimal character escape"),
        ("trae", "invalid character 'a' in literal true (expecting 'u')"),
        ("nil", "invalid character 'i' in literal null (expecting 'u')"),
        ("-a", "invalid character 'a' in numeric literal"),
        ("1.a", "invalid character 'a' after decimal point in numeric literal"),
        ("1ea", "invalid character 'a' in exponent of numeric literal"),
    ],
)
def test_the_first_error(text: str, expected: str) -> None:
    assert syntax_error(text.encode()) == expected


@given(st.text(alphabet='{}[]",:\\u01.eE+-tfn alse'))
def test_it_knows_what_json_is(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        assert syntax_error(text.encode()) is not None
    else:
        assert syntax_error(text.encode()) is None


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists))
def test_json_has_none(value: object) -> None:
    assert syntax_error(json.dumps(value).encode()) is None


def test_depth_is_no_matter() -> None:
    assert syntax_error(b"[" * 100_000) == "unexpected end of JSON input"
    assert syntax_error(b"[" * 100_000 + b"]" * 100_000) is None
