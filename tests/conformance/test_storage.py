"""Volumes and claims, as the API keeps them."""

from __future__ import annotations

import pytest
from kubernetes.client import ApiException, CoreV1Api

from tests.conformance.clients import eventually, watch_until
from tests.conformance.registry import behaviour
from tests.conformance.samples import SINCE


@behaviour("[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC")
def test_a_volume_and_its_claim(core: CoreV1Api, namespace: str) -> None:
    """Should apply changes to a pv/pvc status, too."""
    label = {"e2e": namespace}
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "csi": {"driver": "csi.example.com", "volumeHandle": "h"},
        "persistentVolumeReclaimPolicy": "Delete",
    }
    core.create_persistent_volume({"metadata": {"name": namespace, "labels": label}, "spec": spec})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    core.create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": "c", "labels": label}, "spec": claim}
    )
    assert [pv.metadata.name for pv in core.list_persistent_volume(label_selector=f"e2e={namespace}").items] == [
        namespace
    ]
    everywhere = core.list_persistent_volume_claim_for_all_namespaces(label_selector=f"e2e={namespace}").items
    assert [pvc.metadata.name for pvc in everywhere] == ["c"]
    patched = core.patch_persistent_volume(namespace, {"metadata": {"labels": {"patched": "yes"}}})
    assert patched.metadata.labels["patched"] == "yes"
    core.patch_namespaced_persistent_volume_claim("c", namespace, {"metadata": {"labels": {"patched": "yes"}}})
    assert core.read_namespaced_persistent_volume_claim("c", namespace).metadata.labels["patched"] == "yes"
    with pytest.raises(ApiException) as caught:
        core.patch_persistent_volume(namespace, {"spec": {"csi": {"volumeHandle": "other"}}})
    assert "spec.persistentvolumesource is immutable after creation" in caught.value.body
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_persistent_volume_claim("c", namespace, {"spec": {"accessModes": ["ReadOnlyMany"]}})
    assert "spec is immutable after creation" in caught.value.body

    status = core.patch_persistent_volume_status(namespace, {"status": {"message": "StatusPatch", "reason": "E2E"}})
    assert (status.status.message, status.status.reason) == ("StatusPatch", "E2E")
    status.status.message = "StatusUpdate"
    assert core.replace_persistent_volume_status(namespace, status).status.message == "StatusUpdate"
    condition = {**SINCE, "type": "StatusPatched", "status": "True"}
    status = core.patch_namespaced_persistent_volume_claim_status(
        "c", namespace, {"status": {"conditions": [condition]}}
    )
    assert [c.type for c in status.status.conditions] == ["StatusPatched"]

    since = core.list_namespaced_persistent_volume_claim(namespace).metadata.resource_version
    core.delete_namespaced_persistent_volume_claim("c", namespace)
    core.delete_collection_persistent_volume(label_selector=f"e2e={namespace}")
    watch_until(
        core.list_namespaced_persistent_volume_claim, namespace, since=since, until=lambda kind, _: kind == "DELETED"
    )
    eventually(lambda: not core.list_persistent_volume(label_selector=f"e2e={namespace}").items)


def test_a_claim_in_use_stays(core: CoreV1Api, namespace: str) -> None:
    """Storage object in use protection (KEP-193 of old): a pod that has it keeps it."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": "c"}, "spec": claim})
    container = {"name": "c", "image": "registry.example/c:1"}
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    spec = {"nodeName": "node-a", "containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
    core.delete_namespaced_persistent_volume_claim("c", namespace)
    read = core.read_namespaced_persistent_volume_claim("c", namespace)
    assert read.metadata.deletion_timestamp is not None
    assert read.metadata.finalizers == ["kubernetes.io/pvc-protection"]
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)
    eventually(lambda: not core.list_namespaced_persistent_volume_claim(namespace).items)
