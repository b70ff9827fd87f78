"""Validation rules of custom resources: what a definition's rules must be, and what they find."""

from typing import Any

import pytest

from kubeactors.api import allowance
from kubeactors.api.allowance import TakesLongError
from kubeactors.api.customresources.rule_checks import schema_errors
from kubeactors.api.customresources.rule_evaluation import RuleSet
from kubeactors.api.customresources.rules import KEY
from kubeactors.api.customresources.schema_rules import schema_errors as definition_errors
from kubeactors.api.customresources.structural import structural

ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)


def schema(spec: dict[str, Any], *rules: str | dict[str, Any]) -> dict[str, Any]:
    made = {**spec, "x-kubernetes-validations": [{"rule": r} if isinstance(r, str) else r for r in rules]}
    return {"type": "object", "properties": {"spec": made}}


def properties(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def found(root: dict[str, Any], spec: Any, old: Any = None) -> list[str]:
    """What the rules find wrong with an object of that spec."""
    before = None if old is None else {"apiVersion": "v1", "kind": "K", "spec": old}
    errors, _ = RuleSet(structural(root)).evaluate({"apiVersion": "v1", "kind": "K", "spec": spec}, before)
    return [str(error) for error in errors]


def checked(root: dict[str, Any]) -> list[str]:
    return [str(error) for error in schema_errors(root, "s")]


INTEGER, TEXT, SHORT = {"type": "integer"}, {"type": "string"}, {"type": "string", "maxLength": 10}
RANGE = properties(min=INTEGER, max=INTEGER)


def test_rule_holds_or_not() -> None:
    root = schema(RANGE, "self.min <= self.max")
    assert found(root, {"min": 1, "max": 2}) == []
    assert found(root, {"min": 3, "max": 2}) == ["spec: Invalid value: failed rule: self.min <= self.max"]


def test_scalars_are_shown() -> None:
    root = properties(spec={**TEXT, "x-kubernetes-validations": [{"rule": "self != 'x'", "message": " no x "}]})
    assert found(root, "x") == ['spec: Invalid value: "x": no x']


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"message": "M", "fieldPath": ".min"}, "spec.min: Invalid value: M"),
        ({"reason": "FieldValueForbidden"}, "spec: Forbidden: failed rule: self.min < self.max"),
        ({"reason": "FieldValueRequired", "message": "M"}, "spec: Required value: M"),
        ({"reason": "FieldValueDuplicate", "message": "M"}, "spec: Duplicate value"),
        ({"messageExpression": "'min ' + string(self.min)", "message": "M"}, "spec: Invalid value: min 3"),
        ({"messageExpression": "string(1 / (self.min - 3))", "message": "M"}, "spec: Invalid value: M"),
        ({"messageExpression": "'a\\nb'", "message": "M"}, "spec: Invalid value: M"),
    ],
)
def test_message_reason_and_path(rule: dict[str, Any], error: str) -> None:
    assert found(schema(RANGE, {"rule": "self.min < self.max", **rule}), {"min": 3, "max": 2}) == [error]


def test_failed_evaluation() -> None:
    root = schema(RANGE, {"rule": "self.min <= self.max", "message": "M"}, "self.max < 100")
    assert found(root, {"min": 3}) == [
        'spec: Invalid value: "object": no such key: max evaluating rule: M',
        'spec: Invalid value: "object": no such key: max evaluating rule: self.max < 100',
    ]


def test_int_or_string_is_dynamic() -> None:
    root = schema(properties(port={"x-kubernetes-int-or-string": True}), "type(self.port) == int || self.port < 'b'")
    assert checked(root) == []
    assert found(root, {"port": 5}) == [] and found(root, {"port": "a"}) == []
    broken = schema(properties(port={"x-kubernetes-int-or-string": True}), "self.port + 1 > 2")
    assert found(broken, {"port": "a"}) == [
        "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a "
        "supported operator, function "
        "or macro signature for rule: self.port + 1 > 2"
    ]


def test_transition_rules() -> None:
    root = schema(RANGE, {"rule": "self.min >= oldSelf.min", "message": "M"})
    assert found(root, {"min": 1}) == []
    assert found(root, {"min": 1}, {"min": 1}) == []
    assert found(root, {"min": 1}, {"min": 2}) == ["spec: Invalid value: M"]


def test_optional_old_self() -> None:
    rule = {"rule": "oldSelf.hasValue() ? self.min == oldSelf.value().min : self.min == 1", "optionalOldSelf": True}
    root = schema(RANGE, {**rule, "message": "M"})
    assert found(root, {"min": 2}) == ["spec: Invalid value: M"]
    assert found(root, {"min": 2}, {"min": 2}) == []


def test_items_are_correlated_by_their_keys() -> None:
    item = properties(name=TEXT, size=INTEGER)
    item["x-kubernetes-validations"] = [{"rule": "self.size >= oldSelf.size", "message": "M"}]
    items = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    root = properties(spec=properties(items=items))
    old = {"items": [{"name": "a", "size": 2}, {"name": "b", "size": 1}]}
    assert (
        found(root, {"items": [{"name": "b", "size": 1}, {"name": "a", "size": 2}, {"name": "c", "size": 0}]}, old)
        == []
    )
    assert found(root, {"items": [{"name": "b", "size": 0}]}, old) == ["spec.items[0]: Invalid value: M"]


def test_what_did_not_change_is_let_through() -> None:
    inner = {**RANGE, "x-kubernetes-validations": [{"rule": "self.min < self.max", "message": "M"}]}
    root = properties(spec=properties(inner=inner, other=INTEGER))
    old = {"inner": {"min": 2, "max": 1}, "other": 1}
    assert found(root, {"inner": {"min": 2, "max": 1}, "other": 2}, old) == []
    assert found(root, {"inner": {"min": 3, "max": 1}, "other": 2}, old) == ["spec.inner: Invalid value: M"]


def test_what_did_not_change_is_warned_of() -> None:
    root = structural(schema(RANGE, {"rule": "self.min < self.max", "message": "M"}))
    old = {"metadata": {"labels": {}}, "spec": {"min": 2, "max": 1}}
    errors, warnings = RuleSet(root).evaluate({**old, "metadata": {"labels": {"a": "b"}}}, old)
    assert (errors, [str(each) for each in warnings]) == ([], ["spec: Invalid value: M"])


def test_defaults_must_satisfy_rules() -> None:
    field = {**INTEGER, "default": 3, "x-kubernetes-validations": [{"rule": "self > 5", "message": "M"}]}
    found = definition_errors(properties(spec=properties(f=field)), "s", status=False)
    assert [str(error) for error in found] == ["s.properties[spec].properties[f].default: Invalid value: 3: M"]


def test_rules_beside_other_errors_are_checked() -> None:
    broken = {**TEXT, "x-kubernetes-preserve-unknown-fields": False}
    first = {**properties(f=broken), "x-kubernetes-validations": [{"rule": "self.zz"}]}
    second = {**properties(f=TEXT), "x-kubernetes-validations": [{"rule": "self.zz"}]}
    found = [error.field for error in definition_errors(properties(first=first, second=second), "s", status=False)]
    assert found == [
        "s.properties[first].properties[f].x-kubernetes-preserve-unknown-fields",
        "s.properties[second].x-kubernetes-validations[0].rule",
    ]


def test_values_of_maps() -> None:
    values = {**SHORT, "x-kubernetes-validations": [{"rule": "self != 'x'", "message": "M"}]}
    root = properties(spec={"type": "object", "additionalProperties": values})
    assert found(root, {"a": "y", "b": "x"}) == ['spec[b]: Invalid value: "x": M']


@pytest.mark.parametrize(
    ("field", "raw", "rule"),
    [
        (
            {"type": "string", "format": "date-time"},
            "2024-01-01T00:00:00Z",
            "self.f < timestamp('2025-01-01T00:00:00Z')",
        ),
        ({"type": "string", "format": "date"}, "2024-01-01", "self.f.getFullYear() == 2024"),
        ({"type": "string", "format": "duration"}, "90s", "self.f > duration('1m')"),
        ({"type": "string", "format": "byte"}, "aGk=", "self.f == b'hi'"),
        ({"type": "number"}, 1, "self.f == 1.0"),
        ({"type": "string", "nullable": True}, None, "!has(self.f)"),
        ({"type": "array", "items": {"type": "string", "nullable": True}}, [None], "type(self.f[0]) == null_type"),
        (
            {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
            ["a", "b"],
            "self.f == ['b', 'a'] && (self.f + ['a', 'c']).size() == 3",
        ),
        ({"type": "array", "items": TEXT}, ["a", "b"], "self.f != ['b', 'a'] && self.f + ['c'] == ['a', 'b', 'c']"),
        (
            {"type": "object", "additionalProperties": INTEGER},
            {"a": 1},
            "self.f.a == 1 && 'a' in self.f && size(self.f) == 1",
        ),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"a": 1}, "has(self.f)"),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
            "self.f.kind == 'Pod' && self.f.metadata.name.startsWith('p')",
        ),
    ],
)
def test_values_of_types(field: dict[str, Any], raw: Any, rule: str) -> None:
    root = schema(properties(f=field), rule)
    assert checked(root) == []
    assert found(root, {"f": raw}) == []


def test_escaped_names() -> None:
    fields = {name: INTEGER for name in ("a-b", "a.b", "a/b", "a__b", "namespace", "in")}
    first = "self.a__dash__b + self.a__dot__b + self.a__slash__b"
    root = schema(properties(**fields), f"{first} + self.a__underscores__b + self.__namespace__ + self.__in__ == 6")
    assert checked(root) == []
    assert found(root, dict.fromkeys(fields, 1)) == []


def test_root_sees_names() -> None:
    root = {"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.name == 'a'", "message": "M"}]}
    rules = RuleSet(structural(root))
    assert checked(root) == []
    assert rules.evaluate({"metadata": {"name": "a"}})[0] == []
    assert [str(error) for error in rules.evaluate({"metadata": {"name": "b"}})[0]] == ["<nil>: Invalid value: M"]


def test_compile_errors() -> None:
    shown = '{"Rule":"self.zz","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}'
    assert checked(schema(RANGE, "self.zz")) == [
        f"s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {shown}: compilation "
        f"failed: ERROR: <input>:1:5: "
        "undefined field 'zz'\n | self.zz\n | ....^"
    ]
    assert checked(schema(RANGE, "self.min"))[0].endswith("cel expression must evaluate to a bool")
    message = {"rule": "true", "messageExpression": "5"}
    assert checked(schema(RANGE, message))[0].endswith("messageExpression must evaluate to a string")


def test_values_without_a_schema_are_not_seen() -> None:
    hidden = {"x-kubernetes-preserve-unknown-fields": True}
    assert "undefined field 'f'" in checked(schema(properties(f=hidden), "has(self.f)"))[0]


def test_old_self_needs_correlation() -> None:
    item = {**SHORT, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    root = properties(spec=properties(items={"type": "array", "maxItems": 5, "items": item}))
    assert checked(root) == [
        "s.properties[spec].properties[items].items.x-kubernetes-validations[0].rule: Invalid value: "
        '"self == oldSelf": '
        "oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[spec].properties[items]"
    ]
    assert checked(schema(RANGE, {"rule": "true", "optionalOldSelf": True}))[0].endswith(
        "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"
    )


@pytest.mark.parametrize(
    ("spec", "rule", "factor"),
    [
        (properties(a={"type": "array", "items": TEXT}), "self.a.all(x, self.a.all(y, x == y))", "more than 100x"),
        (properties(a={"type": "array", "items": TEXT, "maxItems": 100}), "self.a.all(x, x.contains('a'))", "3.1x"),
        (properties(a={"type": "array", "items": SHORT, "maxItems": 100}), "self.a.all(x, x.contains('a'))", ""),
        (properties(a=TEXT), "self.a.matches('^a*$')", ""),
        (properties(a=TEXT, b=TEXT), "self.a.contains(self.b)", "more than 100x"),
    ],
)
def test_costs(spec: dict[str, Any], rule: str, factor: str) -> None:
    errors = checked(schema(spec, rule))
    if not factor:
        assert errors == []
        return
    assert errors[0] == (
        f"s.properties[spec].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds "
        f"budget by factor of "
        f"{factor} {ADVICE}"
    )


def test_cost_of_all_rules() -> None:
    item = {**SHORT, "x-kubernetes-validations": [{"rule": "self == 'a'"}] * 60}
    errors = checked(properties(spec={"type": "array", "items": item}))
    where = "s.properties[spec].items.x-kubernetes-validations"
    told = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
    assert errors[0] == f"{where}[0].rule: Forbidden: {told}"
    assert errors[-1].startswith(
        "s: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 "
        "schema exceeds budget by factor of "
    )


def test_a_write_has_a_budget() -> None:
    item = {**TEXT, "x-kubernetes-validations": [{"rule": "self.matches('^(a|b)*$')"}]}
    root = properties(spec={"type": "array", "items": item})
    assert found(root, ["a" * 100_000] * 500)[-1].endswith(
        "validation failed due to running out of cost budget, no further validation rules will be run"
    )


def test_an_evaluation_has_a_limit() -> None:
    root = schema(
        properties(a={"type": "array", "items": INTEGER}), {"rule": "self.a.all(x, self.a.all(y, x + y >= 0))"}
    )
    assert found(root, {"a": list(range(1000))}) == [
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no "
        "further validation rules will "
        "be run due to call cost exceeds limit for rule: self.a.all(x, self.a.all(y, x + y >= 0))"
    ]


def test_rules_that_take_long_are_compiled_and_evaluated_elsewhere() -> None:
    loop = "self.l.all(x, self.l.all(y, x + y >= 0))"
    numbers = {"type": "array", "items": {"type": "integer"}}
    rules = RuleSet(structural({"type": "object", "properties": {"l": numbers}, KEY: [{"rule": loop}]}))
    few, many = {"l": [1, 2]}, {"l": list(range(100))}
    with allowance.limited(5000):
        assert rules.evaluate(few) == ([], [])
        with pytest.raises(TakesLongError):
            rules.evaluate(many)
    assert rules.evaluate(many) == ([], [])


def test_rules_are_compiled_when_they_are_needed_and_once() -> None:
    texts = [{"rule": f"self.a != '{'x' * n}'"} for n in range(300)]
    schema = structural({"type": "object", "properties": {"a": {"type": "string"}}, KEY: texts})
    with allowance.limited(5000):
        rules = RuleSet(schema)
        with pytest.raises(TakesLongError):
            rules.evaluate({"a": "y"})
    assert rules.evaluate({"a": "y"}) == ([], [])
    with allowance.limited(5000):
        assert rules.evaluate({"a": "y"}) == ([], [])


def test_messages_of_optional_old_self_see_it_as_it_is() -> None:
    rule = {"rule": "self.min >= oldSelf.orValue(self).min", "optionalOldSelf": True}
    values = {"min": 1}, {"min": 3}
    assert found(schema(RANGE, {**rule, "messageExpression": "'was ' + string(oldSelf.value().min)"}), *values) == [
        f"spec: Invalid value: failed rule: {rule['rule']}"
    ]


def test_fields_of_atomic_maps_are_correlated() -> None:
    inner = {**TEXT, KEY: [{"rule": "self == oldSelf", "message": "fixed"}]}
    root = schema({**properties(a=inner), "x-kubernetes-map-type": "atomic"})
    assert checked(root) == []
    assert found(root, {"a": "x"}, {"a": "y"}) == ['spec.a: Invalid value: "x": fixed']


def test_items_of_plain_lists_are_ratcheted_by_their_places() -> None:
    item = {**TEXT, KEY: [{"rule": "self != 'bad'", "message": "bad"}]}
    root = schema(properties(l={"type": "array", "items": item}))
    assert found(root, {"l": ["bad", "new"]}, {"l": ["bad"]}) == []
    assert found(root, {"l": ["new", "bad"]}, {"l": ["bad"]}) == ['spec.l[1]: Invalid value: "bad": bad']
    root["properties"]["spec"]["properties"]["l"]["x-kubernetes-list-type"] = "atomic"
    assert found(root, {"l": ["bad", "new"]}, {"l": ["bad"]}) == ['spec.l[0]: Invalid value: "bad": bad']


def test_sums_of_sets_and_maps_are_such() -> None:
    item = properties(k=TEXT, v=TEXT)
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "type": "array", "items": item}
    unique = {"x-kubernetes-list-type": "set", "type": "array", "items": TEXT}
    lists = {"type": "array", "items": keyed}
    rule = "self.l[0] + self.l[1] == self.l[1] && self.s + self.t == self.t"
    one, other, third = {"k": "x", "v": "1"}, {"k": "y", "v": "2"}, {"k": "y", "v": "3"}
    spec = {"l": [[one, other], [third, one]], "s": ["a"], "t": ["b", "a"]}
    assert found(schema(properties(l=lists, s=unique, t=unique), rule), spec) == []
