"""Sets of fields against plain sets of paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api.managedfields import elements, fieldset
from kubeactors.api.managedfields.elements import FieldsError, read_fields, show_path

Paths = frozenset[tuple[str, ...]]

_ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"a"}', 'v:"x"', "i:0"])
_PATHS = st.frozensets(st.lists(_ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=8)


def _members(fields: fieldset.Fields) -> Paths:
    found = list(fieldset.paths(fields))
    assert len(found) == len(set(found))
    return frozenset(found)


def _canonical(fields: fieldset.Fields) -> bool:
    """No node says less than it could, and none is there for nothing."""
    return all(node != {".": {}} and _canonical(node) for element, node in fields.items() if element != ".")


@given(_PATHS)
def test_a_set_has_the_paths_it_was_made_from(paths: Paths) -> None:
    fields = fieldset.from_paths(paths)
    assert _members(fields) == paths
    assert all(fieldset.has(fields, path) for path in paths)
    assert not fieldset.has(fields, ())
    assert _canonical(fields)


@given(_PATHS, _PATHS)
def test_algebra(one: Paths, other: Paths) -> None:
    left, right = fieldset.from_paths(one), fieldset.from_paths(other)
    before = repr((left, right))
    for made, expected in (
        (fieldset.union(left, right), one | other),
        (fieldset.intersection(left, right), one & other),
        (fieldset.difference(left, right), one - other),
    ):
        assert _members(made) == expected
        assert _canonical(made)
    assert repr((left, right)) == before, "operations leave their arguments alone"


@given(_PATHS, _PATHS)
def test_recursive_difference_takes_what_lies_below(one: Paths, other: Paths) -> None:
    left = fieldset.recursive_difference(fieldset.from_paths(one), fieldset.from_paths(other))
    expected = {path for path in one if not any(path[:length] in other for length in range(1, len(path) + 1))}
    assert _members(left) == expected
    assert _canonical(left)


@given(_PATHS, _PATHS)
def test_difference_is_the_set_itself_when_nothing_goes(one: Paths, other: Paths) -> None:
    fields = fieldset.from_paths(one)
    assert (fieldset.difference(fields, fieldset.from_paths(other)) is fields) == (not one & other)


@given(_PATHS, _PATHS, _PATHS)
def test_algebra_holds_together(one: Paths, two: Paths, three: Paths) -> None:
    a, b, c = (fieldset.from_paths(each) for each in (one, two, three))
    assert fieldset.union(a, b) == fieldset.union(b, a)
    assert fieldset.intersection(a, b) == fieldset.intersection(b, a)
    assert fieldset.difference(fieldset.difference(a, b), c) == fieldset.difference(a, fieldset.union(b, c))
    shared = fieldset.intersection(a, b)
    assert fieldset.union(fieldset.difference(a, b), shared) == a


@given(_PATHS)
def test_what_is_written_is_read_back(paths: Paths) -> None:
    fields = fieldset.from_paths(paths)
    assert read_fields(fields) == fields


def test_members_come_before_what_lies_below_them() -> None:
    fields = fieldset.from_paths([("f:b",), ("f:a", "f:c"), ("f:a",), ("f:a", 'k:{"n":1}'), ("f:a", "i:0")])
    assert list(fieldset.paths(fields)) == [
        ("f:a",),
        ("f:b",),
        ("f:a", "f:c"),
        ("f:a", 'k:{"n":1}'),
        ("f:a", "i:0"),
    ]


def test_patterns_include_what_they_name_and_members_on_the_way() -> None:
    pattern = fieldset.from_paths([("f:spec", "f:containers", "*", "f:resources")])
    below = ("f:spec", "f:containers", 'k:{"name":"c"}')
    wanted = [below, (*below, "f:resources", "f:limits"), (*below, "f:resources")]
    others = [(*below, "f:image"), ("f:spec", "f:volumes"), ("f:metadata",)]
    fields = fieldset.from_paths([*wanted, *others])
    assert set(fieldset.paths(fieldset.included(fields, pattern))) == set(wanted)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:spec", 'k:{"port":80,"protocol":"TCP"}', "f:name"), '.spec[port=80,protocol="TCP"].name'),
        (("f:metadata", "f:finalizers", 'v:"a/b"'), '.metadata.finalizers[="a/b"]'),
        (("f:x", "i:3"), ".x[3]"),
        (("f:x", "v:1.5"), ".x[=1.5]"),
        (("f:x", "v:true"), ".x[=true]"),
        (("f:x", 'k:{"a":null,"b":false}'), ".x[a=null,b=false]"),
    ],
)
def test_paths_are_shown_as_in_messages(path: tuple[str, ...], shown: str) -> None:
    assert show_path(path) == shown


def test_keys_are_sorted_and_numbers_have_one_form() -> None:
    assert elements.key({"protocol": "TCP", "port": 80.0}) == 'k:{"port":80,"protocol":"TCP"}'
    assert elements.value(2.0) == "v:2"
    assert read_fields({'k:{ "b": 1.0, "a": "x" }': {}}) == {'k:{"a":"x","b":1}': {}}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"x": {}}, "key must be 2 characters long"),
        ({"field": {}}, "missing colon: field"),
        ({"i:one": {}}, "invalid literal"),
        ({"k:[1]": {}}, "no keys"),
        ({"k:{": {}}, "EOF|unexpected"),
        ({"f:a": 1}, "is an object"),
        (["f:a"], "is an object"),
    ],
)
def test_bad_sets_are_refused(fields: object, problem: str) -> None:
    with pytest.raises(FieldsError, match=problem):
        read_fields(fields)


def test_sets_of_a_client_are_bounded_in_depth() -> None:
    fields: dict[str, object] = {}
    for _ in range(1000):
        fields = {"f:a": fields}
    with pytest.raises(FieldsError, match="too deeply"):
        read_fields(fields)


def test_unknown_kinds_of_elements_are_left_out() -> None:
    assert read_fields({"z:new": {}, "f:a": {".": {}}}) == {"f:a": {}}
