"""Fields of the pod in files and in the environment (the downward API)."""

from typing import Any

import pytest

from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity
from tests.support.live_node import LiveNode
from tests.support.node_machine import container

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESOURCES = {"limits": {"cpu": "1250m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "32Mi"}}
AMOUNTS = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory")


def field(path: str, where: str = "", **more: Any) -> Object:
    return {"path": where or path, "fieldRef": {"fieldPath": path}, **more}


def amount(path: str, divisor: str) -> Object:
    return {"path": path, "resourceFieldRef": {"containerName": "c", "resource": path, "divisor": divisor}}


def as_volume(projected: bool, items: list[Object], mode: int | None = None) -> Object:
    defaults = {} if mode is None else {"defaultMode": mode}
    if projected:
        return {"projected": {"sources": [{"downwardAPI": {"items": items}}], **defaults}}
    return {"downwardAPI": {"items": items, **defaults}}


@pytest.mark.parametrize("projected", [False, True], ids=["downwardAPI", "projected"])
async def test_fields_as_files(node: LiveNode, projected: bool) -> None:
    machine = await node.client.get("nodes", node.name)
    allocatable = machine["status"]["allocatable"]
    items = [field("metadata.name", "name"), field("metadata.name", "guarded", mode=0o400)]
    amounts = [amount(path, "1m" if path.endswith("cpu") else "1Mi") for path in AMOUNTS]
    sources = [
        {"name": "plain", **as_volume(projected, items)},
        {"name": "tight", **as_volume(projected, items[:1], 0o400)},
        {"name": "amounts", **as_volume(projected, amounts)},
    ]
    script = "for f in /plain/* /tight/* /amounts/*; do echo $f $(stat -L -c %a $f) $(cat $f); done"
    where = [{"name": source["name"], "mountPath": f"/{source['name']}"} for source in sources]
    name = "fields-projected" if projected else "fields"
    await node.start_pod(
        name,
        container("c", script, volumeMounts=where, resources=RESOURCES),
        volumes=sources,
        restartPolicy="Never",
    )
    await node.start_pod(
        f"{name}-none", container("c", script, volumeMounts=where), volumes=sources, restartPolicy="Never"
    )
    modes = [f"/plain/guarded 400 {name}", f"/plain/name 644 {name}", f"/tight/name 400 {name}"]
    limits = ["/amounts/limits.cpu 644 1250", "/amounts/limits.memory 644 64"]
    requests = ["/amounts/requests.cpu 644 250", "/amounts/requests.memory 644 32"]
    assert (await node.output(name)).splitlines() == [*modes, *limits, *requests]
    lines = (await node.output(f"{name}-none")).splitlines()
    assert lines[3] == f"/amounts/limits.cpu 644 {Quantity.parse(allocatable['cpu']).milli_value}"
    assert lines[4] == f"/amounts/limits.memory 644 {-(-Quantity.parse(allocatable['memory']).value // 2**20)}"


@pytest.mark.parametrize("projected", [False, True], ids=["downwardAPI", "projected"])
@pytest.mark.parametrize("which", ["labels", "annotations"])
async def test_files_follow_the_pod(node: LiveNode, projected: bool, which: str) -> None:
    name = f"follows-{which}-{'projected' if projected else 'plain'}"
    source = as_volume(projected, [field(f"metadata.{which}", "k")])
    script = 'while true; do echo "$(cat /v/k)"; sleep 0.1; done'
    pod = container("c", script, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    await node.run_pod(name, pod, volumes=[{"name": "v", **source}])
    await node.client.patch("pods", name, {"metadata": {which: {"added": "one"}}}, "default")
    await node.until(lambda: 'added="one"' in node.log_text(name), "the new one is there", timeout=30)
    await node.client.patch("pods", name, {"metadata": {which: {"added": "two"}}}, "default")
    await node.until(lambda: 'added="two"' in node.log_text(name), "the new value is there", timeout=30)


async def test_fields_in_the_environment(node: LiveNode) -> None:
    paths = {
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "UID": "metadata.uid",
        "LABEL": "metadata.labels['app']",
        "NODE": "spec.nodeName",
        "ACCOUNT": "spec.serviceAccountName",
        "HOST_IP": "status.hostIP",
        "HOST_IPS": "status.hostIPs",
        "POD_IP": "status.podIP",
        "POD_IPS": "status.podIPs",
    }
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in paths.items()]
    for path in AMOUNTS:
        name = path.upper().replace(".", "_")
        env.append({"name": name, "valueFrom": {"resourceFieldRef": {"resource": path}}})
    limited = container("c", "env", env=env, resources=RESOURCES)
    made = await node.start_pod("self", limited, restartPolicy="Never", serviceAccountName="default")
    await node.start_pod("self-none", container("c", "env", env=env), restartPolicy="Never")
    await node.start_pod("self-host", container("c", "env", env=env), restartPolicy="Never", hostNetwork=True)

    async def variables(pod: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (await node.output(pod)).splitlines())

    seen = await variables("self")
    address = (await node.client.get("pods", "self", "default"))["status"]["podIP"]
    expected = {
        "NAME": "self",
        "NAMESPACE": "default",
        "UID": made["metadata"]["uid"],
        "LABEL": "self",
        "NODE": node.name,
        "ACCOUNT": "default",
        "HOST_IP": "127.0.0.1",
        "HOST_IPS": "127.0.0.1",
        "POD_IP": address,
        "POD_IPS": address,
        "LIMITS_CPU": "2",
        "LIMITS_MEMORY": str(64 * 2**20),
        "REQUESTS_CPU": "1",
        "REQUESTS_MEMORY": str(32 * 2**20),
    }
    assert {name: seen.get(name) for name in expected} == expected
    allocatable = (await node.client.get("nodes", node.name))["status"]["allocatable"]
    unset = await variables("self-none")
    assert unset["LIMITS_CPU"] == allocatable["cpu"]
    assert unset["LIMITS_MEMORY"] == str(Quantity.parse(allocatable["memory"]).value)
    assert (unset["REQUESTS_CPU"], unset["REQUESTS_MEMORY"]) == ("0", "0")
    on_host = await variables("self-host")
    assert (on_host["POD_IP"], on_host["HOST_IP"]) == ("127.0.0.1", "127.0.0.1")


async def test_status_tells_the_host(node: LiveNode) -> None:
    await node.run_pod("hosted")
    status = (await node.client.get("pods", "hosted", "default"))["status"]
    assert status["hostIP"] == "127.0.0.1" and status["hostIPs"] == [{"ip": "127.0.0.1"}]
    assert status["podIPs"] == [{"ip": status["podIP"]}]
