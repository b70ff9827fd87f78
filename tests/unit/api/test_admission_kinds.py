"""Webhook configurations and admission policies: what is filled in, refused and shown."""

from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from tests.support.api_samples import NOW, completed, create_errors, update_errors, updated

RULE: dict[str, Any] = {
    "apiGroups": ["g.example.com"],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["widgets"],
}
HOOK: dict[str, Any] = {
    "name": "a.example.com",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "clientConfig": {"url": "https://hook.example/x"},
    "rules": [RULE],
}


def hooks(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "webhooks": [{**HOOK, **change} for change in changes or ({},)]}


def validating(**spec: Any) -> dict[str, Any]:
    made = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}], **spec}
    return {"metadata": {"name": "p"}, "spec": made}


def mutating(**spec: Any) -> dict[str, Any]:
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'remove', path: '/spec'}]"}}
    made = {
        "matchConstraints": {"resourceRules": [RULE]},
        "mutations": [mutation],
        "reinvocationPolicy": "Never",
        **spec,
    }
    return {"metadata": {"name": "p"}, "spec": made}


def bound(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **spec}}


def test_what_a_webhook_is_given() -> None:
    made = completed(
        "mutatingwebhookconfigurations", hooks({"clientConfig": {"service": {"namespace": "n", "name": "s"}}})
    )
    assert made["webhooks"][0] == {
        **HOOK,
        "clientConfig": {"service": {"namespace": "n", "name": "s", "port": 443}},
        "rules": [{**RULE, "scope": "*"}],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
        "reinvocationPolicy": "Never",
    }
    assert "reinvocationPolicy" not in completed("validatingwebhookconfigurations", hooks())["webhooks"][0]


def test_what_a_policy_is_given() -> None:
    made = completed("validatingadmissionpolicies", validating())
    assert made["spec"]["failurePolicy"] == "Fail"
    assert made["spec"]["matchConstraints"] == {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [{**RULE, "scope": "*"}],
    }
    assert made["status"] == {}
    assert "status" not in completed("mutatingadmissionpolicies", mutating())


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ([{}], []),
        (
            [{"name": "a.b", "sideEffects": "Some", "timeoutSeconds": 0, "failurePolicy": "X", "matchPolicy": "Y"}],
            [
                'name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
                'failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
                'matchPolicy: Unsupported value: "Y": supported values: "Equivalent", "Exact"',
                'sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
                "timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds",
            ],
        ),
        (
            [{"clientConfig": {"url": "https://u@h.example/x#f"}, "admissionReviewVersions": ["v2", "v2", "V"]}],
            [
                'clientConfig.url: Invalid value: "u": user information is not permitted in the URL',
                'clientConfig.url: Invalid value: "f": fragments are not permitted in the URL',
                'admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
                'admissionReviewVersions[2]: Invalid value: "V": a DNS-1035 label must consist of lower case '
                "alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric "
                "character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
                'admissionReviewVersions: Invalid value: ["v2","v2","V"]: must include at least one of v1, v1beta1',
            ],
        ),
        (
            [{"clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/a//b"}}}],
            ['clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty'],
        ),
        (
            [{"rules": [{**RULE, "operations": ["*", "CREATE"], "apiGroups": [], "scope": "X"}]}],
            [
                'rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify '
                "other operations",
                "rules[0].apiGroups: Required value",
                'rules[0].scope: Unsupported value: "X": supported values: "*", "Cluster", "Namespaced"',
            ],
        ),
        (
            [{"rules": [{**RULE, "resources": ["pods/*", "pods/log", "*/x", "a/x", "*", "b", ""]}]}],
            [
                "rules[0].resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log",
                "rules[0].resources[3]: Invalid value: \"a/x\": if '*/x' is present, must not specify a/x",
                "rules[0].resources[6]: Required value",
                'rules[0].resources: Invalid value: ["pods/*","pods/log","*/x","a/x","*","b",""]: if \'*\' is present, '
                "must not specify other resources without subresources",
            ],
        ),
        (
            [{"matchConditions": [{"name": "m", "expression": " "}, {"name": "m", "expression": "true"}]}],
            [
                "matchConditions[0].expression: Required value",
                'matchConditions[1].name: Duplicate value: "m"',
            ],
        ),
    ],
)
def test_what_a_webhook_refuses(changes: list[dict[str, Any]], errors: list[str]) -> None:
    assert create_errors("validatingwebhookconfigurations", hooks(*changes)) == [f"webhooks[0].{e}" for e in errors]


def test_names_of_webhooks_are_unique() -> None:
    assert create_errors("mutatingwebhookconfigurations", hooks({}, {})) == [
        'webhooks[1].name: Duplicate value: "a.example.com"'
    ]


def test_what_was_wrong_before_may_stay() -> None:
    kind = registry.lookup("validatingwebhookconfigurations")
    old = completed("validatingwebhookconfigurations", hooks({"sideEffects": "Some"}, {"sideEffects": "Unknown"}))
    assert update_errors(kind.plural, old, copy(old)) == []
    new = copy(old)
    new["webhooks"][0]["sideEffects"] = "X"
    assert update_errors(kind.plural, old, new) == [
        'webhooks[0].sideEffects: Unsupported value: "X": supported values: "None", "NoneOnDryRun", "Some", "Unknown"'
    ]


@pytest.mark.parametrize(
    ("resource", "obj", "errors"),
    [
        ("validatingadmissionpolicies", validating(), []),
        (
            "validatingadmissionpolicies",
            validating(paramKind={"apiVersion": "a/b/c", "kind": "K_"}),
            [
                'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
                'spec.paramKind.kind: Invalid value: "K_": may have mixed case, but should otherwise match: a DNS-1035 '
                "label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
                "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
                "'[a-z]([-a-z0-9]*[a-z0-9])?')",
            ],
        ),
        (
            "validatingadmissionpolicies",
            validating(
                variables=[{"name": "for", "expression": "1"}, {"name": "", "expression": ""}],
                validations=[{"expression": "true", "messageExpression": " ", "message": "\t"}],
            ),
            [
                'spec.variables[0].name: Invalid value: "for": must be a valid CEL identifier',
                "spec.variables[1].name: Required value: name is not specified",
                "spec.variables[1].expression: Required value: expression is not specified",
                'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
                'spec.validations[0].message: Invalid value: "\\t": must be non-empty if specified',
            ],
        ),
        (
            "validatingadmissionpolicies",
            validating(auditAnnotations=[{"key": "k", "valueExpression": ""}, {"key": "k", "valueExpression": "'a'"}]),
            [
                "spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified",
                'spec.auditAnnotations[1].key: Duplicate value: "k"',
            ],
        ),
        ("mutatingadmissionpolicies", mutating(), []),
        (
            "mutatingadmissionpolicies",
            {"metadata": {"name": "p"}, "spec": {}},
            [
                "spec.matchConstraints: Required value",
                "spec.mutations: Required value: mutations must contain at least one item",
                "spec.reinvocationPolicy: Required value",
            ],
        ),
        (
            "mutatingadmissionpolicies",
            mutating(
                matchConstraints={"resourceRules": [{**RULE, "operations": ["DELETE"]}]},
                mutations=[{"patchType": "JSONPatch", "applyConfiguration": {"expression": "Object{}"}}],
            ),
            [
                'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", '
                '"CONNECT", "CREATE", "UPDATE"',
                "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
                'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified '
                "when patchType is JSONPatch",
            ],
        ),
        (
            "validatingadmissionpolicybindings",
            bound(
                paramRef={"name": "n", "selector": {}, "parameterNotFoundAction": "X"},
                matchResources={"resourceRules": [{**RULE, "resourceNames": ["a", "a/b", "a"]}]},
            ),
            [
                "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
                "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
                'spec.paramRef.parameterNotFoundAction: Unsupported value: "X": supported values: "Deny", "Allow"',
                "spec.matchResources.resourceRules[0].resourceNames[1]: Invalid value: \"a/b\": may not contain '/'",
                'spec.matchResources.resourceRules[0].resourceNames[2]: Duplicate value: "a"',
            ],
        ),
        (
            "mutatingadmissionpolicybindings",
            {
                "metadata": {"name": "b"},
                "spec": {"matchResources": {"resourceRules": [{**RULE, "operations": ["DELETE"]}]}},
            },
            [
                "spec.policyName: Required value",
                'spec.matchResources.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", '
                '"CONNECT", "CREATE", "UPDATE"',
            ],
        ),
    ],
)
def test_what_a_policy_refuses(resource: str, obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(resource, obj) == errors


def test_literals_that_can_never_be_used_are_an_internal_error() -> None:
    policy = validating(
        variables=[{"name": "x", "expression": "int('x')"}],
        validations=[{"expression": "bool('maybe')"}],
        auditAnnotations=[{"key": "a", "valueExpression": " string(uint(-1)) "}],
    )
    told = "Internal error: program instantiation failed:"
    assert create_errors("validatingadmissionpolicies", policy) == [
        f"spec.variables[0].expression: {told} type conversion error from 'string' to 'int'",
        f"spec.validations[0].expression: {told} type conversion error from 'string' to 'bool'",
        f"spec.auditAnnotations[0].valueExpression: {told} unsigned integer overflow",
    ]


def test_the_status_of_a_policy() -> None:
    kind = registry.lookup("validatingadmissionpolicies")
    old = completed(kind.plural, validating())
    new = copy(old)
    new["metadata"]["labels"] = {"a": "b"}
    new["status"] = {"typeChecking": {"expressionWarnings": [{"fieldRef": "spec.x", "warning": ""}]}}
    assert update_errors(kind.plural, old, new, "status") == [
        "status.typeChecking.expressionWarnings[0].warning: Required value"
    ]
    assert "labels" not in updated(kind, old, new, "status")["metadata"]


def test_cells() -> None:
    def cells(resource: str, obj: dict[str, Any]) -> list[Any]:
        return table.cells(registry.lookup(resource), completed(resource, obj), NOW)

    assert cells("validatingwebhookconfigurations", hooks({}, {})) == ["w", 2, "0s"]
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert cells("validatingadmissionpolicies", validating(paramKind=kind)) == ["p", 1, "v1/ConfigMap", "0s"]
    assert cells("mutatingadmissionpolicies", mutating()) == ["p", 1, "<unset>", "0s"]
    assert cells("validatingadmissionpolicybindings", bound()) == ["b", "p", "<unset>", "0s"]
    ref: dict[str, Any] = {"name": "x"}
    assert cells("mutatingadmissionpolicybindings", bound(paramRef=ref))[2] == "*/x"
    ref = {"selector": {"matchLabels": {"a": "b"}}}
    assert cells("validatingadmissionpolicybindings", bound(paramRef=ref))[2] == (
        "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}"
    )
