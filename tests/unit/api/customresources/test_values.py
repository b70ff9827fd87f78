"""Validation of values against OpenAPI schemas."""

import time
from typing import Any

import pytest

from kubeactors.api.customresources.values import value_errors


def texts(schema: dict[str, Any], value: Any, **more: Any) -> list[str]:
    return [str(error) for error in value_errors(schema, value, **more)]


def of(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a field `f` of this schema."""
    return texts({"type": "object", "properties": {"f": schema}}, {"f": value})


@pytest.mark.parametrize(
    ("schema", "good", "bad", "text"),
    [
        ({"type": "integer"}, 1, "1", 'f: Invalid value: "string": f in body must be of type integer: "string"'),
        ({"type": "boolean"}, True, 1, 'f: Invalid value: "integer": f in body must be of type boolean: "integer"'),
        ({"type": "number"}, 1, "x", 'f: Invalid value: "string": f in body must be of type number: "string"'),
        ({"type": "string"}, "x", None, 'f: Invalid value: "null": f in body must be of type string: "null"'),
        ({"type": "array"}, [], {}, 'f: Invalid value: "object": f in body must be of type array: "object"'),
        ({"minimum": 1}, 1, 0, "f: Invalid value: 0: f in body should be greater than or equal to 1"),
        ({"maximum": 9, "exclusiveMaximum": True}, 8, 9, "f: Invalid value: 9: f in body should be less than 9"),
        ({"minimum": 1, "exclusiveMinimum": True}, 2, 1, "f: Invalid value: 1: f in body should be greater than 1"),
        ({"multipleOf": 0.5}, 1.5, 0.3, "f: Invalid value: 0.3: f in body should be a multiple of 0.5"),
        ({"minLength": 2}, "ab", "a", 'f: Invalid value: "a": f in body should be at least 2 chars long'),
        ({"maxLength": 1}, "é", "ab", "f: Too long: may not be more than 1 bytes"),
        ({"pattern": "^[a-z]+$"}, "ab", "A", "f: Invalid value: \"A\": f in body should match '^[a-z]+$'"),
        ({"enum": ["x", 1]}, 1, "z", 'f: Unsupported value: "z": supported values: "x", "1"'),
        ({"enum": [1]}, 1, True, 'f: Unsupported value: true: supported values: "1"'),
        ({"minItems": 1}, [1], [], "f: Invalid value: 0: f in body should have at least 1 items"),
        ({"maxItems": 1}, [1], [1, 2], "f: Too many: 2: must have at most 1 item"),
        ({"minProperties": 1}, {"a": 1}, {}, "f: Invalid value: 0: f in body should have at least 1 properties"),
        ({"maxProperties": 1}, {"a": 1}, {"a": 1, "b": 2}, "f: Too many: 2: must have at most 1 item"),
        ({"required": ["a"]}, {"a": 1}, {}, "f.a: Required value"),
        ({"type": "string", "format": "date"}, "2001-02-28", "2001-02-30",
         'f: Invalid value: "2001-02-30": f in body must be of type date: "2001-02-30"'),
        ({"not": {"minimum": 3}}, 1, 3, '<nil>: Invalid value: "": "f" must not validate the schema (not)'),
    ],
)  # fmt: skip
def test_each_keyword(schema: dict[str, Any], good: Any, bad: Any, text: str) -> None:
    assert of(schema, good) == []
    assert of(schema, bad) == [text]


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("date-time", "2001-01-01T00:00:00Z", "2001-01-01"),
        ("duration", "1h30m", "soon"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "fe80::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "01:23:45:67:89:ab", "01:23"),
        ("hostname", "a.example", "-a"),
        ("hostname", "a-b", "my-host"),
        ("hostname", "my-host.example", "example.com."),
        ("hostname", "é.example", "example.c"),
        ("ipv4", "010.0.0.1", "::1"),
        ("ipv4", "::ffff:10.0.0.1", "10.0.0"),
        ("ipv6", "::ffff:10.0.0.1", "fe80::1%eth0"),
        ("cidr", "010.0.0.1/8", "10.0.0.0/33"),
        ("email", "a@example.com", "a"),
        ("email", "Jane Doe <jane@example.com>", "a..b@example.com"),
        ("uri", "https://example.com/x", "x y"),
        ("byte", "aGk=", "?"),
        ("hexcolor", "#aabbcc", "#aabb"),
        ("creditcard", "4111111111111111", "4111111111111112"),
        ("isbn", "978-3-16-148410-0", "978-3-16-148410-1"),
    ],
)
def test_formats(format: str, good: str, bad: str) -> None:
    schema = {"type": "string", "format": format}
    assert of(schema, good) == []
    assert of(schema, bad) == [f'f: Invalid value: "{bad}": f in body must be of type {format}: "{bad}"']


def test_unknown_formats_are_not_checked() -> None:
    assert of({"type": "string", "format": "poem"}, "x") == []


def test_numbers_that_do_not_fit_their_type() -> None:
    assert of({"type": "integer"}, 1.5) == [
        'f: Invalid value: "number": f in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in f',
    ]
    assert of({"type": "integer", "format": "int32"}, 2**40) == [
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f'
    ]


def test_int_or_string() -> None:
    schema = {"x-kubernetes-int-or-string": True}
    assert of(schema, 1) == of(schema, "50%") == []
    assert of(schema, 1.5) == ['f: Invalid value: "number": f in body must be of type integer,string: "number"']


def test_null_where_it_is_allowed() -> None:
    assert of({"type": "string", "nullable": True}, None) == []


def test_alternatives_tell_the_nearest() -> None:
    schema = {"oneOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"minimum": 3}}}]}
    assert of(schema, {"a": 1}) == []
    assert of(schema, {"a": 1, "b": 3}) == [
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]
    assert of(schema, {"b": 1})[0] == (
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found none valid'
    )
    assert of({"anyOf": [{"minimum": 3}, {"maximum": 1}]}, 2)[0] == (
        '<nil>: Invalid value: "": "f" must validate at least one schema (anyOf)'
    )
    assert of({"allOf": [{"minimum": 3}]}, 2)[-1] == (
        '<nil>: Invalid value: "": "f" must validate all the schemas (allOf). None validated'
    )


def test_items_and_free_keys_are_told_by_path() -> None:
    assert of({"items": {"type": "integer"}}, [1, "2"]) == [
        'f[1]: Invalid value: "string": f[1] in body must be of type integer: "string"'
    ]
    assert of({"additionalProperties": {"type": "string"}}, {"k": 1}) == [
        'f.k: Invalid value: "integer": f.k in body must be of type string: "integer"'
    ]


class TestRatcheting:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "maximum": 10},
            "b": {"type": "string"},
            "l": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"maximum": 1}}},
            },
            "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"maximum": 1}},
        },
    }

    def test_what_did_not_change_passes(self) -> None:
        assert texts(self.schema, {"a": 50, "b": "y"}, old={"a": 50, "b": "x"}) == []
        assert texts(self.schema, {"a": 60}, old={"a": 50}) != []

    def test_items_go_back_to_those_with_their_key(self) -> None:
        old = {"l": [{"k": "x", "v": 5}]}
        assert texts(self.schema, {"l": [{"k": "n", "v": 1}, {"k": "x", "v": 5}]}, old=old) == []
        assert texts(self.schema, {"l": [{"k": "n", "v": 5}]}, old=old) != []

    def test_items_of_sets_do_not_go_back(self) -> None:
        assert texts(self.schema, {"s": [5, 1]}, old={"s": [5]}) != []


def test_many_problems_take_time_that_grows_with_their_number() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    began = time.process_time()
    assert len(of(schema, ["x"] * 20_000)) == 20_000
    assert time.process_time() - began < 5.0


def test_a_pattern_that_would_backtrack_takes_no_time() -> None:
    assert of({"pattern": "^(a+)+$"}, "a" * 50_000 + "b") != []


@pytest.mark.parametrize(
    ("value", "allowed", "held"),
    [(1, [1.0], True), (1.5, [1], True), (1.5, [2], False), (True, [1], False), ("1", [1], False), (2, [2.5], False)],
)
def test_numbers_in_enumerations(value: Any, allowed: list[Any], held: bool) -> None:
    assert (not value_errors({"enum": allowed}, value, "a")) is held


def test_bounds_beside_floats_are_floats() -> None:
    schema = {"type": "number", "maximum": 1000000, "multipleOf": 2000000}
    assert texts(schema, 1500000.5, path="a") == [
        "a: Invalid value: 1.5000005e+06:  in body should be a multiple of 2e+06",
        "a: Invalid value: 1.5000005e+06:  in body should be less than or equal to 1e+06",
    ]
    assert texts({"type": "number", "maximum": 1000000}, 1500000, path="a") == [
        "a: Invalid value: 1500000:  in body should be less than or equal to 1000000"
    ]
