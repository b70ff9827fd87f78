"""Label and field selectors: what they match and how refusals are worded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api.kinds import registry
from kubeactors.api.selectors import (
    EVERYTHING,
    NOTHING,
    SelectorError,
    from_label_selector,
    from_map,
    parse_field_selector,
    parse_label_selector,
)
from kubeactors.api.selectors.fields import escape_value

A = {"g": "1"}
B = {"g": "2", "env": "prod"}
C = {"g": "1", "env": "dev"}


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("", [A, B, C]),
        ("g=1", [A, C]),
        ("g==1", [A, C]),
        ("g!=1", [B]),
        ("zz!=1", [A, B, C]),
        ("g in (1,2)", [A, B, C]),
        ("g notin (1)", [B]),
        ("env in (prod, dev)", [B, C]),
        ("env", [B, C]),
        ("!env", [A]),
        ("g>1", [B]),
        ("g<2", [A, C]),
        ("env>1", []),
        ("g=1,env", [C]),
        ("g=", []),
        ("in=1", []),
    ],
)
def test_what_label_selectors_match(text: str, matching: list[dict[str, str]]) -> None:
    selector = parse_label_selector(text)
    assert [labels for labels in (A, B, C) if selector.matches(labels)] == matching


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("g in 1", "unable to parse requirement: found '1' expected: '('"),
        ("g in (1", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("g=a b", "found 'b', expected: ',' or 'end of string'"),
        ("g===1", "unable to parse requirement: found '=', expected: identifier"),
        (
            "g>x",
            'unable to parse requirement: values[0]: Invalid value: "x": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        (
            f"g={'x' * 64}",
            f'unable to parse requirement: values[0][g]: Invalid value: "{"x" * 64}": must be no more than 63 bytes',
        ),
    ],
)
def test_how_label_selectors_are_refused(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_label_selector(text)
    assert str(caught.value) == message


def test_selector_objects() -> None:
    selector = from_label_selector(
        {"matchLabels": {"g": "1"}, "matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]}
    )
    assert selector.matches(A)
    assert not selector.matches(B)
    assert str(selector) == "g=1,env notin (prod)"
    assert selector.exact == {"g": "1"}


def test_no_selector_matches_nothing_and_an_empty_one_everything() -> None:
    assert from_label_selector(None) == NOTHING
    assert not NOTHING.matches({})
    assert from_label_selector({}) == EVERYTHING
    assert EVERYTHING.matches(None)
    assert from_map(None).empty


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(SelectorError):
        from_label_selector({"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]})


labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y"]))


@given(labels, labels)
def test_a_map_selects_its_supersets(wanted: dict[str, str], have: dict[str, str]) -> None:
    selector = from_map(wanted)
    assert selector.matches(have) == (wanted.items() <= have.items())
    assert parse_label_selector(str(selector)).matches(have) == selector.matches(have)


@given(st.text(max_size=20))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for parse in (parse_label_selector, parse_field_selector):
        try:
            parse(text)
        except SelectorError as error:
            assert str(error)


def test_what_field_selectors_match() -> None:
    fields = {"metadata.name": "a", "status.phase": "Running"}
    assert parse_field_selector("metadata.name=a,status.phase!=Failed").matches(fields)
    assert not parse_field_selector("metadata.name!=a").matches(fields)
    assert parse_field_selector("spec.nodeName=").matches(fields), "an absent field counts as empty"
    assert parse_field_selector("").empty
    assert parse_field_selector(",").empty
    assert parse_field_selector("metadata.name=a").required_value("metadata.name") == "a"


@given(st.text(alphabet="ab,=\\", max_size=8))
def test_escaped_values_come_back(value: str) -> None:
    selector = parse_field_selector(f"metadata.name={escape_value(value)}")
    assert selector.terms == (("metadata.name", True, value),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type", "invalid selector: 'type'; can't understand 'type'"),
        ("metadata.name=a\\x", "invalid field selector: invalid escape sequence: \\x"),
    ],
)
def test_how_field_selectors_are_refused(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_field_selector(text)
    assert str(caught.value) == message


def test_fields_are_the_kinds() -> None:
    pods, maps = registry.lookup("pods"), registry.lookup("configmaps")
    selector = parse_field_selector("spec.host=n")
    assert selector.transformed(pods.convert_field).terms == (("spec.nodeName", True, "n"),)
    with pytest.raises(SelectorError, match="field label not supported: zz"):
        parse_field_selector("zz=1").transformed(pods.convert_field)
    with pytest.raises(SelectorError) as caught:
        parse_field_selector("data.k=v").transformed(maps.convert_field)
    assert str(caught.value) == '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'
