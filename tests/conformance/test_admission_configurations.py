"""Configurations of webhooks and policies: kept and validated."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.clients import Http
from tests.conformance.registry import behaviour
from tests.conformance.samples import WEBHOOK

GROUP = "/apis/admissionregistration.k8s.io/v1"
CONDITIONS = [
    {"name": "exclude-leases", "expression": "!(request.resource.group == 'coordination.k8s.io')"},
    {"name": "exclude-kubelet", "expression": "!request.userInfo.groups.exists(g, g == 'system:nodes')"},
    {
        "name": "same-owner",
        "expression": "object.metadata.namespace == request.namespace || authorizer.group('').resource('pods').check('get').allowed()",
    },
]


def _configuration(name: str, conditions: list[dict[str, str]]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "webhooks": [{**WEBHOOK, "matchConditions": conditions}]}


@behaviour(
    "[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update validating webhook configurations with match conditions"
)
@pytest.mark.parametrize("plural", ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"])
def test_match_conditions_are_kept(http: Http, namespace: str, plural: str) -> None:
    """Should be able to create and update mutating webhook configurations with match conditions, too."""
    made = http.ok("POST", f"{GROUP}/{plural}", _configuration(namespace, CONDITIONS[:1]))
    assert made["webhooks"][0]["matchConditions"] == CONDITIONS[:1]
    made["webhooks"][0]["matchConditions"] = CONDITIONS
    http.ok("PUT", f"{GROUP}/{plural}/{namespace}", made)
    read = http.ok("GET", f"{GROUP}/{plural}/{namespace}")
    assert read["webhooks"][0]["matchConditions"] == CONDITIONS
    http.ok("DELETE", f"{GROUP}/{plural}/{namespace}")


@pytest.mark.parametrize("plural", ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"])
def test_what_configurations_refuse(http: Http, namespace: str, plural: str) -> None:
    for change, field in (
        ({"name": "short"}, "webhooks[0].name"),
        ({"sideEffects": "Some"}, "webhooks[0].sideEffects"),
        ({"admissionReviewVersions": []}, "webhooks[0].admissionReviewVersions"),
        ({"clientConfig": {"url": "http://plain.invalid/"}}, "webhooks[0].clientConfig.url"),
        ({"timeoutSeconds": 31}, "webhooks[0].timeoutSeconds"),
        ({"failurePolicy": "Perhaps"}, "webhooks[0].failurePolicy"),
        ({"matchConditions": [{"name": "", "expression": ""}]}, "webhooks[0].matchConditions[0].expression"),
    ):
        body = {"metadata": {"name": namespace}, "webhooks": [{**WEBHOOK, **change}]}
        answer = http("POST", f"{GROUP}/{plural}", body)
        assert (answer.status, answer.json["reason"]) == (422, "Invalid"), change
        assert field in [cause["field"] for cause in answer.json["details"]["causes"]], answer.json["message"]


@behaviour(
    "[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject mutating webhook configurations with invalid match conditions"
)
@behaviour(
    "[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject validating webhook configurations with invalid match conditions"
)
@pytest.mark.parametrize("plural", ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"])
def test_match_conditions_are_compiled(http: Http, namespace: str, plural: str) -> None:
    conditions = [{"name": "invalid-expression-1", "expression": "... [] bad expression"}]
    answer = http("POST", f"{GROUP}/{plural}", _configuration(namespace, conditions))
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert "compilation failed" in answer.json["message"]
    assert http("GET", f"{GROUP}/{plural}/{namespace}").status == 404


@pytest.mark.parametrize("expression", ["object.spec.replicas <", "nothing.at.all", "1 + 1"])
def test_policies_are_compiled(http: Http, namespace: str, expression: str) -> None:
    """ValidatingAdmissionPolicy: what does not compile, or is no yes or no, is refused."""
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": expression}]}
    answer = http("POST", f"{GROUP}/validatingadmissionpolicies", {"metadata": {"name": namespace}, "spec": spec})
    assert answer.status == 422, answer.body
    assert "spec.validations[0].expression" in [cause["field"] for cause in answer.json["details"]["causes"]]
