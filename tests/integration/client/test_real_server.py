"""The client against a real API server and store: both transports, restarts, informers, leader election."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kubeactors import Invalid, UnknownKindError, parse_manifests
from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.client import (
    ApiUnavailable,
    AsyncClient,
    Client,
    EventRecorder,
    Informer,
    LeaderElector,
    OutcomeUnknown,
    TlsConfig,
)
from kubeactors.client.kubeconfig import ClientConfig
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest_asyncio.fixture(params=["grpc", "https"], loop_scope="module")
async def client(plane: ControlPlane, request: pytest.FixtureRequest) -> AsyncIterator[AsyncClient]:
    if request.param == "grpc":
        made = AsyncClient([plane.grpc_endpoint], plane.tls(), timeout=30)
    else:
        made = AsyncClient.from_kubeconfig(plane.kubeconfig, timeout=30)
    async with made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def namespace(client: AsyncClient) -> AsyncIterator[str]:
    made = await client.create("namespaces", {"metadata": {"generateName": "client-"}})
    yield made["metadata"]["name"]
    await client.delete_collection("configmaps", made["metadata"]["name"])
    await client.delete("namespaces", made["metadata"]["name"])


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_verbs(client: AsyncClient, namespace: str) -> None:
    made = await client.create("configmaps", config_map("a", x="1"), namespace)
    assert (made["kind"], made["metadata"]["namespace"]) == ("ConfigMap", namespace)
    assert await client.get("configmaps", "a", namespace) == made
    made["data"]["x"] = "2"
    updated = await client.update("configmaps", made)
    with pytest.raises(StatusError) as conflict:
        await client.update("configmaps", made)
    assert (conflict.value.code, conflict.value.reason) == (409, "Conflict")
    for patch_type, patch in (
        ("merge", {"data": {"m": "1"}}),
        ("strategic", {"data": {"s": "1"}}),
        ("json", [{"op": "add", "path": "/data/j", "value": "1"}]),
    ):
        updated = await client.patch("configmaps", "a", patch, namespace, patch_type=patch_type)  # type: ignore[arg-type]
    assert updated["data"] == {"x": "2", "m": "1", "s": "1", "j": "1"}
    with pytest.raises(StatusError) as exists:
        await client.create("configmaps", config_map("a"), namespace)
    assert exists.value.reason == "AlreadyExists"
    with pytest.raises(StatusError) as invalid:
        await client.create("configmaps", config_map("No Name"), namespace)
    assert (invalid.value.reason, invalid.value.causes[0]["field"]) == ("Invalid", "metadata.name")
    dry = await client.create("configmaps", config_map("dry"), namespace, dry_run=True)
    assert meta.name(dry) == "dry"
    names = [meta.name(item) for item in await client.list("configmaps", namespace)]
    assert "a" in names and "dry" not in names
    listed = await client.list("configmaps", namespace, field_selector="metadata.name=a")
    assert [(i["kind"], i["apiVersion"]) for i in listed] == [("ConfigMap", "v1")]
    with pytest.raises(StatusError) as precondition:
        await client.delete("configmaps", "a", namespace, preconditions={"uid": "other"})
    assert precondition.value.code == 409
    await client.delete("configmaps", "a", namespace)
    with pytest.raises(StatusError) as missing:
        await client.get("configmaps", "a", namespace)
    assert missing.value.message == 'configmaps "a" not found'


async def test_pages(client: AsyncClient, namespace: str) -> None:
    await asyncio.gather(*(client.create("configmaps", config_map(f"p{n:02}"), namespace) for n in range(25)))
    page = await client.list("configmaps", namespace, limit=10)
    names = [meta.name(item) for item in page]
    assert len(names) == 10
    await client.delete("configmaps", "p20", namespace)
    while page.continue_:
        page = await client.list("configmaps", namespace, limit=10, continue_=page.continue_)
        names += [meta.name(item) for item in page]
    assert [name for name in names if name.startswith("p")] == [f"p{n:02}" for n in range(25)]


async def test_watch_and_wait(client: AsyncClient, namespace: str) -> None:
    await client.create("configmaps", config_map("a"), namespace)
    seen = []
    async with aclosing(client.watch("configmaps", namespace, name="a")) as events:
        async for event in events:
            seen.append(event.type)
            if len(seen) == 1:
                await client.patch("configmaps", "a", {"data": {"x": "1"}}, namespace)
            elif len(seen) == 2:
                await client.delete("configmaps", "a", namespace)
            else:
                break
    assert seen == ["ADDED", "MODIFIED", "DELETED"]
    waiting = asyncio.create_task(
        client.wait(
            "configmaps", "b", namespace, condition=lambda o: o is not None and o["data"].get("x") == "2", timeout=30
        )
    )
    await client.create("configmaps", config_map("b", x="1"), namespace)
    await client.patch("configmaps", "b", {"data": {"x": "2"}}, namespace)
    assert await waiting


async def test_apply(client: AsyncClient, namespace: str) -> None:
    container = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }
    await client.apply(deployment)
    await client.patch("deployments", "web", {"spec": {"replicas": 3}}, namespace)
    container["env"] = [{"name": "B", "value": "2"}]
    changed = await client.apply(deployment)
    assert changed["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "B", "value": "2"}]
    assert changed["spec"]["replicas"] == 3
    again = await client.apply(deployment)
    assert meta.resource_version(again) == meta.resource_version(changed)
    with pytest.raises(StatusError) as conflict:
        await client.apply({**deployment, "spec": {**deployment["spec"], "replicas": 5}}, field_manager="scaler")
    assert conflict.value.code == 409
    scaled = await client.apply(
        {**deployment, "spec": {**deployment["spec"], "replicas": 5}}, field_manager="scaler", force=True
    )
    assert scaled["spec"]["replicas"] == 5
    managers = [(entry["manager"], entry["operation"]) for entry in scaled["metadata"]["managedFields"]]
    assert ("kubeactors", "Apply") in managers and ("scaler", "Apply") in managers
    # What was read may be applied again.
    assert await client.apply(scaled, field_manager="scaler", dry_run=True)
    await client.delete("deployments", "web", namespace)


async def test_apply_beside_kubectl(plane: ControlPlane, client: AsyncClient, namespace: str) -> None:
    wanted = config_map("shared", x="1", y="1")
    wanted["metadata"]["namespace"] = namespace
    await client.apply(wanted)
    manifest = plane.directory / "shared.yaml"
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shared, namespace: {namespace}}}\ndata: {{x: '2'}}\n"
    manifest.write_text(text)
    refused = await plane.kubectl("apply", "--server-side", "-f", str(manifest))
    assert refused.code != 0
    assert 'conflict with "kubeactors": .data.x' in refused.stderr
    done = await plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(manifest))
    assert (done.code, done.stderr) == (0, "")
    assert (await client.get("configmaps", "shared", namespace))["data"] == {"x": "2", "y": "1"}
    await client.apply({**wanted, "data": {"z": "1"}})
    assert (await client.get("configmaps", "shared", namespace))["data"] == {"x": "2", "z": "1"}


async def test_events_and_leases(client: AsyncClient, namespace: str) -> None:
    obj = await client.create("configmaps", config_map("a"), namespace)
    recorder = EventRecorder(client, "tester", "here")
    for _ in range(3):
        recorder.event(obj, "Normal", "Tested", "it works")
    await recorder.stop()
    events = await client.list("events", namespace, field_selector="reason=Tested")
    assert [(e["count"], e["involvedObject"]["name"]) for e in events] == [(3, "a")]
    led = asyncio.Event()

    async def lead() -> None:
        led.set()

    await LeaderElector(client, "tester", namespace, identity="me").run(lead)
    assert led.is_set()
    lease = await client.get("leases", "tester", namespace)
    assert lease["spec"].get("holderIdentity", "") == ""


async def test_the_synchronous_client(plane: ControlPlane) -> None:
    def use() -> list[str]:
        with Client.from_kubeconfig(plane.kubeconfig) as rest, Client([plane.grpc_endpoint], plane.tls()) as grpc:
            rest.create("configmaps", config_map("sync"))
            assert grpc.get("configmaps", "sync")["metadata"]["uid"]
            with grpc.watch("configmaps", "default", name="sync") as events:
                first = next(events).type
                rest.delete("configmaps", "sync")
                return [first, next(events).type]

    assert await asyncio.to_thread(use) == ["ADDED", "DELETED"]


async def test_who_may_not_connect(plane: ControlPlane, tmp_path: Path) -> None:
    anonymous = TlsConfig(ca_file=plane.tls().ca_file)
    for endpoint in (plane.grpc_endpoint, plane.url):
        async with AsyncClient([endpoint], anonymous, timeout=30) as client:
            with pytest.raises(StatusError) as refused:
                await client.get("namespaces", "default")
            assert refused.value.code == 401
    async with AsyncClient(config=ClientConfig((plane.url,), anonymous, token="rubbish"), timeout=30) as client:
        with pytest.raises(StatusError) as refused:
            await client.get("namespaces", "default")
        assert refused.value.code == 401
    async with AsyncClient([plane.grpc_endpoint], TlsConfig(), timeout=1) as client:
        with pytest.raises(ApiUnavailable):
            await client.get("namespaces", "default")


@pytest.mark.parametrize("scheme", ["https", "grpc"])
async def test_a_service_account_may_connect(tmp_path: Path, scheme: str) -> None:
    async with control_plane(tmp_path) as plane:  # noqa: SIM117
        async with AsyncClient([plane.grpc_endpoint], plane.tls()) as admin:
            await admin.create("serviceaccounts", {"metadata": {"name": "robot", "namespace": "default"}})
            made = await admin.create("serviceaccounts", {}, "default", subresource="token", name="robot")
            endpoint = plane.url if scheme == "https" else plane.grpc_endpoint
            ca = TlsConfig(ca_file=plane.tls().ca_file)
            config = ClientConfig((endpoint,), ca, token=made["status"]["token"])
            async with AsyncClient(config=config, timeout=30) as robot:
                me = (await robot.create("selfsubjectreviews", {}))["status"]["userInfo"]
                assert me["username"] == "system:serviceaccount:default:robot"
                assert len(await robot.list("namespaces")) == 4
                await admin.delete("serviceaccounts", "robot", "default")
                with pytest.raises(StatusError) as refused:
                    await robot.list("namespaces")
                assert refused.value.code == 401


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_of_the_api_server(
    plane: ControlPlane, client: AsyncClient, namespace: str, number: signal.Signals
) -> None:
    """Reads never fail, a write fails only with an unknown outcome, informers miss nothing."""
    informer = Informer(client, "configmaps", namespace=namespace)
    await informer.start()
    await informer.wait_synced(10)
    stop = asyncio.Event()
    unknown: list[str] = []
    written: list[str] = []

    reads = 0

    async def read() -> None:
        nonlocal reads
        while not stop.is_set():
            await client.get("namespaces", namespace, timeout=30)
            reads += 1
            await asyncio.sleep(0.005)

    async def write(prefix: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{prefix}{number}"
            try:
                await client.create("configmaps", config_map(name), namespace, timeout=30)
            except OutcomeUnknown:
                unknown.append(name)
            else:
                written.append(name)
            await asyncio.sleep(0.005)

    reader = asyncio.create_task(read())
    writers = [asyncio.create_task(write(prefix)) for prefix in "ab"]
    await eventually(lambda: reads > 5 and len(written) > 5, timeout=30)
    await plane.restart_apiserver(number)
    enough = reads + 5, len(written) + 5
    await eventually(lambda: reads >= enough[0] and len(written) >= enough[1], timeout=30)
    stop.set()
    await asyncio.gather(reader, *writers)
    assert len(unknown) <= 2
    there = {meta.name(item) for item in await client.list("configmaps", namespace)}
    assert set(written) <= there
    await eventually(lambda: {meta.name(o) for o in informer.lister.list()} == there)
    await informer.stop()


async def test_an_idle_client_keeps_its_connection(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server must take keepalive pings as often as clients send them."""
    monkeypatch.setattr("kubeactors.client.grpc_transport.KEEPALIVE_TIME", 5.5)
    async with AsyncClient([plane.grpc_endpoint], plane.tls(), timeout=30) as client:
        await client.get("namespaces", "default")
        transport: Any = client._transport
        before = transport._current
        await asyncio.sleep(25)
        assert transport._current is before


WIDGETS = """
apiVersion: v1
kind: List
items:
- apiVersion: client.example.com/v1
  kind: Widget
  metadata: {name: first}
  spec: {size: 3}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.client.example.com}
spec:
  group: client.example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wg]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer, maximum: 5}}}
          status: {type: object, properties: {size: {type: integer}}}
"""


async def test_custom_resources_go_by_their_names(client: AsyncClient, namespace: str) -> None:
    with pytest.raises(UnknownKindError, match="no resource 'widgets'"):
        await client.list("widgets")
    manifests = parse_manifests(WIDGETS)
    manifests[0]["metadata"]["namespace"] = namespace
    try:
        definition, _ = await client.apply_all(manifests)
        assert definition["kind"] == "CustomResourceDefinition", "what others need goes first"
        for name in ("widgets", "wg", "Widget", "widget.client.example.com", "widgets.v1.client.example.com"):
            assert [each["metadata"]["name"] for each in await client.list(name, namespace)] == ["first"]
        with pytest.raises(Invalid) as invalid:
            await client.scale("widgets", "first", 9, namespace)
        assert [*invalid.value.fields] == ["spec.size"], invalid.value.fields
        await client.scale("widgets", "first", 2, namespace)
        waiting = client.wait("wg", "first", namespace, condition="jsonpath={.status.size}=2", timeout=30)
        waiter = asyncio.create_task(waiting)
        await client.modify("wg", "first", lambda w: w.update(status={"size": 2}), namespace, subresource="status")
        assert ((await waiter) or {})["spec"] == {"size": 2}
        assert [each async for each in client.iterate("wg", page_size=1)] == [
            await client.get("wg", "first", namespace)
        ]
        served = {each.resource.qualified_name: each for each in await client.resources()}
        assert {"status", "scale"} <= {*served["widgets.client.example.com"].subresources}
        assert {"get", "watch"} <= served["pods"].verbs and "log" in served["pods"].subresources
        assert served["widgets.client.example.com"].resource == await client.resource("wg")
    finally:
        await client.delete_all(manifests)
    await client.wait("crd", definition["metadata"]["name"], condition="delete", timeout=30)
    await client.delete_all(manifests)
