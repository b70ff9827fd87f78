"""HorizontalPodAutoscaler: defaults, refusals, cells, and what autoscaling/v1 shows of one."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from kubeactors.api import table
from kubeactors.api.autoscaling_v1 import BEHAVIOR, CONDITIONS, CURRENT_METRICS, METRICS, to_v1, to_v2
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from tests.support.api_samples import NOW, completed, create_errors, update_errors

HPA = registry.lookup("horizontalpodautoscalers.v2.autoscaling")
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def hpa(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": dict(TARGET), "maxReplicas": 3, **spec}}


def with_metric(metric: dict[str, Any]) -> dict[str, Any]:
    return hpa(metrics=[metric])


def errors(obj: dict[str, Any]) -> list[str]:
    return create_errors("horizontalpodautoscalers.v2.autoscaling", obj)


def test_defaults() -> None:
    made = completed("hpa", hpa())
    assert made["spec"] == {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 3, "metrics": [CPU]}
    assert made["status"] == {"desiredReplicas": 0, "currentMetrics": None}
    assert "generation" not in made["metadata"]
    rich = completed("hpa", hpa(behavior={"scaleDown": {"stabilizationWindowSeconds": 10}}))["spec"]["behavior"]
    assert rich["scaleUp"] == {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    }
    assert rich["scaleDown"] == {
        "stabilizationWindowSeconds": 10,
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }


SUPPORTED = 'supported values: "ContainerResource", "External", "Object", "Pods", "Resource"'


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (hpa(), []),
        (
            {"metadata": {"name": "h"}, "spec": {}},
            [
                "spec.maxReplicas: Required value: must be set and greater than 0",
                "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
                "spec.scaleTargetRef.kind: Required value",
                "spec.scaleTargetRef.name: Required value",
                'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
            ],
        ),
        (hpa(scaleTargetRef={"kind": "ReplicationController", "name": "r"}), []),
        (
            hpa(scaleTargetRef={"kind": "a/b", "name": "r", "apiVersion": "a/b/c"}),
            [
                "spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/'",
                'spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
            ],
        ),
        (
            hpa(minReplicas=0),
            [
                "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
                "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to "
                "zero replicas",
            ],
        ),
        (
            with_metric({"type": "X"}),
            [f'spec.metrics[0].type: Unsupported value: "X": {SUPPORTED}'] * 2,
        ),
        (
            with_metric({"type": "Pods", "resource": CPU["resource"]}),
            ["spec.metrics[0].pods: Required value: must populate information for the given metric source"],
        ),
        (
            with_metric({**CPU, "pods": {"metric": {"name": "x"}, "target": {"type": "Value"}}}),
            [
                "spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue",
                "spec.metrics[0].pods: Forbidden: must populate the given metric source only",
            ],
        ),
        (
            with_metric({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}),
            [
                "spec.metrics[0].resource.target.averageUtilization: Required value: "
                "must set either a target raw value or a target utilization"
            ],
        ),
        (
            with_metric(
                {"type": "ContainerResource", "containerResource": {"target": {"type": "X", "averageValue": "0"}}}
            ),
            [
                "spec.metrics[0].containerResource.name: Required value: must specify a resource name",
                "spec.metrics[0].containerResource.container: Required value: must specify a container",
                'spec.metrics[0].containerResource.target.type: Invalid value: "X": '
                "must be either Utilization, Value, or AverageValue",
                'spec.metrics[0].containerResource.target.averageValue: Invalid value: "0": must be positive',
            ],
        ),
        (
            with_metric({"type": "External", "external": {"metric": {"name": "a/b"}, "target": {"type": "Value"}}}),
            [
                "spec.metrics[0].external.metric.name: Invalid value: \"a/b\": may not contain '/'",
                "spec.metrics[0].external.target.averageValue: Required value: "
                "must set either a target value for metric or a per-pod target",
            ],
        ),
        (
            with_metric(
                {"type": "Object", "object": {"target": {"type": "Value", "value": "1"}, "describedObject": {}}}
            ),
            [
                "spec.metrics[0].object.describedObject.kind: Required value",
                "spec.metrics[0].object.describedObject.name: Required value",
                "spec.metrics[0].object.metric.name: Required value: must specify a metric name",
            ],
        ),
        (
            hpa(behavior={"scaleUp": {"policies": []}}),
            ["spec.behavior.scaleUp.policies: Required value: must specify at least one Policy"],
        ),
        (
            hpa(
                behavior={
                    "scaleDown": {
                        "stabilizationWindowSeconds": 9999,
                        "selectPolicy": "X",
                        "policies": [{"type": "X", "value": 0, "periodSeconds": 1801}],
                        "tolerance": "-1",
                    }
                }
            ),
            [
                "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 9999: "
                "must be less than or equal to 3600",
                'spec.behavior.scaleDown.selectPolicy: Unsupported value: "X": '
                'supported values: "Disabled", "Max", "Min"',
                'spec.behavior.scaleDown.policies[0].type: Unsupported value: "X": supported values: "Percent", "Pods"',
                "spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero",
                "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: "
                "must be less than or equal to 1800",
                'spec.behavior.scaleDown.tolerance: Invalid value: "-1": must be greater than or equal to 0',
            ],
        ),
    ],
)
def test_refusals(obj: dict[str, Any], expected: list[str]) -> None:
    assert errors(obj) == expected


def test_a_status() -> None:
    old = completed("hpa", hpa())
    new = copy(old)
    new["status"]["desiredReplicas"] = -1
    assert update_errors("hpa", old, new, "status") == [
        "status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0"
    ]


def quantity_metric(kind: str, field: str, **target: str) -> dict[str, Any]:
    return {"type": kind, field: {"metric": {"name": "m"}, "target": {"type": "Value", **target}}}


@pytest.mark.parametrize(
    ("metrics", "current", "text"),
    [
        ([CPU], [], "cpu: <unknown>/80%"),
        (
            [CPU],
            [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}],
            "cpu: 7%/80%",
        ),
        ([quantity_metric("Pods", "pods", averageValue="1k")], [], "<unknown>/1k"),
        ([quantity_metric("External", "external", value="5")], [{"external": {"current": {"value": "4"}}}], "4/5"),
        ([quantity_metric("Object", "object", averageValue="5")], [], "<unknown>/5 (avg)"),
        ([CPU, CPU, CPU], [], "cpu: <unknown>/80%, cpu: <unknown>/80% + 1 more..."),
        ([], [], "<none>"),
    ],
)
def test_cells(metrics: list[dict[str, Any]], current: list[dict[str, Any]], text: str) -> None:
    made = completed("hpa", hpa())
    made["spec"]["metrics"] = metrics
    made["status"] = {"currentMetrics": current, "currentReplicas": 2}
    cells = table.cells(HPA, made, NOW + timedelta(minutes=5))
    assert cells == ["h", "Deployment/d", text, "1", 3, 2, "5m"]


RICH = {
    "metadata": {"name": "h", "annotations": {"mine": "1"}},
    "spec": {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "rps", "selector": {"matchLabels": {"a": "b"}}},
                    "target": {"type": "AverageValue", "averageValue": "1k"},
                },
            },
            {
                "type": "Object",
                "object": {
                    "describedObject": {"kind": "Service", "name": "s"},
                    "metric": {"name": "m"},
                    "target": {"type": "Value", "value": "5"},
                },
            },
            {
                "type": "External",
                "external": {"metric": {"name": "q<>"}, "target": {"type": "AverageValue", "averageValue": "3"}},
            },
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "c",
                    "target": {"type": "Utilization", "averageUtilization": 50},
                },
            },
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
            },
            CPU,
        ],
        "behavior": {
            "scaleDown": {
                "selectPolicy": "Max",
                "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
            }
        },
    },
    "status": {
        "observedGeneration": 3,
        "currentReplicas": 2,
        "desiredReplicas": 2,
        "currentMetrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "70m"}},
            }
        ],
        "conditions": [
            {"type": "AbleToScale", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "R"}
        ],
    },
}


def test_what_the_old_version_shows() -> None:
    shown = to_v1(RICH)
    assert shown["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 80,
    }
    assert shown["status"] == {
        "observedGeneration": 3,
        "currentReplicas": 2,
        "desiredReplicas": 2,
        "currentCPUUtilizationPercentage": 7,
    }
    annotations = shown["metadata"]["annotations"]
    assert annotations["mine"] == "1"
    assert [m["type"] for m in orjson.loads(annotations[METRICS])] == [
        "Pods",
        "Object",
        "External",
        "ContainerResource",
        "Resource",
    ]
    assert annotations[METRICS].startswith('[{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"1k",')
    assert '"metricName":"q\\u003c\\u003e"' in annotations[METRICS]
    assert annotations[CURRENT_METRICS] == (
        '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":7,"currentAverageValue":"70m"}}]'
    )
    assert annotations[CONDITIONS] == (
        '[{"type":"AbleToScale","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z","reason":"R"}]'
    )
    assert annotations[BEHAVIOR] == (
        '{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":"Max",'
        '"Policies":[{"Type":"Percent","Value":10,"PeriodSeconds":60}],"Tolerance":null}}'
    )


def test_nothing_is_lost_through_the_old_version() -> None:
    assert to_v2(to_v1(RICH)) == RICH
    assert RICH["metadata"]["annotations"] == {"mine": "1"}, "what is converted stays as it was"


def test_what_the_old_version_writes() -> None:
    plain = {
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": TARGET, "maxReplicas": 3, "targetCPUUtilizationPercentage": 70},
        "status": {"currentReplicas": 0, "desiredReplicas": 0, "currentCPUUtilizationPercentage": 3},
    }
    stored = to_v2(plain)
    assert stored["apiVersion"] == "autoscaling/v2"
    assert stored["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert stored["status"]["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 3}
    del plain["spec"]["targetCPUUtilizationPercentage"]
    assert to_v2(plain)["spec"]["metrics"] == [CPU]


@pytest.mark.parametrize("text", ["", "x", "{}", "[1]", '[{"type":1}]', "[" * 2000])
def test_annotations_that_are_no_metrics_are_passed_over(text: str) -> None:
    obj = hpa()
    obj["metadata"]["annotations"] = {name: text for name in (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR)}
    stored = to_v2(obj)
    assert stored["spec"]["metrics"] == [CPU]
    assert "behavior" not in stored["spec"]
    assert stored["status"] == {"desiredReplicas": 0, "currentMetrics": None}
    assert "annotations" not in stored["metadata"]


def test_a_metric_of_a_wrong_type_is_passed_over() -> None:
    obj = hpa()
    obj["metadata"]["annotations"] = {METRICS: '[{"type":"Pods","pods":{"targetAverageValue":"many"}}]'}
    assert to_v2(obj)["spec"]["metrics"] == [CPU]
