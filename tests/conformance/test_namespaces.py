"""Namespaces: patch, update, status, finalizers, and what becomes of what is in them."""

from __future__ import annotations

import kubernetes
import pytest
from kubernetes.client import ApiException, CoreV1Api

from tests.conformance.clients import watch_until
from tests.conformance.registry import behaviour


@behaviour("[sig-api-machinery] Namespaces [Serial] should patch a Namespace")
def test_patch(core: CoreV1Api, namespace: str) -> None:
    patched = core.patch_namespace(namespace, {"metadata": {"labels": {"testLabel": "testValue"}}})
    assert patched.metadata.labels == {"testLabel": "testValue", "kubernetes.io/metadata.name": namespace}
    assert core.read_namespace(namespace).metadata.labels["testLabel"] == "testValue"


@behaviour("[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace")
def test_update(core: CoreV1Api, namespace: str) -> None:
    read = core.read_namespace(namespace)
    read.metadata.labels["changed"] = "yes"
    assert core.replace_namespace(namespace, read).metadata.labels["changed"] == "yes"


@behaviour("[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status")
def test_status(core: CoreV1Api, namespace: str) -> None:
    assert core.read_namespace_status(namespace).status.phase == "Active"
    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched by an e2e test"}
    patched = core.patch_namespace_status(
        namespace,
        {"metadata": {"annotations": {"patchednamespacestatus": "true"}}, "status": {"conditions": [condition]}},
    )
    assert patched.metadata.annotations == {"patchednamespacestatus": "true"}
    assert [c.type for c in patched.status.conditions] == ["StatusPatch"]
    patched.status.conditions.append(
        kubernetes.client.V1NamespaceCondition(type="StatusUpdate", status="True", reason="E2E", message="Updated")
    )
    core.replace_namespace_status(namespace, patched)
    read = core.read_namespace(namespace)
    assert [c.type for c in read.status.conditions] == ["StatusPatch", "StatusUpdate"]
    assert read.status.phase == "Active"


@behaviour("[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace")
def test_finalizer(core: CoreV1Api, namespace: str) -> None:
    assert core.read_namespace(namespace).spec.finalizers == ["kubernetes"]
    read = core.read_namespace(namespace)
    read.spec.finalizers.append("e2e.example.com/fakeFinalizer")
    core.replace_namespace(namespace, read)  # is not where finalizers are written
    assert core.read_namespace(namespace).spec.finalizers == ["kubernetes"]
    read = core.read_namespace(namespace)
    read.spec.finalizers.append("e2e.example.com/fakeFinalizer")
    core.replace_namespace_finalize(namespace, read)
    read = core.read_namespace(namespace)
    assert read.spec.finalizers == ["kubernetes", "e2e.example.com/fakeFinalizer"]
    read.spec.finalizers = ["kubernetes"]
    core.replace_namespace_finalize(namespace, read)
    assert core.read_namespace(namespace).spec.finalizers == ["kubernetes"]


@behaviour(
    "[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted"
)
def test_everything_goes_with_its_namespace(core: CoreV1Api, namespace: str) -> None:
    """Should ensure that all pods are removed too, and first: what they may need stays until they are gone."""
    core.create_namespaced_service(namespace, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "needed"}})
    container = {"name": "c", "image": "registry.example/c:1"}
    held = {"name": "p", "finalizers": ["example.com/held"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    core.create_namespaced_pod(namespace, {"metadata": held, "spec": spec})
    since = core.list_namespace().metadata.resource_version
    core.delete_namespace(namespace)

    def contents_remain(_: str, obj: kubernetes.client.V1Namespace) -> bool:
        conditions = obj.status.conditions or ()
        return any(c.type == "NamespaceFinalizersRemaining" and c.status == "True" for c in conditions)

    only = {"field_selector": f"metadata.name={namespace}"}
    waiting = watch_until(core.list_namespace, since=since, until=contents_remain, **only)[-1][1]
    assert waiting.status.phase == "Terminating"
    [message] = [c.message for c in waiting.status.conditions if c.type == "NamespaceFinalizersRemaining"]
    assert "example.com/held in 1 resource instances" in message
    assert core.read_namespaced_config_map("needed", namespace).metadata.deletion_timestamp is None
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "late"}})
    assert caught.value.status == 403
    assert "because it is being terminated" in caught.value.body
    core.patch_namespaced_pod("p", namespace, {"metadata": {"finalizers": None}})
    watch_until(
        core.list_namespace,
        since=waiting.metadata.resource_version,
        until=lambda happened, _: happened == "DELETED",
        **only,
    )
    core.create_namespace({"metadata": {"name": namespace}})
    assert core.list_namespaced_service(namespace).items == []
    assert core.list_namespaced_pod(namespace).items == []
    assert "needed" not in [item.metadata.name for item in core.list_namespaced_config_map(namespace).items]


def test_a_system_namespace_cannot_be_deleted(core: CoreV1Api) -> None:
    for name in ("default", "kube-system", "kube-public"):
        with pytest.raises(ApiException) as caught:
            core.delete_namespace(name)
        assert caught.value.status == 403
