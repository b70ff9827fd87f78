"""pods/ephemeralcontainers, pods/resize and pods/eviction."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, get_condition
from kubeactors.apiserver.request import STRATEGIC_PATCH, Options
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


async def refused(call: Any) -> StatusError:
    with pytest.raises(StatusError) as raised:
        await call
    return raised.value


async def strategic(api: Api, name: str, subresource: str, spec: Object) -> Object:
    patched: Object = await api.call(
        "patch",
        "pods",
        namespace="ns",
        name=name,
        subresource=subresource,
        body={"spec": spec},
        content_type=STRATEGIC_PATCH,
    )
    return patched


# --- ephemeral containers


async def test_ephemeral_containers_are_added_and_stay(store: FakeStore) -> None:
    debug = {"name": "dbg", "image": "busybox", "targetContainerName": "c"}
    async with running_core(store) as api:
        await api.pod("p")
        pod = await strategic(api, "p", "ephemeralcontainers", {"ephemeralContainers": [debug], "hostname": "x"})
        (added,) = pod["spec"]["ephemeralContainers"]
        assert (added["name"], added["imagePullPolicy"]) == ("dbg", "Always")
        assert "hostname" not in pod["spec"], "nothing else is taken over"
        assert pod["metadata"]["generation"] == 2
        assert [m.get("subresource") for m in pod["metadata"]["managedFields"]] == [None, "ephemeralcontainers"]
        changed = [{"name": "dbg", "image": "other"}]
        error = await refused(strategic(api, "p", "ephemeralcontainers", {"ephemeralContainers": changed}))
        assert (error.code, error.causes[0]["field"]) == (422, "spec.ephemeralContainers")
        assert 'existing ephemeral containers "dbg" may not be changed' in error.message
        gone = {**pod, "spec": {**pod["spec"], "ephemeralContainers": []}}
        error = await refused(api.update("pods", gone, subresource="ephemeralcontainers"))
        assert error.causes[0]["message"] == 'Forbidden: existing ephemeral containers "dbg" may not be removed\n'
        read = await api.call("get", "pods", namespace="ns", name="p", subresource="ephemeralcontainers")
        assert read["spec"]["ephemeralContainers"] == [added]


@pytest.mark.parametrize(
    ("container", "cause"),
    [
        ({"name": "c", "image": "x"}, ("name", 'Duplicate value: "c"')),
        ({"name": "d", "image": "x", "targetContainerName": "z"}, ("targetContainerName", 'Not found: "z"')),
        (
            {"name": "d", "image": "x", "ports": [{"containerPort": 80}]},
            ("ports", "Forbidden: cannot be set for an Ephemeral Container"),
        ),
        (
            {"name": "d", "image": "x", "resources": {"limits": {"cpu": "1"}}},
            ("resources", "Forbidden: cannot be set for an Ephemeral Container"),
        ),
    ],
)
async def test_refused_ephemeral_containers(store: FakeStore, container: Object, cause: tuple[str, str]) -> None:
    async with running_core(store) as api:
        await api.pod("p")
        error = await refused(strategic(api, "p", "ephemeralcontainers", {"ephemeralContainers": [container]}))
        field, message = cause
        expected = [(f"spec.ephemeralContainers[0].{field}", message)]
        assert [(c["field"], c["message"]) for c in error.causes] == expected


async def test_static_pods_have_no_subresources_for_changes(store: FakeStore) -> None:
    async with running_core(store) as api:
        mirror = {"name": "p", "annotations": {"kubernetes.io/config.mirror": "x"}}
        await api.create(
            "pods", {"metadata": mirror, "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "n"}}, "ns"
        )
        debug = [{"name": "dbg", "image": "busybox"}]
        error = await refused(strategic(api, "p", "ephemeralcontainers", {"ephemeralContainers": debug}))
        assert error.causes[0]["message"] == "Forbidden: static pods do not support ephemeral containers"
        larger = [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]
        error = await refused(strategic(api, "p", "resize", {"containers": larger}))
        assert error.causes[0]["message"] == "Forbidden: static pods cannot be resized"


# --- resize

HALF = {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}


async def resized(api: Api, resources: Object, **container: Any) -> Object:
    return await strategic(api, "p", "resize", {"containers": [{"name": "c", "resources": resources, **container}]})


async def test_resize(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.pod("p", containers=[{"name": "c", "image": "x", "resources": HALF}])
        pod = await resized(api, {"requests": {"cpu": "750m"}}, image="other")
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["requests"] == {"cpu": "750m", "memory": "64Mi"}
        assert container["image"] == "x", "nothing else is taken over"
        assert pod["metadata"]["generation"] == 2
        plain = await refused(strategic(api, "p", "", {"containers": [{"name": "c", "resources": HALF}]}))
        assert plain.code == 422


@pytest.mark.parametrize(
    ("resources", "causes"),
    [
        (
            {"requests": {"cpu": "3"}},
            [
                (
                    "spec.containers[0].resources.requests",
                    'Invalid value: "3": must be less than or equal to cpu limit of 1',
                )
            ],
        ),
        (
            {"requests": {"cpu": "1", "memory": "128Mi"}},
            [("spec", 'Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing')],
        ),
        (
            {"limits": {"example.com/x": "1"}, "requests": {"example.com/x": "1"}},
            [("spec", "Forbidden: only cpu and memory resources are mutable")],
        ),
        (
            {"requests": {"memory": None}},
            [("spec.containers[0].resources.requests", "Forbidden: resource requests cannot be removed")],
        ),
    ],
)
async def test_refused_resizes(store: FakeStore, resources: Object, causes: list[tuple[str, str]]) -> None:
    async with running_core(store) as api:
        requests = {**HALF["requests"]}
        # Without a limit on memory a request of it may go and the pod still be what it was.
        limits = {"cpu": "1"} if resources.get("requests") == {"memory": None} else HALF["limits"]
        await api.pod(
            "p", containers=[{"name": "c", "image": "x", "resources": {"requests": requests, "limits": limits}}]
        )
        error = await refused(resized(api, resources))
        assert [(c["field"], c["message"]) for c in error.causes] == causes


async def test_a_resize_needs_the_pods_node(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.pod("p", nodeName="n", containers=[{"name": "c", "image": "x", "resources": HALF}])
        error = await refused(resized(api, {"requests": {"cpu": "750m"}}))
        assert (error.code, error.message) == (403, 'pods "p" is forbidden: node "n" not found')
        same = await resized(api, {})
        assert same["metadata"]["generation"] == 1
        await api.create("nodes", {"metadata": {"name": "n"}})
        assert (await resized(api, {"requests": {"cpu": "750m"}}))["metadata"]["generation"] == 2


# --- eviction

EVICTION = {"metadata": {"name": "p"}}


async def evict(api: Api, eviction: Object = EVICTION, **options: Any) -> Object:
    response = await api.request(
        "create",
        "pods",
        namespace="ns",
        name="p",
        subresource="eviction",
        body=eviction,
        options=Options(**options),
    )
    assert response.status == 201
    done: Object = orjson.loads(response.body)
    return done


async def running_pod(api: Api, *, ready: bool = True) -> Object:
    obj = {
        "metadata": {"name": "p", "labels": {"app": "a"}},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}]},
    }
    pod = await api.create("pods", obj, "ns")
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    pod["status"] = {"phase": "Running", "conditions": conditions}
    return await api.update("pods", pod, subresource="status")


async def budget(api: Api, name: str = "b", *, spec: Object | None = None, **status: Any) -> None:
    obj = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": "a"}}, **(spec or {})}}
    made = await api.create("poddisruptionbudgets", obj, "ns")
    made["status"] = {"observedGeneration": 1, **status}
    await api.update("poddisruptionbudgets", made, subresource="status")


async def test_an_evicted_pod_ends_gracefully_and_says_why(store: FakeStore) -> None:
    async with running_core(store) as api:
        await running_pod(api)
        assert (await evict(api))["status"] == "Success"
        pod = await api.get("pods", "p", "ns")
        assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
        condition = get_condition(pod, "DisruptionTarget")
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("True", "EvictionByEvictionAPI")
        assert condition["message"] == "Eviction API: evicting"
        await evict(api, {**EVICTION, "deleteOptions": {"gracePeriodSeconds": 0}})
        assert (await refused(api.get("pods", "p", "ns"))).code == 404
        assert (await refused(evict(api))).code == 404


async def test_a_budget_is_used_up(store: FakeStore) -> None:
    async with running_core(store) as api:
        await running_pod(api)
        await budget(api, desiredHealthy=1, currentHealthy=2, disruptionsAllowed=1)
        await evict(api, dry_run=("All",))
        found = await api.get("poddisruptionbudgets", "b", "ns")
        assert found["status"]["disruptionsAllowed"] == 1, "a dry run takes nothing"
        assert not (await api.get("pods", "p", "ns"))["metadata"].get("deletionTimestamp")
        await evict(api)
        status = (await api.get("poddisruptionbudgets", "b", "ns"))["status"]
        assert status["disruptionsAllowed"] == 0
        assert list(status["disruptedPods"]) == ["p"]
        (condition,) = status["conditions"]
        assert (condition["type"], condition["status"]) == ("DisruptionAllowed", "False")
        assert (condition["reason"], condition["message"]) == ("InsufficientPods", "")


@pytest.mark.parametrize(
    ("status", "cause", "retry"),
    [
        (
            {"desiredHealthy": 1, "currentHealthy": 1},
            "The disruption budget b needs 1 healthy pods and has 1 currently",
            None,
        ),
        ({"observedGeneration": 0}, "The disruption budget b is still being processed by the server.", 10),
        (
            {
                "conditions": [
                    {
                        "type": "DisruptionAllowed",
                        "status": "False",
                        "reason": "SyncFailed",
                        "message": "no scale",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }
                ]
            },
            "The disruption budget b does not allow evicting pods currently because it failed sync: no scale",
            None,
        ),
    ],
)
async def test_a_budget_refuses(store: FakeStore, status: Object, cause: str, retry: int | None) -> None:
    async with running_core(store) as api:
        await running_pod(api)
        await budget(api, **status)
        error = await refused(evict(api))
        assert (error.code, error.reason) == (429, "TooManyRequests")
        assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
        assert error.causes == [{"reason": "DisruptionBudget", "message": cause}]
        assert error.retry_after_seconds == retry
        assert not (await api.get("pods", "p", "ns"))["metadata"].get("deletionTimestamp")


async def test_two_budgets_over_one_pod(store: FakeStore) -> None:
    async with running_core(store) as api:
        await running_pod(api)
        await budget(api, "b")
        await budget(api, "c")
        error = await refused(evict(api))
        assert (error.code, error.reason) == (500, "")
        assert error.message.startswith("This pod has more than one PodDisruptionBudget")


@pytest.mark.parametrize(
    ("spec", "status", "goes"),
    [
        ({}, {"desiredHealthy": 1, "currentHealthy": 1}, True),
        ({}, {"desiredHealthy": 2, "currentHealthy": 1}, False),
        ({}, {}, False),
        ({"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {"desiredHealthy": 2, "currentHealthy": 1}, True),
    ],
)
async def test_pods_that_are_not_ready(store: FakeStore, spec: Object, status: Object, goes: bool) -> None:
    async with running_core(store) as api:
        await running_pod(api, ready=False)
        await budget(api, spec=spec, **status)
        if goes:
            await evict(api)
        else:
            assert (await refused(evict(api))).code == 429


async def test_a_pending_pod_needs_no_budget(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.create(
            "pods",
            {"metadata": {"name": "p", "labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
            "ns",
        )
        await budget(api)
        await evict(api)
        assert (await refused(api.get("pods", "p", "ns"))).code == 404


async def test_what_is_no_eviction_of_the_pod(store: FakeStore) -> None:
    async with running_core(store) as api:
        await running_pod(api)
        error = await refused(evict(api, {"metadata": {"name": "q"}}))
        assert (error.code, error.message) == (400, "name in URL does not match name in Eviction object")
        error = await refused(evict(api, {**EVICTION, "apiVersion": "policy/v2"}))
        assert error.code == 400
        dry = {**EVICTION, "deleteOptions": {"dryRun": ["Some"]}}
        error = await refused(evict(api, dry, dry_run=("All",)))
        assert error.message == "Non-matching dry-run options in request and content: [All] and [Some]"
        wrong = {**EVICTION, "deleteOptions": {"preconditions": {"uid": "other"}}}
        assert (await refused(evict(api, wrong))).code == 409
        await evict(api, {**EVICTION, "apiVersion": "policy/v1beta1", "kind": "Eviction"})
