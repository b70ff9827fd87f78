"""Deployments, ReplicaSets and their like: scale, adoption, rollouts, on nodes that only say that they run things."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiClient, AppsV1Api, BatchV1Api, CoreV1Api

from tests.conformance.clients import Http, eventually, watch_until
from tests.conformance.registry import behaviour
from tests.conformance.samples import JOB_TEMPLATE, SELECTOR, TEMPLATE

REVISION = "deployment.kubernetes.io/revision"
QUICK = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "terminationGracePeriodSeconds": 0}}


@pytest.fixture
def apps(api: ApiClient) -> AppsV1Api:
    return AppsV1Api(api)


def _template(image: str) -> dict[str, Any]:
    template: dict[str, Any] = copy.deepcopy(QUICK)
    template["spec"]["containers"][0]["image"] = f"registry.example/{image}"
    return template


def _body(name: str, replicas: int, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": "a"}},
        "spec": {"replicas": replicas, "selector": SELECTOR, "template": QUICK, **spec},
    }


def _finished(apps: AppsV1Api, namespace: str, name: str = "d") -> Any:
    """The deployment, once a rollout is over as `kubectl rollout status` sees it."""

    def over(_: str, found: Any) -> bool:
        status, wanted = found.status, found.spec.replicas
        return status.observed_generation == found.metadata.generation and (
            (status.updated_replicas or 0, status.replicas or 0, status.available_replicas or 0) == (wanted,) * 3
        )

    only = {"field_selector": f"metadata.name={name}"}
    return watch_until(apps.list_namespaced_deployment, namespace, since="0", until=over, **only)[-1][1]


def _revisions(apps: AppsV1Api, namespace: str) -> list[tuple[int, str, int]]:
    """(revision, image, replicas) of the ReplicaSets."""
    found = apps.list_namespaced_replica_set(namespace).items
    return sorted(
        (
            int(rs.metadata.annotations[REVISION]),
            rs.spec.template.spec.containers[0].image.rpartition("/")[2],
            rs.spec.replicas,
        )
        for rs in found
    )


@behaviour("[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones")
@behaviour("[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones")
@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_a_rollout(apps: AppsV1Api, core: CoreV1Api, namespace: str, strategy: str) -> None:
    apps.create_namespaced_deployment(namespace, _body("d", 3, strategy={"type": strategy}))
    _finished(apps, namespace)
    since = core.list_namespaced_pod(namespace).metadata.resource_version
    apps.patch_namespaced_deployment("d", namespace, {"spec": {"template": _template("c:2")}})
    done = _finished(apps, namespace)
    assert done.metadata.annotations[REVISION] == "2"
    assert _revisions(apps, namespace) == [(1, "c:1", 0), (2, "c:2", 3)]
    eventually(lambda: len(core.list_namespaced_pod(namespace).items) == 3)
    ended: set[str] = set()

    def all_ended(kind: str, pod: Any) -> bool:
        ended.update([pod.metadata.name] if kind == "DELETED" else [])
        return len(ended) == 3

    seen = watch_until(core.list_namespaced_pod, namespace, since=since, until=all_ended)
    first_added = [kind for kind, _ in seen].index("ADDED") if "ADDED" in [kind for kind, _ in seen] else len(seen)
    ended_before = [kind for kind, _ in seen[:first_added]].count("DELETED")
    assert (ended_before == 3) == (strategy == "Recreate")


@behaviour("[sig-apps] Deployment deployment should delete old replica sets")
def test_the_history_is_limited(apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, _body("d", 1, revisionHistoryLimit=0))
    _finished(apps, namespace)
    apps.patch_namespaced_deployment("d", namespace, {"spec": {"template": _template("c:2")}})
    _finished(apps, namespace)
    eventually(lambda: _revisions(apps, namespace) == [(2, "c:2", 1)])


@behaviour("[sig-apps] Deployment deployment should support rollover")
def test_a_rollout_over_another(apps: AppsV1Api, namespace: str) -> None:
    """A template whose pods never become ready does not keep the next from coming."""
    apps.create_namespaced_deployment(namespace, _body("d", 2))
    _finished(apps, namespace)
    stuck = _template("c:stuck")
    stuck["spec"]["nodeSelector"] = {"no-such": "node"}
    apps.patch_namespaced_deployment("d", namespace, {"spec": {"template": stuck}})
    eventually(lambda: any(revision == 2 and replicas for revision, _, replicas in _revisions(apps, namespace)))
    good = {**_template("c:3"), "spec": {**_template("c:3")["spec"], "nodeSelector": None}}
    apps.patch_namespaced_deployment("d", namespace, {"spec": {"template": good}})
    _finished(apps, namespace)
    assert [(image, replicas) for _, image, replicas in _revisions(apps, namespace)] == [
        ("c:1", 0),
        ("c:stuck", 0),
        ("c:3", 2),
    ]


@behaviour("[sig-apps] Deployment deployment should support proportional scaling")
def test_proportional_scaling(apps: AppsV1Api, namespace: str) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    apps.create_namespaced_deployment(namespace, _body("d", 10, strategy=rolling))
    _finished(apps, namespace)
    stuck = _template("c:stuck")
    stuck["spec"]["nodeSelector"] = {"no-such": "node"}
    apps.patch_namespaced_deployment("d", namespace, {"spec": {"template": stuck}})
    eventually(lambda: [n for _, _, n in _revisions(apps, namespace)] == [8, 5])
    apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 30}})
    eventually(lambda: [n for _, _, n in _revisions(apps, namespace)] == [20, 13])


@behaviour("[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods")
def test_adoption(apps: AppsV1Api, core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_pod(
        namespace, {"metadata": {"name": "orphan", "labels": {"app": "a"}}, "spec": QUICK["spec"]}
    )
    made = apps.create_namespaced_replica_set(namespace, _body("rs", 1))

    def owner() -> str | None:
        references = core.read_namespaced_pod("orphan", namespace).metadata.owner_references
        return references[0].uid if references else None

    eventually(lambda: owner() == made.metadata.uid)
    assert len(core.list_namespaced_pod(namespace).items) == 1
    core.patch_namespaced_pod("orphan", namespace, {"metadata": {"labels": {"app": "not-matching"}}})
    eventually(lambda: owner() is None)
    eventually(lambda: len(core.list_namespaced_pod(namespace).items) == 2)


@behaviour("[sig-apps] ReplicaSet Replace and Patch tests")
def test_replace_and_patch(apps: AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_replica_set(namespace, _body("rs", 1))

    def ready(replicas: int) -> Callable[[str, Any], bool]:
        return lambda _, rs: (rs.spec.replicas, rs.status.ready_replicas) == (replicas, replicas)

    watch_until(apps.list_namespaced_replica_set, namespace, since="0", until=ready(1))
    apps.patch_namespaced_replica_set("rs", namespace, {"spec": {"replicas": 3, "template": _template("c:2")}})
    watch_until(apps.list_namespaced_replica_set, namespace, since="0", until=ready(3))

    def replaced() -> bool:
        read = apps.read_namespaced_replica_set("rs", namespace)
        read.spec.replicas = 2
        answer = apps.replace_namespaced_replica_set("rs", namespace, read)
        return bool(answer.spec.replicas == 2)

    eventually(replaced)
    watch_until(apps.list_namespaced_replica_set, namespace, since="0", until=ready(2))


@behaviour("[sig-apps] ReplicaSet Replicaset should have a working scale subresource")
@behaviour(
    "[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource"
)
@pytest.mark.parametrize(
    "path",
    [
        "apis/apps/v1/{}/replicasets",
        "apis/apps/v1/{}/statefulsets",
        "apis/apps/v1/{}/deployments",
        "api/v1/{}/replicationcontrollers",
    ],
)
def test_scale(http: Http, namespace: str, path: str) -> None:
    """Deployment should have a working scale subresource, and so has every kind with replicas."""
    where = "/" + path.format(f"namespaces/{namespace}")
    body = _body("x", 1)
    if path.endswith("statefulsets"):
        body["spec"]["serviceName"] = "none"
    if path.endswith("replicationcontrollers"):
        body["spec"]["selector"] = SELECTOR["matchLabels"]
    http.ok("POST", where, body)
    scale = http.ok("GET", f"{where}/x/scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 1})
    scale["spec"]["replicas"] = 2
    scale["metadata"].pop("resourceVersion")
    assert http.ok("PUT", f"{where}/x/scale", scale)["spec"] == {"replicas": 2}
    patch = {"spec": {"replicas": 4}}
    http.ok("PATCH", f"{where}/x/scale", patch, content_type="application/merge-patch+json")
    read = http.ok("GET", f"{where}/x")
    assert (read["spec"]["replicas"], read["metadata"]["generation"]) == (4, 3)
    assert http.ok("GET", f"{where}/x/scale")["status"]["selector"] == "app=a"


@behaviour("[sig-apps] Job should manage the lifecycle of a job")
def test_a_job_is_kept(api: ApiClient, namespace: str) -> None:
    """Suspended, resumed, annotated, replaced and deleted; whose pods run is its controller's matter."""
    batch = BatchV1Api(api)
    since = batch.list_namespaced_job(namespace).metadata.resource_version
    template = {**JOB_TEMPLATE, "metadata": {"labels": {"app": "a"}}}
    spec = {"suspend": True, "parallelism": 2, "completions": 4, "backoffLimit": 6, "template": template}
    batch.create_namespaced_job(namespace, {"metadata": {"name": "j", "labels": {"e2e": "j"}}, "spec": spec})
    patched = batch.patch_namespaced_job(
        "j", namespace, {"metadata": {"labels": {"patched": "yes"}}, "spec": {"suspend": False}}
    )
    assert not patched.spec.suspend
    read = batch.read_namespaced_job("j", namespace)
    read.metadata.annotations = {"updated": "true"}
    batch.replace_namespaced_job("j", namespace, read)
    assert len(batch.list_job_for_all_namespaces(label_selector="e2e=j,patched=yes").items) == 1
    batch.delete_collection_namespaced_job(namespace, label_selector="e2e=j", propagation_policy="Background")
    seen = watch_until(batch.list_namespaced_job, namespace, since=since, until=lambda kind, _: kind == "DELETED")
    assert seen[0][0] == "ADDED"


@behaviour("[sig-apps] ReplicationController should test the lifecycle of a ReplicationController")
@behaviour("[sig-apps] ReplicationController should release no longer matching pods")
@behaviour("[sig-apps] ReplicationController should serve a basic image on each replica with a public image")
def test_a_replication_controller(core: CoreV1Api, namespace: str) -> None:
    spec = {"replicas": 1, "selector": {"app": "a"}, "template": QUICK}
    since = core.list_namespaced_replication_controller(namespace).metadata.resource_version
    core.create_namespaced_replication_controller(
        namespace, {"metadata": {"name": "rc", "labels": {"e2e": "rc"}}, "spec": spec}
    )

    def ready(replicas: int) -> Callable[[str, Any], bool]:
        return lambda _, rc: (rc.spec.replicas, rc.status.ready_replicas) == (replicas, replicas)

    watch_until(core.list_namespaced_replication_controller, namespace, since="0", until=ready(1))
    core.patch_namespaced_replication_controller("rc", namespace, {"metadata": {"labels": {"patched": "yes"}}})
    core.patch_namespaced_replication_controller_scale("rc", namespace, {"spec": {"replicas": 2}})
    watch_until(core.list_namespaced_replication_controller, namespace, since="0", until=ready(2))
    status = core.patch_namespaced_replication_controller_status(
        "rc", namespace, {"status": {"conditions": [{"type": "E2E", "status": "True"}]}}
    )
    assert "E2E" in [c.type for c in status.status.conditions]
    [first, _] = core.list_namespaced_pod(namespace).items
    core.patch_namespaced_pod(first.metadata.name, namespace, {"metadata": {"labels": {"app": "released"}}})
    eventually(lambda: not core.read_namespaced_pod(first.metadata.name, namespace).metadata.owner_references)
    eventually(lambda: len(core.list_namespaced_pod(namespace, label_selector="app=a").items) == 2)
    core.delete_collection_namespaced_replication_controller(namespace, label_selector="e2e=rc")
    watch_until(
        core.list_namespaced_replication_controller, namespace, since=since, until=lambda kind, _: kind == "DELETED"
    )
