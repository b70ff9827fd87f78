"""The finalizers of volumes and claims: who keeps them, and that they go when nobody does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager
from kubeactors.controllers.storage_protection import attributes_classes_of, claims_of, holds_claim
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi


def pod(node: str = "n1", phase: str = "Running", **volume: Any) -> Object:
    volumes = [{"name": "v", **(volume or {"persistentVolumeClaim": {"claimName": "c"}})}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": node, "volumes": volumes, "containers": []},
        "status": {"phase": phase},
    }


def guarded(kind: str, name: str, finalizer: str, **fields: Any) -> Object:
    group = "storage.k8s.io/" if kind == "VolumeAttributesClass" else ""
    metadata: Object = {"name": name, "finalizers": [f"kubernetes.io/{finalizer}"]}
    if kind == "PersistentVolumeClaim":
        metadata["namespace"] = "default"
    return {"apiVersion": f"{group}v1", "kind": kind, "metadata": metadata, **fields}


def test_which_claims_a_pod_has() -> None:
    assert claims_of(pod()) == {"c"}
    assert claims_of(pod(ephemeral={"volumeClaimTemplate": {}})) == {"p-v"}
    assert claims_of(pod(emptyDir={})) == set()


@pytest.mark.parametrize(
    ("found", "holds"),
    [(pod(), True), (pod(node=""), False), (pod(phase="Succeeded"), False), (pod(emptyDir={}), False)],
)
def test_a_pod_holds_a_claim_while_it_runs(found: Object, holds: bool) -> None:
    assert holds_claim(found, "c") is holds


def test_the_classes_of_a_claim_on_its_way_to_another() -> None:
    status = {
        "currentVolumeAttributesClassName": "a",
        "modifyVolumeStatus": {"targetVolumeAttributesClassName": "b"},
    }
    assert attributes_classes_of({"spec": {"volumeAttributesClassName": "c"}, "status": status}) == {"a", "b", "c"}
    assert attributes_classes_of({"spec": {}}) == set()


@pytest.fixture
async def api() -> AsyncIterator[tuple[FakeApi, AsyncClient]]:
    fake = FakeApi()
    client = fake.client()
    names = ["pvc-protection", "pv-protection", "volumeattributesclass-protection"]
    manager = ControllerManager(client, config=ControllerManagerConfig(leader_elect=False, controllers=names))
    fake.seed(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
        guarded("PersistentVolumeClaim", "c", "pvc-protection", spec={"volumeAttributesClassName": "gold"}),
        guarded("PersistentVolume", "v", "pv-protection", spec={}, status={"phase": "Bound"}),
        guarded("VolumeAttributesClass", "gold", "vac-protection", driverName="d"),
        pod(),
    )
    await manager.start()
    yield fake, client
    await manager.stop()


async def test_a_claim_goes_with_the_last_pod_that_has_it(api: tuple[FakeApi, AsyncClient]) -> None:
    fake, client = api
    await client.delete("persistentvolumeclaims", "c", "default")
    await client.delete("volumeattributesclasses", "gold")
    assert fake.get("persistentvolumeclaims", "c") is not None
    fake.modify("pods", "p", lambda found: found["status"].update(phase="Succeeded"))
    await eventually(lambda: fake.get("persistentvolumeclaims", "c") is None)
    # With the claim goes the last user of the class.
    await eventually(lambda: fake.get("volumeattributesclasses", "gold", None) is None)


async def test_a_volume_goes_when_it_is_no_longer_bound(api: tuple[FakeApi, AsyncClient]) -> None:
    fake, client = api
    await client.delete("persistentvolumes", "v")
    assert fake.get("persistentvolumes", "v", None) is not None
    fake.modify("persistentvolumes", "v", lambda found: found["status"].update(phase="Released"), "")
    await eventually(lambda: fake.get("persistentvolumes", "v", None) is None)
