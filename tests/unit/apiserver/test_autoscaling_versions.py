"""HorizontalPodAutoscaler in two versions: one stored object, read, watched and written as either."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from kubeactors.api.autoscaling_v1 import BEHAVIOR, METRICS
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

V1, V2 = "horizontalpodautoscalers.v1.autoscaling", "horizontalpodautoscalers.v2.autoscaling"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
PODS = {
    "type": "Pods",
    "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}},
}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


async def made(api: Api, resource: str, **spec: Any) -> Object:
    obj = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 3, **spec}}
    return await api.create(resource, obj, "ns")


async def test_the_old_version_writes_the_new(store: FakeStore) -> None:
    async with running_core(store) as api:
        created = await made(api, V1, targetCPUUtilizationPercentage=70)
        assert created["apiVersion"] == "autoscaling/v1"
        assert created["spec"]["targetCPUUtilizationPercentage"] == 70
        assert created["status"] == {"currentReplicas": 0, "desiredReplicas": 0}
        shown = await api.get(V2, "h", "ns")
        assert shown["apiVersion"] == "autoscaling/v2"
        assert shown["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
        assert shown["metadata"]["uid"] == created["metadata"]["uid"]
        assert shown["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_the_old_version_shows_and_keeps_what_it_has_no_fields_for(store: FakeStore) -> None:
    async with running_core(store) as api:
        await made(api, V2, metrics=[PODS], behavior={"scaleDown": {}})
        (listed,) = (await api.list(V1, "ns"))["items"]
        assert orjson.loads(listed["metadata"]["annotations"][METRICS])[0]["pods"]["metricName"] == "rps"
        before = await api.get(V2, "h", "ns")
        await api.patch(V1, "h", {"spec": {"maxReplicas": 9}}, "ns")
        after = await api.get(V2, "h", "ns")
        assert after["spec"] == {**before["spec"], "maxReplicas": 9}
        await api.patch(V1, "h", {"metadata": {"annotations": {BEHAVIOR: None}}}, "ns")
        assert "behavior" not in (await api.get(V2, "h", "ns"))["spec"]


async def test_a_status_of_the_old_version_leaves_the_spec_alone(store: FakeStore) -> None:
    async with running_core(store) as api:
        await made(api, V2, metrics=[PODS])
        shown = await api.get(V1, "h", "ns")
        shown["status"] = {"currentReplicas": 2, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 5}
        del shown["metadata"]["annotations"]
        await api.update(V1, shown, subresource="status")
        stored = await api.get(V2, "h", "ns")
        assert stored["spec"]["metrics"] == [PODS]
        assert stored["status"]["currentReplicas"] == 2
        assert stored["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"] == 5
        # And a write of the rest leaves the status alone.
        await api.patch(V1, "h", {"metadata": {"annotations": None}, "spec": {"maxReplicas": 4}}, "ns")
        again = await api.get(V2, "h", "ns")
        assert again["status"]["currentReplicas"] == 2
        assert again["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"] == 5
        assert again["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80, "none given: the default"


async def test_watching_the_old_version(store: FakeStore) -> None:
    async with running_core(store) as api:
        watch = await api.watch(V1, "ns", resource_version="0")
        await made(api, V2, metrics=[PODS])
        event = await watch.next()
        assert event["object"]["apiVersion"] == "autoscaling/v1"
        assert METRICS in event["object"]["metadata"]["annotations"]


async def test_errors_of_the_old_version_name_fields_of_the_new(store: FakeStore) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError) as raised:
            await made(api, V1, targetCPUUtilizationPercentage=0)
        (cause,) = raised.value.causes
        assert cause["field"] == "spec.metrics[0].resource.target.averageUtilization"
