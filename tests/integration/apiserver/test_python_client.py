"""The official Python client (PyPI kubernetes) creates, reads, patches, watches and deletes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import kubernetes
import pytest
from kubernetes.client import ApiException, AppsV1Api, CoreV1Api, V1ConfigMap, V1ObjectMeta

from tests.support.control_plane import ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def api_client(plane: ControlPlane) -> kubernetes.client.ApiClient:
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(plane.kubeconfig), client_configuration=configuration)
    return kubernetes.client.ApiClient(configuration)


async def _blocking(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return await asyncio.to_thread(call, *arguments, **options)


def _configmap(name: str, **data: str) -> V1ConfigMap:
    return V1ConfigMap(metadata=V1ObjectMeta(name=name, labels={"made-by": "python"}), data=data)


async def test_create_read_patch_replace_delete(api_client: kubernetes.client.ApiClient, namespace: str) -> None:
    core = CoreV1Api(api_client)
    made = await _blocking(core.create_namespaced_config_map, namespace, _configmap("a", k="v"))
    assert made.metadata.uid
    assert made.metadata.creation_timestamp.tzinfo is not None
    patched = await _blocking(core.patch_namespaced_config_map, "a", namespace, {"data": {"l": "w"}})
    assert patched.data == {"k": "v", "l": "w"}
    patched.data = {"only": "this"}
    replaced = await _blocking(core.replace_namespaced_config_map, "a", namespace, patched)
    assert replaced.data == {"only": "this"}
    with pytest.raises(ApiException) as caught:
        await _blocking(core.replace_namespaced_config_map, "a", namespace, patched)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    found = await _blocking(core.list_namespaced_config_map, namespace, label_selector="made-by=python")
    assert [item.metadata.name for item in found.items] == ["a"]
    await _blocking(core.delete_namespaced_config_map, "a", namespace)
    with pytest.raises(ApiException) as caught:
        await _blocking(core.read_namespaced_config_map, "a", namespace)
    assert caught.value.status == 404


async def test_pages(api_client: kubernetes.client.ApiClient, namespace: str) -> None:
    core = CoreV1Api(api_client)
    for n in range(5):
        await _blocking(core.create_namespaced_secret, namespace, {"metadata": {"name": f"s{n}"}})
    names: list[str] = []
    token = None
    while True:
        page = await _blocking(core.list_namespaced_secret, namespace, limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"s{n}" for n in range(5)]


async def test_watch(api_client: kubernetes.client.ApiClient, namespace: str) -> None:
    core = CoreV1Api(api_client)
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        stream = kubernetes.watch.Watch()
        for event in stream.stream(core.list_namespaced_config_map, namespace, timeout_seconds=20):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                stream.stop()

    follower = asyncio.create_task(_blocking(follow))
    await _blocking(core.create_namespaced_config_map, namespace, _configmap("w", k="v"))
    await _blocking(core.patch_namespaced_config_map, "w", namespace, {"data": {"k": "x"}})
    await _blocking(core.delete_namespaced_config_map, "w", namespace)
    async with asyncio.timeout(30):
        await follower
    # The watch may start at any moment after the creation; it then begins with what there is.
    assert seen[0] == ("ADDED", "w")
    assert seen[-1] == ("DELETED", "w")


async def test_scale_and_status(api_client: kubernetes.client.ApiClient, namespace: str) -> None:
    apps = AppsV1Api(api_client)
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "example/c:1"}]}}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    made = await _blocking(apps.create_namespaced_deployment, namespace, body)
    assert made.spec.replicas == 1
    status = {"status": {"observedGeneration": 1, "replicas": 1}}
    changed = await _blocking(apps.patch_namespaced_deployment_status, "d", namespace, status)
    assert (changed.status.replicas, changed.spec.replicas) == (1, 1)
    scale = await _blocking(apps.patch_namespaced_deployment_scale, "d", namespace, {"spec": {"replicas": 3}})
    assert (scale.spec.replicas, scale.status.replicas, scale.status.selector) == (3, 1, "app=x")
