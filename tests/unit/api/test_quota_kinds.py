"""Resource quotas, limit ranges and replication controllers."""

from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.api.table import cells, make_table
from tests.support.api_samples import NOW, completed, container, create_errors, update_errors, updated


def quota(**spec: Any) -> Object:
    return {"metadata": {"name": "q"}, "spec": spec}


def limits(*items: Object) -> Object:
    return {"metadata": {"name": "l"}, "spec": {"limits": list(items)}}


def controller(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container()]}}
    return {"metadata": {"name": "r"}, "spec": {"template": template, **spec}}


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"hard": {"pods": "1", "requests.example.com/gpu": "2", "count/jobs.batch": "3"}}, []),
        ({"hard": {"pods": "-1"}}, ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0']),
        (
            {"hard": {"services.nodeports": "500m"}},
            ['spec.hard[services.nodeports]: Invalid value: "500m": must be an integer'],
        ),
        (
            {"hard": {"nothing": "1"}},
            [
                'spec.hard[nothing]: Invalid value: "nothing": must be a standard resource type or fully qualified',
                'spec.hard[nothing]: Invalid value: "nothing": must be a standard resource for quota',
            ],
        ),
        (
            {"hard": {"storage": "1"}},
            ['spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota'],
        ),
        ({"scopes": ["X"]}, ['spec.scopes: Invalid value: ["X"]: unsupported scope']),
        (
            {"scopes": ["Terminating", "NotTerminating"]},
            ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
        ),
        (
            {"scopes": ["BestEffort"], "hard": {"cpu": "1"}},
            ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
        ),
        ({"scopes": ["VolumeAttributesClass"], "hard": {"requests.storage": "1"}}, []),
        (
            {"scopeSelector": {"matchExpressions": [{"scopeName": "BestEffort", "operator": "In", "values": ["x"]}]}},
            [
                "spec.scopeSelector.matchExpressions.operator: Invalid value: \"In\": must be 'Exists' when scope is "
                "any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
                "ResourceQuotaScopeCrossNamespacePodAffinity"
            ],
        ),
        (
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
            [
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when "
                "`operator` is 'In' or 'NotIn' for scope selector"
            ],
        ),
    ],
)
def test_quotas_that_are_refused(spec: Object, errors: list[str]) -> None:
    assert create_errors("quota", quota(**spec)) == errors


def test_scopes_are_fixed_and_a_status_is_checked() -> None:
    old = completed("quota", quota(hard={"pods": "1"}, scopes=["BestEffort"]))
    new = copy(old)
    new["spec"]["scopes"] = ["NotBestEffort"]
    assert update_errors("quota", old, new) == ['spec.scopes: Invalid value: ["NotBestEffort"]: field is immutable']
    new = {**copy(old), "status": {"used": {"pods": "-1"}}}
    assert update_errors("quota", old, new, "status") == [
        'status.used[pods]: Invalid value: "-1": must be greater than or equal to 0'
    ]


def test_cells_of_a_quota() -> None:
    made = completed("quota", quota())
    made["status"] = {"hard": {"pods": "2", "limits.cpu": "1", "cpu": "3"}, "used": {"pods": "1", "cpu": "500m"}}
    assert cells(registry.lookup("quota"), made, NOW) == ["q", "cpu: 500m/3, pods: 1/2", "limits.cpu: 0/1", "0s"]


def test_limits_of_containers_are_completed() -> None:
    item = {"type": "Container", "max": {"cpu": "2", "memory": "1Gi"}, "min": {"cpu": "1", "x.io/y": "1"}}
    made = completed("limits", limits({**item, "default": {"cpu": "1"}, "defaultRequest": {"memory": "1Mi"}}))
    (limit,) = made["spec"]["limits"]
    assert limit["default"] == {"cpu": "1", "memory": "1Gi"}
    assert limit["defaultRequest"] == {"cpu": "1", "memory": "1Mi", "x.io/y": "1"}
    (pod,) = completed("limits", limits({"type": "Pod", "max": {"cpu": "2"}}))["spec"]["limits"]
    assert pod == {"type": "Pod", "max": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("items", "errors"),
    [
        ([], []),
        ([{"type": "Pod", "max": {"cpu": "1"}}, {"type": "Pod"}], ['spec.limits[1].type: Duplicate value: "Pod"']),
        (
            [{"type": "X"}],
            ['spec.limits[0].type: Invalid value: "X": must be a standard limit type or fully qualified'],
        ),
        (
            [{"type": "Pod", "default": {"cpu": "1"}}],
            ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
        ),
        (
            [{"type": "Container", "max": {"storage": "1"}}],
            [
                f'spec.limits[0].{field}[storage]: Invalid value: "storage": must be a standard resource for containers'
                for field in ("max", "default", "defaultRequest")
            ],
        ),
        (
            [{"type": "PersistentVolumeClaim"}],
            [
                "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, "
                "but neither was provided"
            ],
        ),
        (
            [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}],
            ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
        ),
        (
            [{"type": "Container", "default": {"cpu": "2"}, "max": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}}],
            ['spec.limits[0].default[cpu]: Invalid value: "1": default value 2 is greater than max value 1'],
        ),
        (
            [{"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}}],
            [
                'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": '
                "ratio 3 is greater than max/min = 2.000000"
            ],
        ),
        (
            [{"type": "Container", "default": {"x.io/y": "2"}, "defaultRequest": {"x.io/y": "1"}}],
            [
                'spec.limits[0].defaultRequest[x.io/y]: Invalid value: "1": default value 2 must equal to '
                "defaultRequest value 1 in x.io/y"
            ],
        ),
    ],
)
def test_limit_ranges_that_are_refused(items: list[Object], errors: list[str]) -> None:
    assert create_errors("limits", limits(*items)) == errors


def test_a_kind_without_columns_of_its_own_shows_no_rows_as_null() -> None:
    kind = registry.lookup("limits")
    assert make_table(kind, [], NOW)["rows"] is None
    assert make_table(kind, [completed("limits", limits())], NOW)["rows"][0]["cells"] == ["l", "2026-01-01T00:00:00Z"]


def test_a_replication_controller_takes_the_labels_of_its_template() -> None:
    made = completed("rc", controller())
    assert made["metadata"]["labels"] == made["spec"]["selector"] == {"app": "a"}
    assert made["spec"]["replicas"] == 1
    assert made["metadata"]["generation"] == 1
    assert made["status"] == {"replicas": 0}
    assert registry.lookup("rc").selectable_fields(made)["status.replicas"] == "0"
    assert cells(registry.lookup("rc"), made, NOW) == ["r", 1, 0, 0, "0s", "c", "registry.example/c:1", "app=a"]
    more = copy(made)
    more["spec"]["replicas"] = 2
    assert updated(registry.lookup("rc"), made, more)["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        ({"template": None}, ["spec.selector: Required value", "spec.template: Required value"]),
        (
            {"selector": {"app": "b"}, "replicas": -1},
            [
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                'spec.template.metadata.labels: Invalid value: {"app":"a"}: '
                "`selector` does not match template `labels`",
            ],
        ),
        (
            {
                "selector": {"app": "a"},
                "template": {
                    "metadata": {"labels": {"app": "a"}},
                    "spec": {"containers": [container()], "restartPolicy": "Never", "activeDeadlineSeconds": 5},
                },
            },
            [
                'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in "
                "ReplicationController is not Supported",
            ],
        ),
    ],
)
def test_replication_controllers_that_are_refused(spec: Object, errors: list[str]) -> None:
    assert create_errors("rc", controller(**spec)) == errors


def test_a_scope_that_does_not_fit_is_shown_with_its_selector() -> None:
    selector = {"matchExpressions": [{"scopeName": "BestEffort", "operator": "Exists"}]}
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"services": "1"}, "scopeSelector": selector}}
    assert create_errors("resourcequotas", quota) == [
        "spec.scopeSelector.matchExpressions: Invalid value: "
        '{"MatchExpressions":[{"ScopeName":"BestEffort","Operator":"Exists","Values":null}]}: '
        "unsupported scope applied to resource"
    ]
