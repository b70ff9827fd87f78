"""What becomes of dependents when an owner is deleted: background, foreground, orphaned, in circles."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiClient, AppsV1Api, BatchV1Api, CoreV1Api

from tests.conformance.clients import eventually, watch_until
from tests.conformance.registry import behaviour
from tests.conformance.samples import SELECTOR, TEMPLATE


def _rc(name: str, replicas: int) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"app": "a"}, "template": TEMPLATE}}


def _deployment(replicas: int) -> dict[str, Any]:
    return {"metadata": {"name": "d"}, "spec": {"replicas": replicas, "selector": SELECTOR, "template": TEMPLATE}}


def _owner(kind: str, obj: Any, **fields: Any) -> dict[str, Any]:
    api_version = "v1" if kind in ("Pod", "ReplicationController", "ConfigMap") else "apps/v1"
    return {"apiVersion": api_version, "kind": kind, "name": obj.metadata.name, "uid": obj.metadata.uid, **fields}


def _has_pods(core: CoreV1Api, namespace: str, count: int) -> list[Any]:
    def there() -> list[Any] | None:
        pods: list[Any] = core.list_namespaced_pod(namespace).items
        return pods if len(pods) == count else None

    found = eventually(there)
    assert found is not None
    return found


def _gone(list_function: Callable[..., Any], namespace: str) -> None:
    eventually(lambda: not list_function(namespace).items)


@behaviour("[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning")
def test_background(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """Should delete pods created by rc when not orphaning, one level further."""
    apps = AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, _deployment(2))
    _has_pods(core, namespace, 2)
    apps.delete_namespaced_deployment("d", namespace, body={"propagationPolicy": "Background"})
    _gone(apps.list_namespaced_replica_set, namespace)
    _gone(core.list_namespaced_pod, namespace)


def test_orphaned_replica_sets(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """Should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan."""
    apps = AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, _deployment(1))
    _has_pods(core, namespace, 1)
    apps.delete_namespaced_deployment("d", namespace, body={"propagationPolicy": "Orphan"})
    _gone(apps.list_namespaced_deployment, namespace)
    [left] = apps.list_namespaced_replica_set(namespace).items
    assert not left.metadata.owner_references
    assert left.metadata.deletion_timestamp is None
    [pod] = core.list_namespaced_pod(namespace).items
    assert pod.metadata.owner_references[0].name == left.metadata.name


@behaviour("[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Serial]")
def test_orphaned_pods(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_replication_controller(namespace, _rc("rc", 10))
    _has_pods(core, namespace, 10)
    core.delete_namespaced_replication_controller("rc", namespace, body={"propagationPolicy": "Orphan"})
    _gone(core.list_namespaced_replication_controller, namespace)
    pods = core.list_namespaced_pod(namespace).items
    assert len(pods) == 10
    assert not any(pod.metadata.owner_references or pod.metadata.deletion_timestamp for pod in pods)


def test_foreground(core: CoreV1Api, namespace: str) -> None:
    """Should keep the rc around until all its pods are deleted if the deleteOptions says so."""
    core.create_namespaced_replication_controller(namespace, _rc("rc", 3))
    pods = _has_pods(core, namespace, 3)
    held = pods[0].metadata.name
    core.patch_namespaced_pod(held, namespace, {"metadata": {"finalizers": ["example.com/held"]}})
    since = core.list_namespaced_pod(namespace).metadata.resource_version
    core.delete_namespaced_replication_controller("rc", namespace, body={"propagationPolicy": "Foreground"})
    ended = itertools.count(1)
    watch_until(
        core.list_namespaced_pod,
        namespace,
        since=since,
        until=lambda kind, _: kind == "DELETED" and next(ended) == 2,
    )
    waiting = core.read_namespaced_replication_controller("rc", namespace)
    assert "foregroundDeletion" in waiting.metadata.finalizers
    assert waiting.metadata.deletion_timestamp is not None
    core.patch_namespaced_pod(held, namespace, {"metadata": {"finalizers": None}})
    _gone(core.list_namespaced_replication_controller, namespace)


@behaviour(
    "[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's "
    "waiting for dependents to be deleted [Serial]"
)
def test_a_second_owner_keeps(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_replication_controller(namespace, _rc("ends", 10))
    pods = _has_pods(core, namespace, 10)
    stays = core.create_namespaced_replication_controller(
        namespace,
        {
            **_rc("stays", 0),
            "spec": {
                **_rc("stays", 0)["spec"],
                "selector": {"other": "x"},
                "template": {**TEMPLATE, "metadata": {"labels": {"other": "x"}}},
            },
        },
    )
    kept = {pod.metadata.name for pod in pods[:5]}
    for name in kept:
        patch = {"metadata": {"ownerReferences": [_owner("ReplicationController", stays)]}}
        core.patch_namespaced_pod(name, namespace, patch)
    core.delete_namespaced_replication_controller("ends", namespace, body={"propagationPolicy": "Foreground"})
    eventually(
        lambda: [rc.metadata.name for rc in core.list_namespaced_replication_controller(namespace).items] == ["stays"]
    )
    left = core.list_namespaced_pod(namespace).items
    assert {pod.metadata.name for pod in left} == kept
    assert all(pod.metadata.deletion_timestamp is None for pod in left)
    assert all([o.name for o in pod.metadata.owner_references] == ["stays"] for pod in left)


@behaviour("[sig-api-machinery] Garbage collector should not be blocked by dependency circle")
@pytest.mark.parametrize("policy", ["Foreground", "Background"])
def test_a_circle_of_owners(core: CoreV1Api, namespace: str, policy: str) -> None:
    spec = {**TEMPLATE["spec"], "terminationGracePeriodSeconds": 0}
    pods = [
        core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})
        for name in ("one", "two", "three")
    ]
    for pod, owner in zip(pods, (pods[2], pods[0], pods[1]), strict=True):
        reference = _owner("Pod", owner, controller=True, blockOwnerDeletion=True)
        core.patch_namespaced_pod(pod.metadata.name, namespace, {"metadata": {"ownerReferences": [reference]}})
    core.delete_namespaced_pod("one", namespace, body={"propagationPolicy": policy, "gracePeriodSeconds": 0})
    _gone(core.list_namespaced_pod, namespace)


def test_an_owner_that_never_was(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "owner"}})
    owner = core.read_namespaced_config_map("owner", namespace)
    gone = {**_owner("ConfigMap", owner), "name": "never", "uid": "5f0b6b9e-0000-4000-8000-000000000000"}
    for name, references in (("goes", [gone]), ("stays", [gone, _owner("ConfigMap", owner)])):
        core.create_namespaced_secret(namespace, {"metadata": {"name": name, "ownerReferences": references}})
    eventually(lambda: [s.metadata.name for s in core.list_namespaced_secret(namespace).items] == ["stays"])
    core.delete_namespaced_config_map("owner", namespace)
    _gone(core.list_namespaced_secret, namespace)


def test_cron_jobs_own_their_jobs(api: ApiClient, namespace: str) -> None:
    """Should delete jobs and pods created by cronjob: of a kind whose controller may be anybody's."""
    batch = BatchV1Api(api)
    template = {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": template}}}
    cron = batch.create_namespaced_cron_job(namespace, {"metadata": {"name": "c"}, "spec": spec})
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": cron.metadata.uid, "controller": True}
    job = {"metadata": {"name": "j", "ownerReferences": [owner]}, "spec": {"suspend": True, "template": template}}
    batch.create_namespaced_job(namespace, job)
    batch.delete_namespaced_cron_job("c", namespace, body={"propagationPolicy": "Background"})
    _gone(batch.list_namespaced_job, namespace)
