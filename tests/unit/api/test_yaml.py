"""YAML as Kubernetes' Go library reads it, and JSON in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubeactors.api import yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 12", "12"),
        ('!!int "12"', 12),
        ("!!float 1", 1),
        ("!!bool yes", True),
        ("!!null ~", None),
        ("!!binary aGk=", "hi"),
        ("!own x", "x"),
        ("! 12", "12"),
        ("!!python/name:os.system x", "x"),
        ("!!set {b, c}", {"b": None, "c": None}),
        ("!!int [b]", ["b"]),
        ("08", 8),
        ("0x10000000000000000", "0x10000000000000000"),
        ("-9223372036854775809", -9223372036854775808.0),
        ("9" * 5000, "9" * 5000),
        ("'yes'", "yes"),
        ("", None),
        ("=", "="),
        ("1:2", "1:2"),
        ("- ", [None]),
    ],
)
def test_tags_and_scalars(text: str, value: object) -> None:
    found = yaml.load(b"a: " + text.encode() if text != "- " else b"a:\n- \n")[0]["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["!!int x", "!!bool 1", "!!float ''", "!!null 1", "!!int 1.5", "!!binary '*'"])
def test_a_tag_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(yaml.YamlError):
        yaml.load(f"a: {text}".encode())


def test_keys_become_text() -> None:
    assert yaml.load(b"{1: a, y: b, 1.5: c, 0x10: d}")[0] == {"1": "a", "true": "b", "1.5": "c", "16": "d"}
    for body in (b"~: a", b"[a]: b", b"{{a: b}: c}", b"x: &x [a]\n*x : b"):
        with pytest.raises(yaml.YamlError, match="a key is no string"):
            yaml.load(body)


def test_merges_take_effect_where_they_stand() -> None:
    body = b"a: &a {k: 1, l: 1}\nb: &b {k: 2, m: 2}\nc:\n  <<: [*a, *b]\n  o: 3\n"
    assert yaml.load(body)[0]["c"] == {"k": 1, "l": 1, "m": 2, "o": 3}
    assert yaml.load(b"a: &a {k: 1}\nb: {<<: *a, k: 2}\n") == (
        {"a": {"k": 1}, "b": {"k": 2}},
        ['line 2: key "k" already set in map'],
    )
    assert yaml.load(b'{"<<": {a: b}}')[0] == {"<<": {"a": "b"}}, "in quotes it is a key like others"
    with pytest.raises(yaml.YamlError, match="map merge requires map or sequence of maps as the value"):
        yaml.load(b"<<: [a]\n")


def test_anchors_may_be_set_again() -> None:
    assert yaml.load(b"a: &x 1\nb: &x 2\nc: *x\n")[0] == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a: &a [*a]", "anchor 'a' value contains itself"),
        (b"a: *b", "unknown anchor 'b' referenced"),
        (b"- " * 300, "the document is nested more than 250 levels deep"),
    ],
)
def test_refusals_say_why(body: bytes, message: str) -> None:
    with pytest.raises(yaml.YamlError) as caught:
        yaml.load(body)
    assert str(caught.value) == message


def test_the_first_document_counts() -> None:
    assert yaml.load(b"---\na: 1\n---\nb: 2\n")[0] == {"a": 1}
    assert yaml.load(b"")[0] is None


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, True, None, "x"], "b": {"c": {}}, "": "é"},
        {"whole": 3.0, "list": [1.0, {"a": 1e3}], "large": 1e300},
        {"n": 2**63, "m": -(2**63)},
        {"text": 'with ": in it', "colon": '" :'},
    ],
)
def test_json_says_the_same_as_json_and_as_yaml(value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    as_json, as_yaml = yaml.load(body), yaml.load(b"\n" + body)
    assert as_json == as_yaml
    assert json.dumps(as_json[0]) == json.dumps(as_yaml[0])


def test_json_that_yaml_reads_otherwise_is_read_as_yaml() -> None:
    assert yaml.load(b'{"a":1,\n"a":2}') == ({"a": 2}, ['line 2: key "a" already set in map'])
    assert yaml.load(b'{"a": "x", b: z}')[0] == {"a": "x", "b": "z"}
    with pytest.raises(yaml.YamlError, match="nested more than 250"):
        yaml.load(b'{"a":' * 300 + b"1" + b"}" * 300)
    with pytest.raises(yaml.YamlError):
        yaml.load(b'{"a":"\\ud83d\\ude00"}')


def test_reading_in_steps_comes_to_the_same() -> None:
    body = b"a:\n" + b"".join(b"- {k%d: [x, 1, yes]}\n" % n for n in range(2000))
    steps = yaml.steps(body)
    turns, outcome = 0, None
    while outcome is None:
        try:
            next(steps)
            turns += 1
        except StopIteration as done:
            outcome = done.value
    assert turns > 20
    assert outcome == yaml.load(body)
    assert outcome[0]["a"][7] == {"k7": ["x", 1, True]}


def test_what_was_read_is_given_to_each_caller_anew() -> None:
    body = yaml.ReadBody(b"a: [b]")
    body.keep({"a": ["b"]}, ["line 1: x"])
    first, told = yaml.load(body)
    first["a"].append("c")
    told.clear()
    assert yaml.load(body) == ({"a": ["b"]}, ["line 1: x"])
    body.fail(yaml.YamlError("no"))
    with pytest.raises(yaml.YamlError, match="no"):
        yaml.load(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a: b: c", "mapping values are not allowed in this context"),
        (b"a: 1\n b: 2", "line 2: mapping values are not allowed in this context"),
        (b"a: [1,\nb\n", "line 2: did not find expected ',' or ']'"),
        (b'{"a":', "line 1: did not find expected node content"),
        (b"a:\n\tb: c\n", "line 2: found character that cannot start any token"),
        (b"x\x00y", "control characters are not allowed"),
    ],
)
def test_syntax_errors_are_told_in_go_s_words(body: bytes, expected: str) -> None:
    with pytest.raises(yaml.YamlError) as caught:
        yaml.load(body)
    assert str(caught.value) == expected
