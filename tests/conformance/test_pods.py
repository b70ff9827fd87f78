"""Pods as the API keeps them: generation, quality of service, status, evictions by taints, classes, and their refusals."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException, CoreV1Api, NodeV1Api, PolicyV1Api

from tests.conformance.clients import Http, eventually, watch_until
from tests.conformance.registry import behaviour
from tests.conformance.samples import SINCE

CONTAINER = {"name": "c", "image": "registry.example/c:1"}
MERGE = "application/merge-patch+json"


def _pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": "a"}},
        "spec": {"containers": [copy.deepcopy(CONTAINER)], "terminationGracePeriodSeconds": 0, **spec},
    }


def _running(core: CoreV1Api, namespace: str, name: str = "p") -> Any:
    return watch_until(
        core.list_namespaced_pod,
        namespace,
        since="0",
        field_selector=f"metadata.name={name}",
        until=lambda kind, pod: kind != "DELETED" and pod.status.phase == "Running",
    )[-1][1]


@behaviour(
    "[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu"
)
@pytest.mark.parametrize(
    ("requests", "limits", "quality"),
    [
        ({"cpu": "100m", "memory": "100Mi"}, {"cpu": "100m", "memory": "100Mi"}, "Guaranteed"),
        (None, {"cpu": "100m", "memory": "100Mi"}, "Guaranteed"),
        ({"cpu": "50m"}, {"cpu": "100m", "memory": "100Mi"}, "Burstable"),
        ({"cpu": "50m"}, None, "Burstable"),
        (None, None, "BestEffort"),
    ],
)
def test_quality_of_service(
    core: CoreV1Api, namespace: str, requests: dict[str, str] | None, limits: dict[str, str] | None, quality: str
) -> None:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    made = core.create_namespaced_pod(namespace, _pod(containers=[{**CONTAINER, "resources": resources}]))
    assert made.status.qos_class == quality


@behaviour(
    "[sig-node] Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update [MinimumKubeletVersion:1.34]"
)
@behaviour(
    "[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete"
)
def test_generation(core: CoreV1Api, namespace: str) -> None:
    pod = _pod(terminationGracePeriodSeconds=30)
    pod["metadata"]["generation"] = 100
    assert core.create_namespaced_pod(namespace, pod).metadata.generation == 1
    generations = []
    for patch in (
        {"metadata": {"labels": {"only": "metadata"}}},
        {"spec": {"containers": [{"name": "c", "image": "registry.example/c:2"}]}},
        {"spec": {"activeDeadlineSeconds": 500}},
        {"spec": {"tolerations": [{"key": "k", "operator": "Exists"}]}},
        {"spec": {"activeDeadlineSeconds": 500}},
    ):
        generations.append(core.patch_namespaced_pod("p", namespace, patch).metadata.generation)
    assert generations == [1, 2, 3, 4, 4]
    _running(core, namespace)
    core.patch_namespaced_pod("p", namespace, {"metadata": {"finalizers": ["example.com/held"]}})
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=20)
    # Its deletion is a change of what is wanted; that its node then shortens the grace period is none.
    assert core.read_namespaced_pod("p", namespace).metadata.generation == 5
    core.patch_namespaced_pod("p", namespace, {"metadata": {"finalizers": None}})


@behaviour(
    "[sig-node] Pods Extended (pod generation) Pod Generation issue 500 podspec updates and verify generation and observedGeneration eventually converge [MinimumKubeletVersion:1.34]"
)
def test_many_updates(core: CoreV1Api, http: Http, namespace: str) -> None:
    core.create_namespaced_pod(namespace, _pod())
    path = f"/api/v1/namespaces/{namespace}/pods/p"
    for n in range(500):
        containers = [{"name": "c", "image": f"registry.example/c:{n % 2 + 2}"}]
        answer = http.ok(
            "PATCH", path, {"spec": {"containers": containers}}, content_type="application/strategic-merge-patch+json"
        )
        assert answer["metadata"]["generation"] == n + 2
    pod = http.ok("GET", path)
    assert pod["metadata"]["generation"] == 501
    written = http.ok(
        "PATCH", f"{path}/status", {"status": {"observedGeneration": pod["metadata"]["generation"]}}, content_type=MERGE
    )
    assert written["status"]["observedGeneration"] == pod["metadata"]["generation"]


@behaviour("[sig-node] Pods should patch a pod status")
@behaviour("[sig-node] Pods should run through the lifecycle of Pods and PodStatus")
def test_life_and_status(core: CoreV1Api, namespace: str) -> None:
    since = core.list_namespaced_pod(namespace).metadata.resource_version
    core.create_namespaced_pod(namespace, _pod())
    _running(core, namespace)
    patched = core.patch_namespaced_pod(
        "p",
        namespace,
        {
            "metadata": {"labels": {"patched": "yes"}},
            "spec": {"containers": [{"name": "c", "image": "registry.example/c:2"}]},
        },
    )
    assert patched.spec.containers[0].image == "registry.example/c:2"
    status = core.patch_namespaced_pod_status("p", namespace, {"status": {"message": "patched", "reason": "E2E"}})
    assert (status.status.message, status.status.reason, status.status.phase) == ("patched", "E2E", "Running")
    for condition in status.status.conditions:
        condition.status = "False"

    def replaced() -> bool:
        body = core.read_namespaced_pod_status("p", namespace)
        for each in body.status.conditions:
            each.status = "False"
        try:
            core.replace_namespaced_pod_status("p", namespace, body)
        except ApiException as error:
            assert error.status == 409
            return False
        return True

    eventually(replaced)
    assert {c.status for c in core.read_namespaced_pod("p", namespace).status.conditions} == {"False"}
    core.delete_collection_namespaced_pod(namespace, label_selector="patched=yes", grace_period_seconds=0)
    seen = watch_until(core.list_namespaced_pod, namespace, since=since, until=lambda kind, _: kind == "DELETED")
    assert seen[0][0] == "ADDED"
    assert "MODIFIED" in [kind for kind, _ in seen]


@behaviour(
    "[sig-node] Ephemeral Containers [NodeConformance] should update the ephemeral containers in an existing pod"
)
def test_ephemeral_containers(core: CoreV1Api, namespace: str) -> None:
    """They are added through their subresource alone, and never changed or taken away."""
    core.create_namespaced_pod(namespace, _pod())
    debugger = {"name": "debugger", "image": "registry.example/d:1", "targetContainerName": "c"}
    patched = core.patch_namespaced_pod_ephemeralcontainers(
        "p", namespace, {"spec": {"ephemeralContainers": [debugger]}}
    )
    assert [c.name for c in patched.spec.ephemeral_containers] == ["debugger"]

    def replaced(names: list[str]) -> bool:
        """Whether the containers could be made these, its node having written nothing meanwhile."""
        read = core.read_namespaced_pod_ephemeralcontainers("p", namespace)
        read.spec.ephemeral_containers = [{**debugger, "name": name} for name in names]
        try:
            answer = core.replace_namespaced_pod_ephemeralcontainers("p", namespace, read)
        except ApiException as error:
            if error.status == 409:
                return False
            raise
        return [c.name for c in answer.spec.ephemeral_containers] == names

    eventually(lambda: replaced(["debugger", "debugger2"]))
    with pytest.raises(ApiException) as caught:
        eventually(lambda: replaced(["debugger"]))
    assert caught.value.status == 422
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod(namespace, _pod("q", ephemeralContainers=[debugger]))
    assert caught.value.status == 422


@behaviour("[sig-node] NoExecuteTaintManager Multiple Pods [Serial] evicts pods with minTolerationSeconds [Disruptive]")
@behaviour("[sig-node] NoExecuteTaintManager Single Pod [Serial] removing taint cancels eviction [Disruptive]")
def test_taints_that_evict(core: CoreV1Api, namespace: str) -> None:
    """The least time that a pod tolerates all taints for counts; what a taint's removal saves stays."""
    node, key = f"node-{namespace}", f"example.com/{namespace}"
    core.create_node({"metadata": {"name": node}})

    def tolerating(seconds: int | None) -> dict[str, Any]:
        toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
        return toleration if seconds is None else {**toleration, "tolerationSeconds": seconds}

    taint = {"key": key, "value": "evict", "effect": "NoExecute"}
    for name, tolerations in (
        ("at-once", []),
        ("soon", [tolerating(1)]),
        ("saved", [tolerating(30)]),
        ("stays", [tolerating(None)]),
    ):
        core.create_namespaced_pod(namespace, _pod(name, nodeName=node, tolerations=tolerations))
    core.patch_node(node, {"spec": {"taints": [taint]}})
    eventually(lambda: {p.metadata.name for p in core.list_namespaced_pod(namespace).items} == {"saved", "stays"})
    core.patch_node(node, {"spec": {"taints": []}})
    left = core.list_namespaced_pod(namespace).items
    assert {p.metadata.name for p in left if p.metadata.deletion_timestamp is None} == {"saved", "stays"}
    core.delete_node(node)


@behaviour(
    "[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance]"
)
def test_the_overhead_of_a_runtime_class(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """Should reject a Pod requesting a non-existent RuntimeClass, too."""
    classes = NodeV1Api(api)
    classes.create_runtime_class(
        {"metadata": {"name": namespace}, "handler": "crun", "overhead": {"podFixed": {"cpu": "10m", "memory": "1Mi"}}}
    )
    made = core.create_namespaced_pod(namespace, _pod(runtimeClassName=namespace))
    assert made.spec.overhead == {"cpu": "10m", "memory": "1Mi"}
    assert _running(core, namespace).spec.node_name
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod(namespace, _pod("q", runtimeClassName="no-such-class"))
    assert caught.value.status == 403
    assert 'pod rejected: RuntimeClass \\"no-such-class\\" not found' in caught.value.body


@behaviour("[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API")
def test_inline_volumes(core: CoreV1Api, namespace: str) -> None:
    volume = {"name": "v", "csi": {"driver": "inline.example.com", "volumeAttributes": {"k": "v"}}}
    core.create_namespaced_pod(namespace, _pod(volumes=[volume], nodeSelector={"no": "node"}))
    [read] = core.list_namespaced_pod(namespace).items
    assert (read.spec.volumes[0].csi.driver, read.spec.volumes[0].csi.volume_attributes) == (
        "inline.example.com",
        {"k": "v"},
    )
    core.patch_namespaced_pod("p", namespace, {"metadata": {"labels": {"patched": "yes"}}})
    core.delete_collection_namespaced_pod(namespace, label_selector="patched=yes", grace_period_seconds=0)
    eventually(lambda: not core.list_namespaced_pod(namespace).items)


@behaviour("[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it")
@behaviour("[sig-apps] DisruptionController should observe PodDisruptionBudget status updated")
def test_a_budget_blocks_evictions(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    policy = PolicyV1Api(api)
    for name in ("p", "q"):
        core.create_namespaced_pod(namespace, _pod(name))
        _running(core, namespace, name)
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "a"}}}
    policy.create_namespaced_pod_disruption_budget(namespace, {"metadata": {"name": "b"}, "spec": spec})

    def status_is(healthy: int, allowed: int) -> None:
        def there() -> bool:
            found = policy.read_namespaced_pod_disruption_budget_status("b", namespace)
            now = found.status
            observed = now is not None and now.observed_generation == found.metadata.generation
            return observed and (now.current_healthy, now.disruptions_allowed) == (healthy, allowed)

        eventually(there)

    status_is(2, 0)

    def evict() -> None:
        core.create_namespaced_pod_eviction("p", namespace, {"metadata": {"name": "p"}}, _preload_content=False)

    with pytest.raises(ApiException) as caught:
        evict()
    assert caught.value.status == 429
    assert "Cannot evict pod as it would violate the pod's disruption budget" in caught.value.body
    policy.patch_namespaced_pod_disruption_budget("b", namespace, {"spec": {"minAvailable": 1}})
    status_is(2, 1)
    evict()
    eventually(lambda: [p.metadata.name for p in core.list_namespaced_pod(namespace).items] == ["q"])


@behaviour("[sig-node] ConfigMap should fail to create ConfigMap with empty key")
@pytest.mark.parametrize("key", ["", "..", "a/b", "x" * 254])
def test_keys_of_config_maps(core: CoreV1Api, namespace: str, key: str) -> None:
    """Should fail to create secret due to empty secret key, too."""
    for create in (core.create_namespaced_config_map, core.create_namespaced_secret):
        with pytest.raises(ApiException) as caught:
            create(namespace, {"metadata": {"name": "c"}, "data": {key: "dmFsdWU="}})
        assert caught.value.status == 422


@behaviour("[sig-node] ConfigMap should update ConfigMap successfully [NodeConformance]")
def test_an_update_of_a_config_map(core: CoreV1Api, namespace: str) -> None:
    """Should run through a ConfigMap lifecycle, and be immutable if the immutable field is set."""
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}, "data": {"k": "v"}})
    made.data = {"k": "w", "l": "x"}
    assert core.replace_namespaced_config_map("c", namespace, made).data == {"k": "w", "l": "x"}
    core.patch_namespaced_config_map("c", namespace, {"immutable": True})
    for change in ({"data": {"k": "other"}}, {"immutable": False}):
        with pytest.raises(ApiException) as caught:
            core.patch_namespaced_config_map("c", namespace, change)
        assert caught.value.status == 422
        assert "field is immutable when `immutable` is set" in caught.value.body
    core.patch_namespaced_config_map("c", namespace, {"metadata": {"labels": {"still": "possible"}}})


@behaviour("[sig-architecture] Conformance Tests should have at least two untainted nodes")
def test_two_nodes(core: CoreV1Api) -> None:
    untainted = [node for node in core.list_node().items if not node.spec.taints and not node.spec.unschedulable]
    assert len(untainted) >= 2


@behaviour("[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if matching")
@behaviour("[sig-scheduling] SchedulerPredicates [Serial] validates resource limits of pods that are allowed to run")
def test_where_pods_may_run(core: CoreV1Api, namespace: str) -> None:
    core.patch_node("node-b", {"metadata": {"labels": {namespace: "here"}}})
    core.create_namespaced_pod(namespace, _pod("selects", nodeSelector={namespace: "here"}))
    assert _running(core, namespace, "selects").spec.node_name == "node-b"
    for name, spec, words in (
        ("nowhere", {"nodeSelector": {namespace: "elsewhere"}}, "node(s) didn't match Pod's node affinity/selector"),
        ("large", {"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "9000"}}}]}, "Insufficient cpu"),
    ):
        core.create_namespaced_pod(namespace, _pod(name, **spec))

        def refused(_: str, pod: Any) -> bool:
            return any(c.type == "PodScheduled" and c.reason == "Unschedulable" for c in pod.status.conditions or ())

        only = {"field_selector": f"metadata.name={name}"}
        pod = watch_until(core.list_namespaced_pod, namespace, since="0", until=refused, **only)[-1][1]
        assert words in next(c.message for c in pod.status.conditions if c.type == "PodScheduled")
        assert pod.spec.node_name is None


def test_a_condition_that_clients_add_stays(core: CoreV1Api, namespace: str) -> None:
    """Readiness gates: what somebody else says of a pod is kept beside what its node says."""
    core.create_namespaced_pod(namespace, _pod(readinessGates=[{"conditionType": "example.com/ready"}]))
    condition = {**SINCE, "type": "example.com/ready"}
    core.patch_namespaced_pod_status("p", namespace, {"status": {"conditions": [condition]}})
    types = {c.type for c in _running(core, namespace).status.conditions}
    assert {"example.com/ready", "Ready"} <= types
