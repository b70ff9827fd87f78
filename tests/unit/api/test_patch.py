"""JSON patch, merge patch, and the statuses of bad patches."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api import codec
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.api.patch import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    JsonPatchError,
    apply_json_patch,
    apply_merge_patch,
    apply_patch,
    create_merge_patch,
)
from kubeactors.api.schema import struct

POD = struct("io.k8s.api.core.v1.Pod")
UNREADABLE = "json: cannot unmarshal"
GO_MAP = "map[string]interface {}"


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/d/z", "value": 3}], {"d": {"x": 1, "z": 3}, "l": [1, 2]}),
        ([{"op": "add", "path": "/d/x", "value": 3}], {"d": {"x": 3}, "l": [1, 2]}),
        ([{"op": "add", "path": "/l/-", "value": 3}], {"d": {"x": 1}, "l": [1, 2, 3]}),
        ([{"op": "add", "path": "/l/0", "value": 3}], {"d": {"x": 1}, "l": [3, 1, 2]}),
        ([{"op": "remove", "path": "/l/-1"}], {"d": {"x": 1}, "l": [1]}),
        ([{"op": "replace", "path": "/d/new", "value": 9}], {"d": {"x": 1, "new": 9}, "l": [1, 2]}),
        ([{"op": "replace", "path": "", "value": {"a": 1}}], {"a": 1}),
        ([{"op": "move", "from": "/d/x", "path": "/y"}], {"d": {}, "l": [1, 2], "y": 1}),
        ([{"op": "copy", "from": "/d/none", "path": "/y"}], {"d": {"x": 1}, "l": [1, 2], "y": None}),
        (
            [{"op": "copy", "from": "/l", "path": "/m"}, {"op": "add", "path": "/m/-", "value": 3}],
            {"d": {"x": 1}, "l": [1, 2], "m": [1, 2, 3]},
        ),
        (
            [{"op": "test", "path": "/d/x", "value": 1}, {"op": "test", "path": "/d/none", "value": None}],
            {"d": {"x": 1}, "l": [1, 2]},
        ),
        ([{"op": "add", "path": "d/q", "value": 1}], {"d": {"x": 1}, "l": [1, 2], "q": 1}),
        ([{"op": "add", "path": "/a~1b~0c", "value": 1}], {"d": {"x": 1}, "l": [1, 2], "a/b~c": 1}),
    ],
)
def test_json_patch(operations: list[dict[str, Any]], expected: Any) -> None:
    assert apply_json_patch({"d": {"x": 1}, "l": [1, 2]}, operations) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "frobnicate", "path": "/d"},
        {"op": "add", "value": 1},
        {"op": "remove", "path": "/d/none"},
        {"op": "remove", "path": "/none/x"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "", "value": {}},
        {"op": "copy", "from": "", "path": "/d/y"},
        {"op": "copy", "from": "/d", "path": ""},
        {"op": "replace", "path": "", "value": "x"},
        {"op": "test", "path": "", "value": {}},
        {"op": "move", "from": "/d", "path": ""},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "remove", "path": "/l/2"},
        {"op": "replace", "path": "/l/x", "value": 1},
        {"op": "test", "path": "/d/x", "value": 2},
        {"op": "test", "path": "/d/x", "value": True},
        {"op": "move", "from": "/none", "path": "/d"},
        {"op": "copy", "path": "/d"},
    ],
)
def test_json_patch_that_fails(operation: dict[str, Any]) -> None:
    with pytest.raises(JsonPatchError):
        apply_json_patch({"d": {"x": 1}, "l": [1, 2]}, [operation])


def test_merge_patch_examples_of_the_rfc() -> None:
    cases: list[tuple[Any, Any, Any]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        # These are the library's.
        ({"a": 1}, {"a": [None, {"b": None, "c": [{"d": None}]}]}, {"a": [None, {"c": [{}]}]}),
        ({"a": {}}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
    ]
    for target, patch, result in cases:
        assert apply_merge_patch(target, patch) == result


documents = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text(max_size=2) | st.lists(st.integers(0, 3), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), documents, max_size=3)


@given(objects, objects)
def test_a_made_merge_patch_makes_the_other_document(one: dict[str, Any], other: dict[str, Any]) -> None:
    patch = create_merge_patch(one, other)
    assert apply_merge_patch(codec.copy(one), patch) == other
    assert (patch == {}) == (
        orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    )


def status_of(content_type: str, patch: bytes, current: dict[str, Any] | None = None) -> tuple[int, str]:
    with pytest.raises(StatusError) as caught:
        apply_patch(content_type, current or {"metadata": {"name": "p"}}, patch, POD)
    return caught.value.code, caught.value.reason


def test_statuses_of_bad_patches() -> None:
    assert status_of("text/plain", b"{}") == (415, "UnsupportedMediaType")
    assert status_of(MERGE_PATCH, b"{") == (400, "BadRequest")
    assert status_of(MERGE_PATCH, b"[]") == (400, "BadRequest")
    assert status_of(MERGE_PATCH, b"null") == (400, "BadRequest")
    assert status_of(JSON_PATCH, b'{"op":"add"}') == (400, "BadRequest")
    assert status_of(JSON_PATCH, b"[1]") == (400, "BadRequest")
    assert status_of(JSON_PATCH, b'[{"op":"remove","path":"/zz"}]') == (422, "Invalid")
    assert status_of(JSON_PATCH, b"[" + b'{"op":"test","path":""},' * 10000 + b"{}]") == (413, "RequestEntityTooLarge")
    assert status_of(STRATEGIC_MERGE_PATCH, b'"x"') == (400, "BadRequest")
    assert status_of(STRATEGIC_MERGE_PATCH, b'{"metadata":{"$retainKeys":5}}') == (400, "BadRequest")
    assert status_of(STRATEGIC_MERGE_PATCH, b'{"metadata":{"$patch":"explode"}}') == (500, "")


def test_kinds_without_a_schema_take_no_strategic_patch() -> None:
    with pytest.raises(StatusError) as caught:
        apply_patch(STRATEGIC_MERGE_PATCH, {}, b"{}", None)
    assert caught.value.code == 415


def test_a_patch_that_makes_an_object_of_the_wrong_type() -> None:
    kind = registry.lookup("pods")
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": {"name": "c"}}}
    with pytest.raises(StatusError) as caught:
        codec.decode_patched(kind, pod, patch=b"{}", strategic=True)
    assert caught.value.message == ' "" is invalid: patch: Invalid value: "map[]": cannot restore slice from map'
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "zz": 1}
    assert codec.decode_patched(kind, codec.copy(pod)).warnings == ['unknown field "zz"']
    with pytest.raises(StatusError, match="strict decoding error"):
        codec.decode_patched(kind, codec.copy(pod), field_validation="Strict")
    with pytest.raises(StatusError, match="changes the type"):
        codec.decode_patched(kind, {**pod, "kind": "Secret"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "unrecognized type: string"),
        (1, "cannot convert int64 to string"),
        (1.5, "unrecognized type: string"),
        ({}, "unrecognized type: string"),
    ],
)
def test_a_merged_scalar_of_the_wrong_type(value: Any, expected: str) -> None:
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": [{"name": value}]}}
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": value}],
            "containers": [{"name": value}],
            "$retainKeys": ["containers"],
            "volumes": [{"name": "v", "$retainKeys": ["name"]}],
        }
    }
    with pytest.raises(StatusError) as caught:
        codec.decode_patched(registry.lookup("pods"), pod, patch=orjson.dumps(patch), strategic=True)
    quoted = ' "" is invalid: patch: Invalid value: "map[spec:map[volumes:[map[name:v]]]]": '
    assert caught.value.message == quoted + expected


def test_copies_of_copies_are_bounded() -> None:
    document = {"data": {"a": "x" * 1000}}
    doubled = [{"op": "copy", "from": "/data", "path": f"/data/x{n}"} for n in range(5)]
    assert len(orjson.dumps(apply_json_patch(codec.copy(document), doubled))) > 32_000
    doubled = [{"op": "copy", "from": "/data", "path": f"/data/x{n}"} for n in range(40)]
    with pytest.raises(JsonPatchError, match="accumulated size"):
        apply_json_patch(document, doubled)


def test_deep_patches_are_refused() -> None:
    kind = registry.lookup("configmaps")
    deep = b'{"zz":%b1%b}' % (b'{"a":' * 500, b"}" * 500)
    for content_type in (MERGE_PATCH, STRATEGIC_MERGE_PATCH):
        with pytest.raises(StatusError) as caught:
            apply_patch(content_type, {"metadata": {}}, deep, struct(kind.schema))
        assert caught.value.code == 400
    grown = {"zz": orjson.loads("[" * 200 + "]" * 200)}
    operations = [{"op": "add", "path": "/zz" + "/0" * 199 + "/-", "value": grown["zz"]}]
    result = apply_json_patch({"kind": "ConfigMap", "apiVersion": "v1", **codec.copy(grown)}, operations)
    with pytest.raises(StatusError) as caught:
        codec.decode_patched(kind, result)
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("validation", "content_type", "body", "expected"),
    [
        (codec.WARN, STRATEGIC_MERGE_PATCH, b"{", "unexpected end of JSON input"),
        (codec.WARN, MERGE_PATCH, b"{", "error decoding patch: unexpected end of JSON input"),
        (codec.WARN, JSON_PATCH, b"[}", "error decoding patch: invalid character '}' looking for beginning of value"),
        (
            codec.WARN,
            STRATEGIC_MERGE_PATCH,
            b"[]",
            f"{UNREADABLE} array into Go value of type {GO_MAP}",
        ),
        (
            codec.WARN,
            MERGE_PATCH,
            b"1",
            f"error decoding patch: {UNREADABLE} number into Go value of type {GO_MAP}",
        ),
        (
            codec.WARN,
            JSON_PATCH,
            b"{}",
            f"error decoding patch: {UNREADABLE} object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            codec.WARN,
            JSON_PATCH,
            b'["x"]',
            f"error decoding patch: {UNREADABLE} string into Go value of type handlers.jsonPatchOp",
        ),
        # Another reader reads patches whose fields are not validated.
        (codec.IGNORE, MERGE_PATCH, b"{", "Invalid JSON Patch"),
        (codec.IGNORE, MERGE_PATCH, b"1", "Invalid JSON Patch"),
        (codec.IGNORE, JSON_PATCH, b"[}", "invalid character '}' looking for beginning of value"),
        (codec.IGNORE, JSON_PATCH, b"{}", f"{UNREADABLE} object into Go value of type jsonpatch.Patch"),
        (codec.IGNORE, JSON_PATCH, b'["x"]', f"{UNREADABLE} string into Go value of type jsonpatch.Operation"),
    ],
)
def test_patches_that_are_none_are_refused_in_go_s_words(
    validation: str, content_type: str, body: bytes, expected: str
) -> None:
    with pytest.raises(StatusError) as caught:
        apply_patch(content_type, {}, body, POD, validation)
    assert (caught.value.code, caught.value.message) == (400, expected)


@pytest.mark.parametrize(
    ("content_type", "body"), [(MERGE_PATCH, b"[1]"), (JSON_PATCH, b'[{"op": "replace", "path": "", "value": [1]}]')]
)
def test_a_patched_document_is_an_object(content_type: str, body: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        apply_patch(content_type, {}, body, POD, codec.IGNORE)
    assert caught.value.code == 422
    assert caught.value.message == (
        ' "" is invalid: patch: Invalid value: "[1]": couldn\'t get version/kind; json parse error: json: cannot '
        "unmarshal array into Go value of type "
        r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
    )


def test_json_patch_compares_numbers_as_they_are_written() -> None:
    apply_json_patch({"d": [1, {"x": 2}]}, [{"op": "test", "path": "/d", "value": [1, {"x": 2}]}])
    for value in ([1.0, {"x": 2}], [1, {"x": 2.0}], [True, {"x": 2}]):
        with pytest.raises(JsonPatchError):
            apply_json_patch({"d": [1, {"x": 2}]}, [{"op": "test", "path": "/d", "value": value}])


@pytest.mark.parametrize("content_type", [JSON_PATCH, STRATEGIC_MERGE_PATCH])
def test_null_is_a_patch_that_changes_nothing(content_type: str) -> None:
    assert apply_patch(content_type, {"kind": "Pod"}, b"null", POD) == {"kind": "Pod"}


def test_texts_of_an_operation_must_be_texts() -> None:
    with pytest.raises(StatusError) as raised:
        apply_patch(JSON_PATCH, {}, b'[{"op": 1, "path": "/x"}]', None)
    assert (raised.value.code, raised.value.message) == (
        400,
        "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
    )


def test_operations_are_not_checked_where_fields_are_not() -> None:
    with pytest.raises(StatusError) as raised:
        apply_patch(JSON_PATCH, {}, b'[{"op": 1, "path": "/x"}]', None, codec.IGNORE)
    assert (raised.value.code, raised.value.reason) == (422, "Invalid")


def test_a_json_patch_is_told_of_members_that_operations_lack() -> None:
    kind = registry.by_gvk("v1", "ConfigMap")
    assert kind is not None
    patch = b'[{"op": "add", "op": "add", "path": "/data", "value": {}, "extra": 1}]'
    obj = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {}}
    assert codec.decode_patched(kind, obj, patch=patch).warnings == [
        'json patch duplicate field "[0].op"',
        'json patch unknown field "[0].extra"',
    ]
