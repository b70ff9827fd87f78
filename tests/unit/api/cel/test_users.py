"""Expressions in built-in kinds: what they may name and must give."""

from typing import Any

import pytest

from kubeactors.api.cel import types
from kubeactors.api.cel.admission import Scope
from kubeactors.api.cel.source import CompileError
from kubeactors.api.validation.admission.expressions import match_conditions_errors
from kubeactors.api.validation.admission.policies import mutating_policy_errors, validating_policy_errors
from kubeactors.api.validation.resource.common import selectors_errors

RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "*"}
MATCH = {"resourceRules": [RULE], "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"failurePolicy": "Fail", "matchConstraints": MATCH, **spec}}


def validating(**spec: Any) -> list[str]:
    return [str(error).split("\n")[0] for error in validating_policy_errors(policy(**spec))]


def mutating(expression: str, kind: str = "ApplyConfiguration", **spec: Any) -> list[str]:
    field = kind[0].lower() + kind[1:] if kind != "JSONPatch" else "jsonPatch"
    made = {"patchType": kind, field: {"expression": expression}}
    errors = mutating_policy_errors(policy(mutations=[made], reinvocationPolicy="Never", **spec))
    return [str(error).split("\n")[0].removeprefix(f"spec.mutations[0].{field}.expression: ") for error in errors]


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas <= 5",
        "oldObject == null || object.metadata.name == oldObject.metadata.name",
        "request.operation == 'CREATE' && 'admin' in request.userInfo.groups",
        "namespaceObject.metadata.labels['env'] == 'prod'",
        "authorizer.group('').resource('pods').namespace('n').check('create').allowed()",
        "authorizer.requestResource.check('create').allowed()",
        "authorizer.serviceAccount('n', 's').path('/healthz').check('get').reason() == ''",
        "has(object.spec.x) ? quantity(object.spec.x).isLessThan(quantity('1Gi')) : true",
    ],
)
def test_what_a_validation_may_name(expression: str) -> None:
    assert validating(validations=[{"expression": expression}]) == []


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"validations": [{"expression": "params.x == 1"}]}, "undeclared reference to 'params' (in container '')"),
        ({"validations": [{"expression": "variables.x"}]}, "undeclared reference to 'variables' (in container '')"),
        ({"validations": [{"expression": "request.zz == ''"}]}, "undefined field 'zz'"),
        ({"validations": [{"expression": "object.x"}]}, "must evaluate to bool but got dyn"),
        ({"validations": [{"expression": "[1]"}]}, "must evaluate to bool but got list(int)"),
        (
            {"validations": [{"expression": "true", "messageExpression": "null"}]},
            "must evaluate to string but got null_type",
        ),
        (
            {"validations": [{"expression": "true", "messageExpression": "authorizer.x"}]},
            "undeclared reference to 'authorizer' (in container '')",
        ),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "5"}]},
            "must evaluate to one of [string null_type] but got int",
        ),
        (
            {
                "variables": [{"name": "a", "expression": "1"}, {"name": "b", "expression": "variables.a + 'x'"}],
                "validations": [{"expression": "true"}],
            },
            "found no matching overload for '_+_' applied to '(int, string)'",
        ),
        (
            {
                "variables": [{"name": "a", "expression": "1"}],
                "matchConditions": [{"name": "m", "expression": "variables.a == 1"}],
                "validations": [{"expression": "variables.a == 1"}],
            },
            "undeclared reference to 'variables' (in container '')",
        ),
    ],
)  # fmt: skip
def test_what_a_policy_refuses(spec: dict[str, Any], error: str) -> None:
    (found,) = validating(**spec)
    assert found.endswith(error)


def test_parameters_and_variables() -> None:
    assert validating(
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        variables=[
            {"name": "limit", "expression": "int(params.data.limit)"},
            {"name": "ok", "expression": "variables.limit > 3"},
        ],
        matchConditions=[{"name": "m", "expression": "params.data.on == 'true'"}],
        validations=[{"expression": "variables.ok", "messageExpression": "string(variables.limit)"}],
        auditAnnotations=[{"key": "k", "valueExpression": "variables.ok ? 'yes' : null"}],
    ) == [
        "spec.auditAnnotations[0].valueExpression: Invalid value: \"variables.ok ? 'yes' : null\": compilation failed: "
        "ERROR: <input>:1:14: found no matching overload for '_?_:_' applied to '(bool, string, null)'"
    ]


@pytest.mark.parametrize(
    ("expression", "kind", "errors"),
    [
        ("Object{spec: Object.spec{replicas: 1, template: Object.spec.template{}}}", "ApplyConfiguration", []),
        ("true", "ApplyConfiguration", ['Invalid value: "true": must evaluate to Object but got bool']),
        (
            "Object.spec{}",
            "ApplyConfiguration",
            ['Invalid value: "Object.spec{}": must evaluate to Object but got Object.spec'],
        ),
        ("[JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey('b/c'), value: {'x': 1}}]", "JSONPatch", []),
        (
            "[JSONPatch{op: 1}]",
            "JSONPatch",
            [
                'Invalid value: "[JSONPatch{op: 1}]": compilation failed: ERROR: <input>:1:14: expected type of field '
                "'op' is 'string' but provided type is 'int'"
            ],
        ),
        ("[]", "JSONPatch", ['Invalid value: "[]": must evaluate to list(JSONPatch) but got list(dyn)']),
    ],
)  # fmt: skip
def test_mutations(expression: str, kind: str, errors: list[str]) -> None:
    assert mutating(expression, kind) == errors


def test_match_conditions_are_trimmed() -> None:
    errors = match_conditions_errors([{"name": "m", "expression": "  'a' "}], "m")
    assert [str(error) for error in errors] == [
        "m[0].expression: Invalid value: \"'a'\": must evaluate to bool but got string"
    ]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("device.driver == 'd.example.com' && device.attributes['d.example.com'].cores > 3", ""),
        ("device.capacity['d.example.com'].memory.compareTo(quantity('1Gi')) >= 0", ""),
        ("cel.bind(a, device.attributes['d'], a.x == a.y)", ""),
        ("device.attributes['d'].version.isGreaterThan(semver('1.0.0'))", ""),
        ("device.attributes['d'].ready", ""),
        ("'a'", "Invalid value: \"'a'\": must evaluate to bool or the unknown type, not string"),
        ("device.zz", "Invalid value: \"device.zz\": compilation failed: ERROR: <input>:1:7: undefined field 'zz'"),
        (
            "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.capacity.all(d, a < b))))",  # noqa: E501
            "Forbidden: too complex, exceeds cost limit",
        ),
    ],
)
def test_selectors_of_devices(expression: str, error: str) -> None:
    errors = [str(each).split("\n")[0] for each in selectors_errors([{"cel": {"expression": expression}}], "s")]
    assert errors == ([f"s[0].cel.expression: {error}"] if error else [])


def test_a_policy_runs() -> None:
    """Values come in the order of the program's variables."""
    scope = Scope(params=False, composed=True)
    scope.add("replicas", types.INT)
    program = scope.compile("variables.replicas > 1 && object.metadata.name == request.name")
    values = {
        "variables": {"replicas": 2},
        "object": {"metadata": {"name": "a"}},
        "request": {"name": "a"},
    }
    assert program.evaluate([values.get(name) for name in program.variables])[0] is True
    with pytest.raises(CompileError):
        scope.compile("variables.other")
