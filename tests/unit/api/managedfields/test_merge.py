"""Structured merge on typed data: the rules of merge, compare, field sets, removal and extraction, and invariants."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.atoms import Atom, ElementError, build
from kubeactors.api.managedfields.compare import Comparison, compare, fields_of
from kubeactors.api.managedfields.conflicts import Conflicts
from kubeactors.api.managedfields.managers import APPLY, UPDATE, Managed, VersionedSet, manager
from kubeactors.api.managedfields.merge import ensure_named, extract_items, merge, remove_items
from kubeactors.api.managedfields.updater import OneVersion, ResetFields, Updater
from kubeactors.api.managedfields.validate import validate
from kubeactors.api.schema.types import (
    ANY,
    BOOLEAN,
    INT64,
    INT_OR_STRING,
    STRING,
    Field,
    ListType,
    MapType,
    Scalar,
    Struct,
)

TEXT, NUMBER = Scalar(STRING), Scalar(INT64)


def struct(atomic: bool = False, **fields: Any) -> Struct:
    made = {name: of if isinstance(of, Field) else Field(name, of) for name, of in fields.items()}
    return Struct("T", made, atomic=atomic)


ITEM = struct(name=TEXT, value=TEXT, number=NUMBER)
PORT = struct(port=NUMBER, protocol=Field("protocol", TEXT, default="TCP"), name=TEXT)
OBJECT = struct(
    metadata=struct(labels=MapType(TEXT)),
    text=TEXT,
    number=NUMBER,
    flag=Scalar(BOOLEAN),
    either=Scalar(INT_OR_STRING),
    inner=struct(a=TEXT, b=TEXT, inner=struct(c=TEXT)),
    whole=struct(atomic=True, a=TEXT, b=TEXT),
    map=MapType(TEXT),
    structs=MapType(struct(a=TEXT, b=TEXT)),
    wholes=MapType(TEXT, atomic=True),
    list=ListType(TEXT),
    set=ListType(TEXT, "set"),
    items=ListType(ITEM, "map", ("name",)),
    ports=ListType(PORT, "map", ("port", "protocol")),
    free=Scalar(ANY),
)
ATOM = build(OBJECT)


# --- merge


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ({"text": "1"}, {"text": "2"}, {"text": "2"}),
        ({"text": "1", "number": 1}, {"number": 2}, {"text": "1", "number": 2}),
        ({"inner": {"a": "1"}}, {"inner": {"b": "1"}}, {"inner": {"a": "1", "b": "1"}}),
        ({"whole": {"a": "1"}}, {"whole": {"b": "1"}}, {"whole": {"b": "1"}}),
        ({"wholes": {"a": "1"}}, {"wholes": {}}, {"wholes": {}}),
        ({"list": ["a", "b"]}, {"list": ["c"]}, {"list": ["c"]}),
        ({"list": ["a"]}, {"list": []}, {"list": []}),
        ({"map": {"a": "1"}}, {"map": {}}, {"map": {"a": "1"}}),
        ({"map": {"a": "1"}}, {"map": None}, {"map": {"a": "1"}}),
        ({}, {"map": {}}, {"map": {}}),
        ({}, {"map": None}, {"map": None}),
        ({"text": "1"}, {"text": None}, {"text": None}),
        ({"set": ["a"]}, {"set": []}, {"set": ["a"]}),
        ({"set": None}, {"set": []}, {"set": []}),
        # Order: that of what is applied for what it has, the others where they stand.
        ({"set": ["a", "b", "c"]}, {"set": ["c", "a"]}, {"set": ["b", "c", "a"]}),
        ({"set": ["a", "b", "c"]}, {"set": ["a", "c"]}, {"set": ["a", "b", "c"]}),
        ({"set": ["a", "b"]}, {"set": ["c", "d"]}, {"set": ["a", "b", "c", "d"]}),
        ({"set": ["a", "b", "c"]}, {"set": ["x", "b"]}, {"set": ["a", "x", "b", "c"]}),
        ({"set": ["1", "2", "3"]}, {"set": ["3", "2", "1"]}, {"set": ["3", "2", "1"]}),
        (
            {"items": [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]},
            {"items": [{"name": "b", "number": 2}]},
            {"items": [{"name": "a", "value": "1"}, {"name": "b", "value": "1", "number": 2}]},
        ),
        # A key that is left out counts as its default.
        (
            {"ports": [{"port": 80, "protocol": "TCP", "name": "x"}]},
            {"ports": [{"port": 80, "name": "y"}]},
            {"ports": [{"port": 80, "protocol": "TCP", "name": "y"}]},
        ),
        # What is there twice is not merged with anything.
        ({"set": ["a", "b", "a"]}, {"set": ["b"]}, {"set": ["a", "b", "a"]}),
        ({"set": ["a", "b", "a"]}, {"set": ["a"]}, {"set": ["a", "b"]}),
        (
            {"items": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]},
            {"items": [{"name": "a", "number": 1}]},
            {"items": [{"name": "a", "number": 1}]},
        ),
        # Without a schema: maps field by field, lists whole, and what changes its kind is replaced.
        ({"free": {"a": 1, "l": [1]}}, {"free": {"b": 2, "l": [2]}}, {"free": {"a": 1, "l": [2], "b": 2}}),
        ({"free": {"a": 1}}, {"free": [1]}, {"free": [1]}),
        ({"free": "x"}, {"free": {"a": 1}}, {"free": {"a": 1}}),
        ({"either": 1}, {"either": "1"}, {"either": "1"}),
    ],
)
def test_merge(live: Any, applied: Any, merged: Any) -> None:
    before = copy.deepcopy((live, applied))
    assert merge(ATOM, live, applied) == merged
    assert (live, applied) == before


# --- compare


def split(found: Comparison) -> tuple[set[str], set[str], set[str]]:
    def shown(fields: fieldset.Fields) -> set[str]:
        return {"/".join(element.partition(":")[2] for element in path) for path in fieldset.paths(fields)}

    return shown(found.added), shown(found.removed), shown(found.modified)


@pytest.mark.parametrize(
    ("old", "new", "added", "removed", "modified"),
    [
        ({"text": "1"}, {"text": "1"}, set(), set(), set()),
        ({"text": "1"}, {"text": "2"}, set(), set(), {"text"}),
        ({"text": "1"}, {}, set(), {"text"}, set()),
        ({}, {"inner": {"a": "1"}}, {"inner", "inner/a"}, set(), set()),
        ({"inner": {}}, {"inner": {"a": "1"}}, {"inner/a"}, set(), set()),
        ({"inner": None}, {"inner": {"a": "1"}}, {"inner/a"}, set(), set()),
        ({"inner": None}, {"inner": {}}, set(), set(), {"inner"}),
        ({"inner": {"a": "1"}}, {"inner": {}}, set(), {"inner/a"}, set()),
        ({"whole": {"a": "1"}}, {"whole": {"b": "1"}}, set(), set(), {"whole"}),
        ({}, {"whole": {"a": "1"}}, {"whole"}, set(), set()),
        ({"list": ["a"]}, {"list": ["b"]}, set(), set(), {"list"}),
        ({"set": ["a"]}, {"set": ["b"]}, {'set/"b"'}, {'set/"a"'}, set()),
        ({"set": ["a", "b"]}, {"set": ["b", "a"]}, set(), set(), set()),
        ({"set": None}, {"set": []}, set(), set(), {"set"}),
        (
            {"items": [{"name": "a", "value": "1"}]},
            {"items": [{"name": "a", "value": "2"}, {"name": "b"}]},
            {'items/{"name":"b"}', 'items/{"name":"b"}/name'},
            set(),
            {'items/{"name":"a"}/value'},
        ),
        # Items that cannot be told apart are one thing.
        ({"set": ["a"]}, {"set": ["a", "a"]}, {'set/"a"'}, {'set/"a"'}, set()),
        ({"set": ["a", "a"]}, {"set": ["a", "a", "a"]}, set(), set(), {'set/"a"'}),
        ({"set": ["a", "a"]}, {"set": []}, set(), {'set/"a"'}, set()),
        # Data without a schema that changes its kind.
        ({"free": {"a": 1}}, {"free": [1]}, set(), {"free/a"}, {"free"}),
        ({"free": 1}, {"free": {"a": {"b": 1}}}, {"free/a", "free/a/b"}, set(), {"free"}),
    ],
)
def test_compare(old: Any, new: Any, added: set[str], removed: set[str], modified: set[str]) -> None:
    assert split(compare(ATOM, old, new)) == (added, removed, modified)


# --- sets of fields


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"text": "1"}, {"f:text": {}}),
        ({"text": None}, {"f:text": {}}),
        ({"inner": {"a": "1"}}, {"f:inner": {"f:a": {}}}),
        ({"inner": {}}, {"f:inner": {}}),
        ({"inner": {"inner": {}}}, {"f:inner": {"f:inner": {}}}),
        ({"whole": {"a": "1"}}, {"f:whole": {}}),
        ({"map": {"a": "1"}}, {"f:map": {"f:a": {}}}),
        ({"map": {}}, {"f:map": {}}),
        ({"structs": {"k": {"a": "1"}}}, {"f:structs": {"f:k": {".": {}, "f:a": {}}}}),
        ({"structs": {"k": {}}}, {"f:structs": {"f:k": {}}}),
        ({"list": []}, {"f:list": {}}),
        ({"set": []}, {}),
        ({"set": None}, {"f:set": {}}),
        ({"set": ["a", "b", "a"]}, {"f:set": {'v:"a"': {}, 'v:"b"': {}}}),
        ({"items": [{"name": "a"}]}, {"f:items": {'k:{"name":"a"}': {".": {}, "f:name": {}}}}),
        ({"ports": [{"port": 1}]}, {"f:ports": {'k:{"port":1,"protocol":"TCP"}': {".": {}, "f:port": {}}}}),
        ({"free": {"a": {"b": [1]}}}, {"f:free": {"f:a": {".": {}, "f:b": {}}}}),
    ],
)
def test_what_an_apply_mentions(value: Any, fields: Any) -> None:
    assert fields_of(ATOM, value) == fields


def test_declared_fields_on_the_way_are_named() -> None:
    fields = {"f:inner": {"f:inner": {"f:c": {}}}, "f:structs": {"f:k": {"f:a": {}}}}
    assert ensure_named(ATOM, fields) == {
        "f:inner": {".": {}, "f:inner": {".": {}, "f:c": {}}},
        "f:structs": {".": {}, "f:k": {"f:a": {}}},
    }


# --- removing and extracting


@pytest.mark.parametrize(
    ("value", "fields", "left"),
    [
        ({"text": "1", "number": 1}, {"f:text": {}}, {"number": 1}),
        ({"inner": {"a": "1", "b": "1"}}, {"f:inner": {"f:a": {}}}, {"inner": {"b": "1"}}),
        ({"inner": {"a": "1"}}, {"f:inner": {"f:a": {}}}, {"inner": None}),
        ({"inner": {"a": "1"}}, {"f:inner": {".": {}, "f:a": {}}}, None),
        ({"set": ["a", "b"]}, {"f:set": {'v:"a"': {}}}, {"set": ["b"]}),
        ({"items": [{"name": "a"}, {"name": "b"}]}, {"f:items": {'k:{"name":"b"}': {}}}, {"items": [{"name": "a"}]}),
        (
            {"items": [{"name": "a", "value": "1"}]},
            {"f:items": {'k:{"name":"a"}': {"f:value": {}}}},
            {"items": [{"name": "a"}]},
        ),
        ({"map": {"a": "1", "b": "1"}}, {"f:map": {"f:z": {}}}, {"map": {"a": "1", "b": "1"}}),
    ],
)
def test_remove(value: Any, fields: Any, left: Any) -> None:
    before = copy.deepcopy(value)
    assert remove_items(ATOM, value, fields) == left
    assert value == before


@pytest.mark.parametrize(
    ("value", "fields", "kept"),
    [
        ({"text": "1", "number": 1}, {"f:text": {}}, {"text": "1"}),
        ({"inner": {"a": "1", "b": "1"}}, {"f:inner": {"f:a": {}}}, {"inner": {"a": "1"}}),
        ({"whole": {"a": "1"}}, {"f:whole": {}}, {"whole": {"a": "1"}}),
        ({"set": ["a", "b"]}, {"f:set": {'v:"b"': {}}}, {"set": ["b"]}),
        (
            {"items": [{"name": "a", "value": "1", "number": 1}]},
            {"f:items": {'k:{"name":"a"}': {"f:value": {}}}},
            {"items": [{"name": "a", "value": "1"}]},
        ),
        ({"text": "1"}, {}, None),
    ],
)
def test_extract(value: Any, fields: Any, kept: Any) -> None:
    assert extract_items(ATOM, value, fields) == kept


# --- what cannot be told apart


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (None, "may not have a null element"),
        ("x", "may not have non-map elements"),
        ({"value": "1"}, r"omits all key fields \[\"name\"\] \(and doesn't have default values for any key fields\)"),
    ],
)
def test_items_need_their_keys(item: Any, problem: str) -> None:
    of = ATOM.map.fields["items"].list if ATOM.map else None
    assert of is not None
    with pytest.raises(ElementError, match=problem):
        of.element(item)
    assert validate(ATOM, {"items": [item]}).startswith(".items: element 0: associative list with keys")


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"a": 1}, "has an element that's a map type"),
        ([1], "associative list with lists as elements"),
        (None, "an explicit null"),
    ],
)
def test_sets_have_scalars(item: Any, problem: str) -> None:
    assert problem in validate(ATOM, {"set": [item]})


def test_a_key_may_be_left_out_when_another_is_there() -> None:
    of = build(struct(l=ListType(struct(a=TEXT, b=TEXT), "map", ("a", "b"))))
    assert fields_of(of, {"l": [{"a": "1"}]}) == {"f:l": {'k:{"a":"1"}': {".": {}, "f:a": {}}}}


# --- the updater

ONE, TWO = manager("one", APPLY, "", ""), manager("two", APPLY, "", "")
EDITOR = manager("editor", UPDATE, "v1", "")
UPDATER = Updater("v1", OneVersion("v1", ATOM))


def applied(fields: Any) -> VersionedSet:
    return VersionedSet(fields, "v1", True)


def test_reset_fields_are_nobodys() -> None:
    reset = ResetFields({"f:text": {}, "f:inner": {"f:a": {}}})
    updater = Updater("v1", OneVersion("v1", ATOM), reset)
    new = {"metadata": {}, "text": "1", "inner": {"a": "1", "b": "1"}, "number": 1}
    after = updater.update({"metadata": {}}, new, Managed(), EDITOR)
    assert after.sets[EDITOR].fields == {"f:number": {}, "f:inner": {".": {}, "f:b": {}}}
    # A write that does not mention them takes them from nobody.
    managed = Managed({ONE: applied({"f:text": {}})})
    assert updater.update({"metadata": {}, "text": "1"}, {"metadata": {}}, managed, EDITOR) is managed
    # An apply that mentions them owns the rest, and conflicts with nobody over them.
    _, after = updater.apply({"metadata": {}, "text": "1"}, {"text": "2", "number": 1}, managed, TWO, force=False)
    assert after.sets[TWO].fields == {"f:number": {}}


def test_only_included_fields_may_be_owned() -> None:
    reset = ResetFields(included={"f:items": {"*": {"f:value": {}}}})
    updater = Updater("v1", OneVersion("v1", ATOM), reset)
    new = {"metadata": {}, "text": "1", "items": [{"name": "a", "value": "1"}]}
    after = updater.update({"metadata": {}}, new, Managed(), EDITOR)
    assert after.sets[EDITOR].fields == {"f:items": {".": {}, 'k:{"name":"a"}': {".": {}, "f:value": {}}}}


def test_an_apply_removes_an_item_with_what_defaults_put_into_it() -> None:
    other = VersionedSet({"f:items": {'k:{"name":"b"}': {".": {}, "f:name": {}}}}, "v1", False)
    managed = Managed({ONE: applied({"f:items": {'k:{"name":"a"}': {".": {}, "f:name": {}}}}), EDITOR: other})
    live = {"metadata": {}, "items": [{"name": "a", "value": "defaulted"}, {"name": "b"}]}
    new, after = UPDATER.apply(live, {}, managed, ONE, force=False)
    assert new == {"metadata": {}, "items": [{"name": "b"}]}
    assert after.sets == {EDITOR: other}


@pytest.mark.parametrize("other", [TWO, EDITOR])
def test_what_any_other_manager_has_too_stays(other: Any) -> None:
    shared = VersionedSet({"f:text": {}}, "v1", other.operation == APPLY)
    managed = Managed({ONE: applied({"f:text": {}, "f:number": {}}), other: shared})
    live = {"metadata": {}, "text": "1", "number": 1}
    new, after = UPDATER.apply(live, {}, managed, ONE, force=False)
    assert new == {"metadata": {}, "text": "1"}
    assert after.sets == {other: shared}


def test_an_apply_keeps_an_item_of_which_an_updater_has_a_field_but_not_the_item() -> None:
    managed = Managed(
        {
            ONE: applied({"f:items": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:number": {}}}}),
            EDITOR: VersionedSet({"f:items": {'k:{"name":"a"}': {"f:value": {}}}}, "v1", False),
        }
    )
    live = {"metadata": {}, "items": [{"name": "a", "value": "1", "number": 1}]}
    new, after = UPDATER.apply(live, {"items": [{"name": "a"}]}, managed, ONE, force=False)
    assert new == {"metadata": {}, "items": [{"name": "a", "value": "1"}]}
    assert set(after.sets) == {ONE, EDITOR}


def test_what_cannot_be_told_apart_goes_together() -> None:
    managed = Managed({ONE: applied({"f:set": {'v:"b"': {}}})})
    live = {"metadata": {}, "set": ["a", "b", "a"]}
    new, after = UPDATER.apply(live, {"set": ["a"]}, managed, ONE, force=True)
    assert new is not None and new["set"] == ["a"]
    assert after.sets[ONE].fields == {"f:set": {'v:"a"': {}}}


# --- invariants

_WORDS = st.sampled_from(["1", "2"])
_NAMES = st.sampled_from(["a", "b", "c"])
_ITEMS = st.lists(
    st.fixed_dictionaries({"name": _NAMES}, optional={"value": _WORDS, "number": st.integers(0, 2)}),
    max_size=3,
    unique_by=lambda item: str(item["name"]),
)
_OBJECTS = st.fixed_dictionaries(
    {"metadata": st.just({})},
    optional={
        "text": _WORDS,
        "flag": st.booleans(),
        "inner": st.fixed_dictionaries({}, optional={"a": _WORDS, "inner": st.fixed_dictionaries({"c": _WORDS})}),
        "whole": st.fixed_dictionaries({}, optional={"a": _WORDS, "b": _WORDS}),
        "map": st.dictionaries(_NAMES, _WORDS, max_size=3),
        "list": st.lists(_WORDS, max_size=2),
        "set": st.lists(_NAMES, max_size=3, unique=True),
        "items": _ITEMS,
        "free": st.recursive(_WORDS, lambda inner: st.dictionaries(_NAMES, inner, max_size=2), max_leaves=4),
    },
)


def pruned(value: Any) -> Any:
    """Without what says nothing: nulls and empty containers."""
    if isinstance(value, dict):
        kept = {name: pruned(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, {}, [])}
    return [pruned(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=40)
@given(_OBJECTS, _OBJECTS)
def test_merging_twice_is_merging_once(live: Any, config: Any) -> None:
    once = merge(ATOM, live, config)
    assert merge(ATOM, once, config) == once
    assert validate(ATOM, once) == ""


@settings(max_examples=40)
@given(_OBJECTS, _OBJECTS)
def test_merging_only_adds_and_changes_what_is_applied(live: Any, config: Any) -> None:
    merged = merge(ATOM, live, config)
    changed = compare(ATOM, live, merged)
    mentioned = ensure_named(ATOM, fields_of(ATOM, config))
    assert not fieldset.difference(changed.modified, mentioned)
    leaves = [path for path in fieldset.paths(changed.removed) if path[0] not in ("f:free",)]
    assert leaves == []


@settings(max_examples=40)
@given(_OBJECTS, _OBJECTS)
def test_comparisons_are_mirrored(old: Any, new: Any) -> None:
    there, back = compare(ATOM, old, new), compare(ATOM, new, old)
    assert (there.added, there.removed, there.modified) == (back.removed, back.added, back.modified)
    assert compare(ATOM, old, copy.deepcopy(old)).is_same
    assert there.is_same == (old == new or _same_in_any_order(old, new))


def _sorted(items: Any) -> Any:
    return sorted(items, key=_sortable) if items else items


def _sortable(item: Any) -> str:
    return str(sorted(item.items())) if isinstance(item, dict) else str(item)


def _same_in_any_order(one: Any, other: Any) -> bool:
    def ordered(value: Any) -> Any:
        return {
            name: sorted(item, key=_sortable) if name in ("set", "items") and item else item
            for name, item in value.items()
        }

    return bool(ordered(one) == ordered(other))


@settings(max_examples=40)
@given(_OBJECTS)
def test_removing_everything_leaves_nothing(value: Any) -> None:
    fields = ensure_named(ATOM, fields_of(ATOM, value))
    assert pruned(remove_items(ATOM, value, fields) or {}) == {}
    assert pruned(extract_items(ATOM, value, fields_of(ATOM, value)) or {}) == pruned(value)


@settings(max_examples=40)
@given(_OBJECTS, _OBJECTS)
def test_a_manager_alone_gets_just_what_it_applies(first: Any, second: Any) -> None:
    empty = {"metadata": {}}
    made, managed = UPDATER.apply(empty, first, Managed(), ONE, force=False)
    base = made or empty
    made, managed = UPDATER.apply(base, second, managed, ONE, force=False)
    base = made or base
    assert _same_in_any_order(pruned(base), pruned(second))
    made, managed = UPDATER.apply(base, second, managed, ONE, force=False)
    assert pruned(made or base) == pruned(base), "the same again changes nothing"
    expected = fieldset.difference(fields_of(ATOM, second), {"f:metadata": {}})
    assert (managed.sets[ONE].fields if ONE in managed.sets else {}) == expected


@settings(max_examples=40)
@given(_OBJECTS, _OBJECTS, _OBJECTS)
def test_no_two_own_a_field_that_they_want_otherwise(live: Any, one: Any, two: Any) -> None:
    _, managed = UPDATER.apply({"metadata": {}}, one, Managed(), ONE, force=False)
    base = merge(ATOM, live, one)
    try:
        made, after = UPDATER.apply(base, two, managed, TWO, force=False)
    except Conflicts as conflicts:
        assert not fieldset.difference(conflicts.fields, managed.sets[ONE].fields)
        made, after = UPDATER.apply(base, two, managed, TWO, force=True)
        for fields in (conflicts.sets[ONE][1],):
            left = after.sets[ONE].fields if ONE in after.sets else {}
            assert not fieldset.intersection(left, fields), "force takes what was in conflict"
    final = base if made is None else made
    for who in after.sets:
        assert who in (ONE, TWO)
    # What is applied is there.
    assert compare(ATOM, final, merge(ATOM, final, two)).is_same


@settings(max_examples=40)
@given(_OBJECTS, _OBJECTS)
def test_an_updater_owns_what_it_changed_alone(old: Any, new: Any) -> None:
    managed = UPDATER.update({"metadata": {}}, old, Managed(), ONE)
    after = UPDATER.update(old, new, managed, EDITOR)
    changed = compare(ATOM, old, new)
    editor = after.sets[EDITOR].fields if EDITOR in after.sets else {}
    assert editor == changed.written
    left = after.sets[ONE].fields if ONE in after.sets else {}
    assert not fieldset.intersection(left, changed.written)
    assert not fieldset.intersection(left, changed.removed)


def test_the_atom_of_a_type_that_refers_to_itself() -> None:
    tree = struct(name=TEXT)
    tree.fields["children"] = Field("children", ListType(tree, "map", ("name",)))
    of: Atom = build(tree)
    value = {"children": [{"name": "a", "children": [{"name": "b"}]}]}
    assert fields_of(of, value)["f:children"]['k:{"name":"a"}']["f:children"] == {
        'k:{"name":"b"}': {".": {}, "f:name": {}}
    }
