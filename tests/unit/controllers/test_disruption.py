"""What a disruption budget's status says of its pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeactors.api.disruption import selects
from kubeactors.api.meta import Object
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.disruption.status import (
    Aim,
    aim,
    budget_status,
    failed_status,
    needs_scale,
    recheck,
    still_disrupted,
)
from kubeactors.controllers.manager import ControllerManager
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.unit.controllers.objects import NOW, ago, deployment, replica_set


def budget(status: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "default", "generation": 2},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
        "status": status or {},
    }


def pod(name: str, *, ready: bool = True, owner: str = "", **metadata: Any) -> Object:
    meta: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "web"}}
    if owner:
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": f"uid-{owner}"}
        meta["ownerReferences"] = [{**reference, "controller": True}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, **metadata},
        "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "n1"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


@pytest.mark.parametrize(
    ("spec", "pods", "scale", "expected"),
    [
        ({}, 3, 0, Aim(3, 0)),
        ({"minAvailable": 2}, 3, 0, Aim(3, 2)),
        ({"minAvailable": "50%"}, 3, 5, Aim(5, 3)),
        ({"maxUnavailable": 1}, 3, 5, Aim(5, 4)),
        ({"maxUnavailable": "30%"}, 3, 5, Aim(5, 3)),
        ({"maxUnavailable": 9}, 3, 5, Aim(5, 0)),
    ],
)
def test_how_many_pods_are_to_be_healthy(spec: Object, pods: int, scale: int, expected: Aim) -> None:
    assert aim(budget(**spec), pods, scale) == expected


def test_when_the_controllers_of_the_pods_matter() -> None:
    assert not needs_scale(budget(minAvailable=1))
    assert needs_scale(budget(minAvailable="10%"))
    assert needs_scale(budget(maxUnavailable=0))


def test_a_status() -> None:
    pods = [pod("a"), pod("b"), pod("c", ready=False), pod("d", deletionTimestamp=ago(1))]
    status = budget_status(budget(), pods, Aim(4, 1), NOW)
    condition = status.pop("conditions")[0]
    assert status == {
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 4,
        "disruptionsAllowed": 1,
        "observedGeneration": 2,
    }
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "True",
        "SufficientPods",
    )
    assert (condition["message"], condition["observedGeneration"]) == ("", 2)
    again = budget_status(budget({**status, "conditions": [condition]}), pods, Aim(4, 1), NOW)
    assert again == {**status, "conditions": [condition]}, "nothing to write"


def test_no_pods_no_disruptions() -> None:
    status = budget_status(budget(), [], Aim(0, 0), NOW)
    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["reason"] == "InsufficientPods"


def test_evicted_pods_count_as_gone_for_a_while() -> None:
    noted = {"a": ago(30), "b": ago(121), "gone": ago(5)}
    of = budget({"disruptedPods": noted})
    pods = [pod("a"), pod("b"), pod("c")]
    assert still_disrupted(of, pods, NOW) == {"a": noted["a"]}
    status = budget_status(of, pods, Aim(3, 1), NOW)
    assert (status["currentHealthy"], status["disruptedPods"]) == (2, {"a": noted["a"]})
    assert recheck({"a": noted["a"]}, NOW) == 90
    assert recheck({}, NOW) is None
    leaving = [pod("a", deletionTimestamp=ago(1))]
    assert still_disrupted(of, leaving, NOW) == {}


def test_a_budget_that_cannot_tell() -> None:
    status = failed_status(budget({"disruptionsAllowed": 3, "currentHealthy": 4}), "no scale", NOW)
    assert (status["disruptionsAllowed"], status["currentHealthy"]) == (0, 4)
    assert (status["conditions"][0]["reason"], status["conditions"][0]["message"]) == ("SyncFailed", "no scale")


def test_which_pods_a_budget_is_about() -> None:
    one = pod("a")
    assert selects(budget(), one)
    assert selects(budget(selector={}), one)
    assert not selects(budget(selector=None), one)
    assert not selects(budget(selector={"matchExpressions": [{"key": "a", "operator": "X"}]}), one)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    web, current = deployment("web", 4), replica_set("rs", 4)
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "uid-web", "controller": True}
    current["metadata"]["ownerReferences"] = [reference]
    api.seed(web, current, *(pod(n, owner="rs") for n in "abcd"))
    config = ControllerManagerConfig(identity="test", leader_elect=False, controllers=["disruption"])
    manager = ControllerManager(api.client(), config=config, now=lambda: NOW)
    await manager.start()
    yield api
    await manager.stop()


def _status(api: FakeApi) -> Object:
    found = api.get("poddisruptionbudgets", "b")
    assert found is not None
    return dict(found.get("status") or {})


async def test_budgets_are_kept_up_to_date(api: FakeApi) -> None:
    api.seed(budget(maxUnavailable="25%"))
    await eventually(lambda: _status(api).get("disruptionsAllowed") == 1)
    assert (_status(api)["expectedPods"], _status(api)["desiredHealthy"]) == (4, 3)
    api.seed(pod("e"))  # nobody's
    await eventually(lambda: _status(api)["disruptionsAllowed"] == 2)
    assert (_status(api)["expectedPods"], _status(api)["currentHealthy"]) == (4, 5)
    await eventually(lambda: any(event["reason"] == "UnmanagedPods" for event in api.objects("events")))
