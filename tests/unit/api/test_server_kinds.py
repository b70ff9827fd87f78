"""Kinds that describe the API server itself: flow schemas, priority levels, APIServices, storage migrations."""

from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.flowcontrol import bootstrap_objects
from kubeactors.api.kinds import registry
from tests.support.api_samples import NOW, completed, create_errors, update_errors

SCHEMAS, LEVELS, SERVICES, MIGRATIONS = (
    "flowschemas",
    "prioritylevelconfigurations",
    "apiservices",
    "storageversionmigrations",
)


def schema(rule: dict[str, Any] | None = None, name: str = "s", **spec: Any) -> dict[str, Any]:
    rules = [rule] if rule is not None else []
    return {"metadata": {"name": name}, "spec": {"priorityLevelConfiguration": {"name": "x"}, "rules": rules, **spec}}


def rule(*subjects: dict[str, Any], **fields: Any) -> dict[str, Any]:
    urls = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
    return {"subjects": list(subjects) or [user()], **(fields or {"nonResourceRules": urls})}


def user(name: str = "u", **fields: Any) -> dict[str, Any]:
    return {"kind": "User", "user": {"name": name}, **fields}


def resources(**fields: Any) -> dict[str, Any]:
    made = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"], **fields}
    return rule(resourceRules=[made])


def level(name: str = "l", **limited: Any) -> dict[str, Any]:
    made = {"limitResponse": {"type": "Reject"}, **limited}
    return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": made}}


def queue(**fields: Any) -> dict[str, Any]:
    return level(limitResponse={"type": "Queue", "queuing": fields})


def api_service(**spec: Any) -> dict[str, Any]:
    made = {"group": "g.io", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1, **spec}
    return {"metadata": {"name": "v1.g.io"}, "spec": made}


def migration(resource: str = "pods", group: str = "") -> dict[str, Any]:
    return {"metadata": {"name": "m"}, "spec": {"resource": {"resource": resource, "group": group}}}


def test_what_is_filled_in() -> None:
    assert completed(SCHEMAS, schema())["spec"]["matchingPrecedence"] == 1000
    assert completed(LEVELS, queue())["spec"]["limited"] == {
        "nominalConcurrencyShares": 30,
        "lendablePercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {"queues": 64, "handSize": 8, "queueLengthLimit": 50}},
    }
    served = completed(SERVICES, api_service(service={"name": "s", "namespace": "n"}))
    assert served["spec"]["service"]["port"] == 443
    assert served["status"] == {}
    [available] = completed(SERVICES, api_service())["status"]["conditions"]
    assert (available["type"], available["status"], available["reason"]) == ("Available", "True", "Local")


def test_what_every_cluster_has_is_valid_and_complete() -> None:
    for obj in bootstrap_objects():
        plural = registry.by_gvk(obj["apiVersion"], obj["kind"])
        assert plural is not None
        assert create_errors(plural.plural, obj) == []
        assert completed(plural.plural, copy(obj))["spec"] == obj["spec"]
    assert len(bootstrap_objects()) == 8 + 13


@pytest.mark.parametrize(
    ("resource", "obj", "errors"),
    [
        (SCHEMAS, schema(rule()), []),
        (
            SCHEMAS,
            schema(rule(), matchingPrecedence=1),
            ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"],
        ),
        (
            SCHEMAS,
            schema(
                rule(
                    user("", group={"name": "g"}),
                    {"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": ""}},
                    {"kind": "Group"},
                )
            ),
            [
                "spec.rules[0].subjects[0].user.name: Required value",
                "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
                "spec.rules[0].subjects[1].serviceAccount.namespace: Required value: must specify namespace for "
                "service account",
                "spec.rules[0].subjects[2].group: Required value: group is required when subject kind is 'Group'",
            ],
        ),
        (
            SCHEMAS,
            schema(resources(verbs=["*", "get"], apiGroups=[], resources=["*", "a"], namespaces=["A"])),
            [
                'spec.rules[0].resourceRules[0].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not '
                "specify other verbs",
                "spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api "
                "group",
                'spec.rules[0].resourceRules[0].resources: Invalid value: ["*","a"]: if \'*\' is present, must not '
                "specify other resources",
                'spec.rules[0].resourceRules[0].namespaces[0]: Invalid value: "A": each member of this list must be '
                "'*' or a DNS-1123 label; a lowercase RFC 1123 label must consist of lower case alphanumeric "
                "characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
                "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            ],
        ),
        (
            SCHEMAS,
            schema(resources(verbs=["watch", "x"], namespaces=[])),
            [
                'spec.rules[0].resourceRules[0].verbs: Unsupported value: ["watch","x"]: supported values: "create", '
                '"delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
                "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped "
                "must supply at least one namespace",
            ],
        ),
        (
            SCHEMAS,
            schema(
                rule(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["x", "/a b", "/a//b", "/a*", "/a/*"]}])
            ),
            [
                'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "x": must start with slash',
                'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a b": must not contain '
                "white-space",
                'spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: "/a//b": must not contain double '
                "slash",
                'spec.rules[0].nonResourceRules[0].nonResourceURLs[3]: Invalid value: "/a*": wildcard can only do '
                "suffix matching",
            ],
        ),
        (LEVELS, level(nominalConcurrencyShares=0), []),
        (
            LEVELS,
            level(nominalConcurrencyShares=-1, lendablePercent=101, borrowingLimitPercent=-1),
            [
                "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
                "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
                "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer",
            ],
        ),
        (
            LEVELS,
            queue(queues=2, handSize=3, queueLengthLimit=-1),
            [
                "spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive",
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 3: should not be greater than queues (2)",
            ],
        ),
        (
            LEVELS,
            queue(queues=1024, handSize=7),
            [
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 7: required entropy bits of deckSize 1024 "
                "and handSize 7 should not be greater than 60"
            ],
        ),
        (
            LEVELS,
            {"metadata": {"name": "l"}, "spec": {"type": "Exempt", "limited": {}}},
            [
                "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
                "spec.limited: Forbidden: must be nil if the type is not Limited",
                "spec.exempt: Required value: must not be nil if type is Exempt",
            ],
        ),
        (SERVICES, api_service(), []),
        (
            SERVICES,
            api_service(caBundle="AAAA", insecureSkipTLSVerify=True),
            [
                'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle',
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ],
        ),
        (
            SERVICES,
            api_service(service={"port": 0}),
            [
                "spec.service.namespace: Required value",
                "spec.service.name: Required value",
                "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
            ],
        ),
        (MIGRATIONS, migration(""), ["spec.resource.resource: Required value: resource is required"]),
    ],
)
def test_what_a_create_refuses(resource: str, obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(resource, obj) == errors


def test_mandatory_objects_keep_their_specs() -> None:
    old = next(o for o in bootstrap_objects() if o["metadata"]["name"] == "catch-all" and o["kind"] == "FlowSchema")
    stored = completed(SCHEMAS, copy(old))
    changed = copy(stored)
    changed["spec"]["matchingPrecedence"] = 9999
    [error] = update_errors(SCHEMAS, stored, changed)
    assert error.endswith("spec of 'catch-all' must equal the fixed value")
    exempt = next(o for o in bootstrap_objects() if o["kind"] == "PriorityLevelConfiguration")
    stored = completed(LEVELS, copy(exempt))
    changed = copy(stored)
    changed["spec"]["exempt"]["lendablePercent"] = 50
    assert update_errors(LEVELS, stored, changed) == []


def test_the_status_of_an_api_service() -> None:
    old = completed(SERVICES, api_service())
    new = copy(old)
    new["status"]["conditions"][0]["status"] = "Maybe"
    assert update_errors(SERVICES, old, new, "status") == [
        'status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"'
    ]


def ended(*kinds: str, version: str = "") -> dict[str, Any]:
    conditions = [
        {"type": kind, "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in kinds
    ]
    return {"conditions": conditions, "resourceVersion": version} if conditions else {"resourceVersion": version}


def test_a_migration_ends_once() -> None:
    old = completed(MIGRATIONS, migration(group="apps"))
    other = copy(old)
    other["spec"]["resource"]["group"] = "batch"
    assert update_errors(MIGRATIONS, old, other) == ['group: Invalid value: "batch": field is immutable']

    def change(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        found = update_errors(MIGRATIONS, old | {"status": before}, copy(old) | {"status": after}, "status")
        return [e.rpartition(": ")[2] for e in found]

    assert change({}, ended("Running", version="7")) == []
    assert change({}, ended(version="x")) == ["invalid syntax"]
    assert change(ended(version="7"), ended(version="8")) == ["field is immutable"]
    assert change({}, ended("Succeeded", "Failed")) == [
        "Both success and failed conditions cannot be true at the same time"
    ]
    assert change({}, ended("Failed", "Running")) == ["Running condition cannot be true when failed condition is true"]
    assert change(ended("Succeeded"), ended("Running")) == ["Success condition cannot be set to false once it is true"]


def test_cells() -> None:
    def cells(resource: str, obj: dict[str, Any]) -> list[Any]:
        return table.cells(registry.lookup(resource), completed(resource, obj), NOW)

    assert cells(SCHEMAS, schema()) == ["s", "x", 1000, "<none>", "0s", "?"]
    assert cells(LEVELS, queue()) == ["l", "Limited", 30, 64, 8, 50, "0s"]
    assert cells(LEVELS, level()) == ["l", "Limited", 30, "<none>", "<none>", "<none>", "0s"]
    assert cells(SERVICES, api_service()) == ["v1.g.io", "Local", "True", "0s"]
    assert cells(SERVICES, api_service(service={"name": "s", "namespace": "n"})) == ["v1.g.io", "n/s", "Unknown", "0s"]
    assert cells(MIGRATIONS, migration("deployments", "apps")) == ["m", "deployments.apps"]
