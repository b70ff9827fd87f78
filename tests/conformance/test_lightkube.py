"""The same API through lightkube, which nobody here wrote: typed objects, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.codecs import load_all_yaml
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod, Secret, Service
from lightkube.types import CascadeType, PatchType

from tests.conformance.clients import Http, eventually
from tests.conformance.cluster import Cluster
from tests.conformance.definitions import define, definition, version

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: a}, ports: [{port: 80}]}
"""


@pytest.fixture
def light(cluster: Cluster, namespace: str) -> Iterator[Client]:
    """A client of the test's namespace."""
    client = Client(KubeConfig.from_file(cluster.kubeconfig), namespace=namespace, field_manager="lightkube")
    yield client
    client.close()


def _deployment(name: str, replicas: int) -> Deployment:
    return Deployment(
        metadata=ObjectMeta(name=name),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(matchLabels={"app": "a"}),
            template=PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": "a"}),
                spec=PodSpec(containers=[Container(name="c", image="registry.example/c:1")]),
            ),
        ),
    )


def test_objects_are_made_read_changed_and_deleted(light: Client, namespace: str) -> None:
    made = light.create(ConfigMap(metadata=ObjectMeta(name="a", labels={"l": "1"}), data={"k": "v"}))
    assert made.metadata is not None
    assert made.metadata.namespace == namespace
    assert light.get(ConfigMap, "a").data == {"k": "v"}
    for patch_type, patch in (
        (PatchType.MERGE, {"data": {"merge": "1"}}),
        (PatchType.STRATEGIC, {"data": {"strategic": "1"}}),
        (PatchType.JSON, [{"op": "add", "path": "/data/json", "value": "1"}]),
    ):
        light.patch(ConfigMap, "a", patch, patch_type=patch_type)
    read = light.get(ConfigMap, "a")
    assert read.data == {"k": "v", "merge": "1", "strategic": "1", "json": "1"}
    read.data = {"only": "this"}
    light.replace(read)
    with pytest.raises(ApiError) as caught:
        light.replace(read)
    assert (caught.value.status.code, caught.value.status.reason) == (409, "Conflict")
    assert [item.metadata.name for item in light.list(ConfigMap, labels={"l": "1"}) if item.metadata] == ["a"]
    assert [item.metadata.name for item in light.list(ConfigMap, labels={"l": ["2", "3"]}) if item.metadata] == []
    light.delete(ConfigMap, "a")
    with pytest.raises(ApiError) as caught:
        light.get(ConfigMap, "a")
    assert caught.value.status.code == 404


def test_long_lists_come_in_pieces(light: Client) -> None:
    for n in range(12):
        light.create(Secret(metadata=ObjectMeta(name=f"s{n:02}", labels={"l": "1"})))
    found = light.list(Secret, chunk_size=5, labels={"l": "1"})
    assert [item.metadata.name for item in found if item.metadata] == [f"s{n:02}" for n in range(12)]
    light.deletecollection(Secret)
    assert list(light.list(Secret)) == []


def test_manifests_are_applied_and_fields_owned(light: Client) -> None:
    """Server-side apply: who applied a field keeps it, unless the other insists."""
    for obj in load_all_yaml(MANIFESTS):
        light.apply(obj)
    for obj in load_all_yaml(MANIFESTS.replace("blue", "green")):
        light.apply(obj)
    assert light.get(ConfigMap, "settings").data == {"colour": "green"}
    theirs = ConfigMap(metadata=ObjectMeta(name="settings"), data={"colour": "red"})
    with pytest.raises(ApiError) as caught:
        light.apply(theirs, field_manager="other")
    assert caught.value.status.code == 409
    assert 'conflict with "lightkube"' in (caught.value.status.message or "")
    forced = light.apply(theirs, field_manager="other", force=True)
    assert forced.data == {"colour": "red"}
    empty = ConfigMap(metadata=ObjectMeta(name="settings"), data={})
    light.apply(empty, field_manager="lightkube")
    assert light.get(ConfigMap, "settings").data == {"colour": "red"}, "it belongs to the other now"
    light.apply(empty, field_manager="other")
    assert not light.get(ConfigMap, "settings").data


def test_a_deployment_becomes_available(light: Client) -> None:
    light.create(_deployment("d", 2))
    done = light.wait(Deployment, "d", for_conditions=["Available"])
    assert done.status is not None
    scale = light.get(Deployment.Scale, "d")
    scale.spec = ScaleSpec(replicas=3)
    light.replace(scale, name="d")
    eventually(lambda: len(list(light.list(Pod, labels={"app": "a"}))) == 3)
    light.delete(Deployment, "d", cascade=CascadeType.FOREGROUND)
    eventually(lambda: not list(light.list(Pod)))


def test_a_watch_follows_from_a_version(light: Client) -> None:
    first = light.create(ConfigMap(metadata=ObjectMeta(name="a", labels={"ours": ""})))
    light.patch(ConfigMap, "a", {"data": {"k": "v"}})
    light.delete(ConfigMap, "a")
    seen: list[str] = []
    assert first.metadata is not None
    for kind, _ in light.watch(
        ConfigMap, labels={"ours": ""}, resource_version=first.metadata.resourceVersion, server_timeout=60
    ):
        seen.append(kind)
        if kind == "DELETED":
            break
    assert seen == ["MODIFIED", "DELETED"]


def test_custom_resources_need_no_types(light: Client, http: Http, namespace: str) -> None:
    group = f"{namespace}.example.com"
    define(http, definition(group, "gadgets", version("v1", storage=True, subresources={"status": {}})))
    gadget: Any = create_namespaced_resource(group, "v1", "Gadget", "gadgets")
    light.create(gadget(metadata=ObjectMeta(name="g"), spec={"size": 1}))
    light.patch(gadget.Status, "g", {"status": {"ready": True}}, patch_type=PatchType.MERGE)
    read = light.get(gadget, "g")
    assert (read.spec, read.status) == ({"size": 1}, {"ready": True})
    assert [item.metadata.name for item in light.list(gadget)] == ["g"]


def test_cluster_scoped_kinds_and_all_namespaces(light: Client, namespace: str) -> None:
    assert {node.metadata.name for node in light.list(Node) if node.metadata} >= {"node-a", "node-b"}
    assert light.get(Namespace, namespace).status is not None
    everywhere = light.list(Service, namespace="*", fields={"metadata.name": "kubernetes"})
    assert [item.metadata.namespace for item in everywhere if item.metadata] == ["default"]


def test_many_at_once(cluster: Cluster, namespace: str) -> None:
    """The asynchronous client: creates at once while a watch sees all of them."""

    async def run() -> tuple[set[str], set[str]]:
        client = AsyncClient(KubeConfig.from_file(cluster.kubeconfig), namespace=namespace)
        try:
            names = {f"c{n}" for n in range(30)}
            seen: set[str] = set()

            async def follow() -> None:
                async for kind, obj in client.watch(ConfigMap, labels={"ours": ""}, server_timeout=60):
                    assert obj.metadata is not None
                    seen.add(obj.metadata.name or "")
                    if kind == "ADDED" and seen >= names:
                        return

            follower = asyncio.create_task(follow())
            made = [ConfigMap(metadata=ObjectMeta(name=name, labels={"ours": ""})) for name in names]
            await asyncio.gather(*(client.create(each) for each in made))
            await asyncio.wait_for(follower, 20)
            return names, seen
        finally:
            await client.close()

    names, seen = asyncio.run(run())
    assert seen == names
