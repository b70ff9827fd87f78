"""What every cluster has of flowcontrol.apiserver.k8s.io: mandatory objects, whose specs are fixed, and suggested ones.

See https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#defaults.
"""

from collections.abc import Mapping
from typing import Any, Final

Spec = dict[str, Any]

_GROUP: Final = "flowcontrol.apiserver.k8s.io"
_AUTHENTICATED: Final = ("system:unauthenticated", "system:authenticated")
_LEASES: Final = "coordination.k8s.io"
_WRITE: Final = ("get", "create", "update")


def _limited(shares: int, lendable: int, queues: int = 0, hand: int = 0) -> Spec:
    response: Spec = {"type": "Reject"}
    if queues:
        queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
        response = {"type": "Queue", "queuing": queuing}
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return {"type": "Limited", "limited": limited}


def _groups(*names: str) -> list[Spec]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[Spec]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _accounts(*names: str) -> list[Spec]:
    return [{"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": name}} for name in names]


def _resources(
    verbs: tuple[str, ...], group: str, *resources: str, namespace: str = "*", cluster: bool = False
) -> Spec:
    rule: Spec = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}
    if cluster:
        rule["clusterScope"] = True
    return {**rule, "namespaces": [namespace]}


def _everything(subjects: list[Spec]) -> Spec:
    return {
        "subjects": subjects,
        "resourceRules": [_resources(("*",), "*", "*", cluster=True)],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }


def _schema(level: str, precedence: int, distinguisher: str, rule: Spec) -> Spec:
    spec: Spec = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    return {**spec, "rules": [rule]}


MANDATORY_LEVELS: Final[Mapping[str, Spec]] = {
    "exempt": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    "catch-all": _limited(5, 0),
}

MANDATORY_SCHEMAS: Final[Mapping[str, Spec]] = {
    "exempt": _schema("exempt", 1, "", _everything(_groups("system:masters"))),
    "catch-all": _schema("catch-all", 10000, "ByUser", _everything(_groups(*_AUTHENTICATED))),
}

SUGGESTED_LEVELS: Final[Mapping[str, Spec]] = {
    "system": _limited(30, 33, 64, 6),
    "node-high": _limited(40, 25, 64, 6),
    "leader-election": _limited(10, 0, 16, 4),
    "workload-high": _limited(40, 50, 128, 6),
    "workload-low": _limited(100, 90, 128, 6),
    "global-default": _limited(20, 50, 128, 6),
}

SUGGESTED_SCHEMAS: Final[Mapping[str, Spec]] = {
    "system-nodes": _schema("system", 500, "ByUser", _everything(_groups("system:nodes"))),
    "system-node-high": _schema(
        "node-high",
        400,
        "ByUser",
        {
            "subjects": _groups("system:nodes"),
            "resourceRules": [
                _resources(("*",), "", "nodes", "nodes/status", cluster=True),
                _resources(("*",), _LEASES, "leases"),
            ],
        },
    ),
    "probes": _schema(
        "exempt",
        2,
        "",
        {
            "subjects": _groups(*_AUTHENTICATED),
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}],
        },
    ),
    "system-leader-election": _schema(
        "leader-election",
        100,
        "ByUser",
        {
            "subjects": _users("system:kube-controller-manager", "system:kube-scheduler") + _accounts("*"),
            "resourceRules": [_resources(_WRITE, _LEASES, "leases")],
        },
    ),
    "endpoint-controller": _schema(
        "workload-high",
        150,
        "ByUser",
        {
            "subjects": _users("system:kube-controller-manager")
            + _accounts("endpoint-controller", "endpointslicemirroring-controller"),
            "resourceRules": [_resources(_WRITE, "", "endpoints")],
        },
    ),
    "workload-leader-election": _schema(
        "leader-election",
        200,
        "ByUser",
        {
            "subjects": _accounts("*"),
            "resourceRules": [
                _resources(_WRITE, "", "endpoints", "configmaps"),
                _resources(_WRITE, _LEASES, "leases"),
            ],
        },
    ),
    "kube-controller-manager": _schema(
        "workload-high", 800, "ByNamespace", _everything(_users("system:kube-controller-manager"))
    ),
    "kube-scheduler": _schema("workload-high", 800, "ByNamespace", _everything(_users("system:kube-scheduler"))),
    "kube-system-service-accounts": _schema("workload-high", 900, "ByNamespace", _everything(_accounts("*"))),
    "service-accounts": _schema("workload-low", 9000, "ByUser", _everything(_groups("system:serviceaccounts"))),
    "global-default": _schema("global-default", 9900, "ByUser", _everything(_groups(*_AUTHENTICATED))),
}


def bootstrap_objects() -> list[Spec]:
    """All of them, levels before the schemas that name them."""
    kinds = (
        ("PriorityLevelConfiguration", {**MANDATORY_LEVELS, **SUGGESTED_LEVELS}),
        ("FlowSchema", {**MANDATORY_SCHEMAS, **SUGGESTED_SCHEMAS}),
    )
    return [
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": kind,
            "metadata": {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}},
            "spec": spec,
        }
        for kind, specs in kinds
        for name, spec in specs.items()
    ]
