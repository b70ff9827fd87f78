"""Structural schemas: pruning, defaulting, the rules that they keep."""

import re
from typing import Any

import pytest

from kubeactors.api.customresources.decoder import CustomDecoder
from kubeactors.api.customresources.embedded import embedded_errors
from kubeactors.api.customresources.field_path import FieldPathError, find_field
from kubeactors.api.customresources.listtypes import list_errors
from kubeactors.api.customresources.pruning import prune
from kubeactors.api.customresources.schema_rules import schema_errors
from kubeactors.api.customresources.structural import structural
from kubeactors.api.schema import DecodeProblems


def root(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def wrong(schema: dict[str, Any], status: bool = False) -> list[str]:
    return [str(error) for error in schema_errors(schema, "s", status=status)]


def decode(schema: dict[str, Any], obj: dict[str, Any]) -> list[str]:
    return CustomDecoder(structural(schema))(obj, DecodeProblems()).problems


def test_pruning_tells_sorted_paths() -> None:
    schema = root(spec=root(a={"type": "integer"}, l={"type": "array", "items": root(k={"type": "string"})}))
    obj = {"kind": "K", "zz": 1, "spec": {"b": 1, "a": 1, "l": [{"k": "x", "y": 1}]}}
    assert prune(obj, structural(schema), root=True) == ["spec.b", "spec.l[0].y", "zz"]
    assert obj == {"kind": "K", "spec": {"a": 1, "l": [{"k": "x"}]}}


def test_unknown_fields_are_kept_where_the_schema_says_so() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"p": root()}}
    obj = {"free": {"x": {"y": 1}, "p": {"z": 1}}}
    assert prune(obj, structural(root(free=free)), root=True) == ["free.p.z"]
    assert obj == {"free": {"x": {"y": 1}, "p": {}}}


def test_defaults_fill_what_is_missing_or_null() -> None:
    schema = root(
        spec=root(
            a={"type": "integer", "default": 3},
            o={**root(x={"type": "string", "default": "y"}), "default": {}},
            n={"type": "string", "nullable": True, "default": "d"},
            m={"type": "string", "default": "d"},
            q={"type": "string"},
            l={"type": "array", "items": root(k={"type": "boolean", "default": True})},
        )
    )
    obj = {"spec": {"n": None, "m": None, "q": None, "l": [{}, {"k": False}]}}
    decode(schema, obj)
    assert obj == {"spec": {"a": 3, "o": {"x": "y"}, "n": None, "m": "d", "l": [{"k": True}, {"k": False}]}}
    untouched: dict[str, Any] = {}
    decode(schema, untouched)
    assert untouched == {}


def test_numbers_are_stored_as_kubernetes_writes_them() -> None:
    obj = {"spec": {"whole": 2.0, "big": 9007199254740993, "f": 1.5, "huge": 2**63}}
    decode({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, obj)
    assert [type(value) for value in obj["spec"].values()] == [int, int, float, float]


def test_embedded_objects_keep_their_metadata() -> None:
    schema = root(e={**root(x={"type": "integer"}), "x-kubernetes-embedded-resource": True})
    obj = {"e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "zz": 1}, "x": 1, "y": 2}}
    assert decode(schema, obj) == ['unknown field "e.y"', 'unknown field "e.metadata.zz"']
    assert obj["e"] == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "x": 1}
    missing = embedded_errors({"e": {"x": 1}}, structural(schema))
    assert [str(error) for error in missing] == ["e.apiVersion: Required value", "e.kind: Required value"]


def test_lists_of_type_set_and_map_have_no_duplicates() -> None:
    schema = structural(
        root(
            s={"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            m={
                "type": "array",
                "items": root(k={"type": "string"}),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            },
        )
    )
    obj = {"s": ["a", "b", "a", "a"], "m": [{"k": "x"}, {"k": "x", "v": 1}]}
    assert [str(error) for error in list_errors(obj, schema)] == [
        's[2]: Duplicate value: "a"',
        'm[1]: Duplicate value: {"k":"x"}',
    ]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, ['s.type: Invalid value: "string": must be object at the root']),
        ({}, ["s.type: Required value: must not be empty at the root"]),
        (root(a={}), ["s.properties[a].type: Required value: must not be empty for specified object fields"]),
        (root(a={"type": "array"}), ["s.properties[a].items: Required value: must be specified"]),
        (
            root(a={"type": "array", "items": {}}),
            ["s.properties[a].items.type: Required value: must not be empty for specified array items"],
        ),
        (root(a={"$ref": "#/x"}), ["s.properties[a].$ref: Forbidden: $ref is not supported"]),
        (
            {"type": "object", "anyOf": [{"properties": {"b": {"minimum": 1}}}]},
            ["s.properties[b]: Required value: because it is defined in s.anyOf[0].properties[b]"],
        ),
        ({"type": "object", "not": {"type": "string"}}, ["s.not.type: Forbidden: must be empty to be structural"]),
        (
            root(a={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            [],
        ),
        (
            root(a={"type": "string", "default": 5}),
            ['s.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"'],
        ),
        (
            root(a={**root(), "default": {"zz": 1}}),
            ['s.properties[a].default: Invalid value: {"zz":1}: must not have unknown fields'],
        ),
        (
            root(metadata=root(name={"type": "string", "default": "x"})),
            ["s.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata"],
        ),
        ({**root(), "nullable": True}, ["s.nullable: Forbidden: nullable cannot be true at the root"]),
        (
            root(a={"type": "string", "pattern": "("}),
            [
                's.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: '
                "error parsing regexp: missing closing ): `(`"
            ],
        ),
    ],
)
def test_structural_rules(schema: dict[str, Any], expected: list[str]) -> None:
    assert wrong(schema) == expected


def test_only_some_keywords_stand_beside_a_status_subresource() -> None:
    schema = {**root(status=root()), "maxProperties": 3}
    assert wrong(schema) == []
    assert "fields are allowed at the root of the schema" in wrong(schema, status=True)[0]


def test_defaults_with_unknown_fields_and_wrong_values_are_told_of_both() -> None:
    inner = {**root(a={"type": "string"}), "default": {"z": 1, "a": 2}}
    assert wrong(root(o=inner)) == [
        's.properties[o].default: Invalid value: {"a":2,"z":1}: must not have unknown fields',
        's.properties[o].default.a: Invalid value: "integer": a in body must be of type string: "integer"',
    ]


def test_defaults_of_metadata_make_valid_metadata() -> None:
    names = root(name={"type": "string", "default": "a/b"}, labels={"type": "object", "default": {"a b": "c"}})
    names["properties"]["labels"]["additionalProperties"] = {"type": "string"}
    embedded = {**root(metadata=names), "x-kubernetes-embedded-resource": True}
    labels, name = wrong(root(e=embedded))
    start = "s.properties[e].properties[metadata].properties"
    told = "must result in valid metadata"
    assert labels.startswith(f'{start}[labels].default: Invalid value: {{"a b":"c"}}: {told}: metadata.labels: ')
    assert name == (
        f"""{start}[name].default: Invalid value: "a/b": {told}: metadata.name: Invalid value: "a/b": """
        "may not contain '/'"
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("spec", "expected [ or . but got: spec"),
        (".spec.", "unexpected end of JSON path"),
        (".spec..a", "does not refer to a valid field"),
        (".spec'a", "does not refer to a valid field"),
        (".spec[a]", "expected single quoted string but got a"),
        (".spec['a'x", "expected ] but got x"),
        (".spec['a'", "unexpected end of JSON path"),
        (".spec['\\q']", "invalid string literal: invalid escape char \\q"),
    ],
)
def test_wrong_paths(path: str, said: str) -> None:
    with pytest.raises(FieldPathError, match=f"^{re.escape(said)}$"):
        find_field(path, structural(root(spec=root(a={"type": "string"}))))


def test_paths() -> None:
    names = {"it's": {"type": "string"}, "a.b": {"type": "string"}}
    tree = structural(root(spec={"type": "object", "properties": names}))
    assert find_field(".spec['it\\'s']", tree)[0] == ("spec", "it's")
    assert find_field("['spec']['a.b']", tree)[0] == ("spec", "a.b")
