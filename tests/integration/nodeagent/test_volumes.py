"""Volumes in real containers: memory, updates, subpaths."""

import base64
import os
from pathlib import Path

import pytest

from tests.support.node_machine import Machine, container, status_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = "exec sleep 1000"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_config_maps_and_secrets_are_updated(node: Machine) -> None:
    api = node.api.client()
    await api.create("configmaps", {"metadata": {"name": "conf"}, "data": {"a": "one"}}, "default")
    await api.create("secrets", {"metadata": {"name": "sec"}, "data": {"p": encoded("hush")}}, "default")
    script = "echo $(cat /c/a /s/p); stat -c %a /s/..data/p; grep ' /s ' /proc/mounts; "
    script += "while true; do cat /c/a; sleep 0.1; done"
    await node.create(
        "conf",
        container("c", script, volumeMounts=[{"name": "c", "mountPath": "/c"}, {"name": "s", "mountPath": "/s"}]),
        volumes=[
            {"name": "c", "configMap": {"name": "conf"}},
            {"name": "s", "secret": {"secretName": "sec", "defaultMode": 0o400}},
        ],
    )
    await node.wait_ready("conf")
    await node.until(lambda: "tmpfs" in node.log_text("conf"), "it has written")
    text = node.log_text("conf")
    assert text.startswith("onehush\n400\n")
    assert "tmpfs /s tmpfs" in text
    await api.patch("configmaps", "conf", {"data": {"a": "two"}}, "default")
    await node.until(lambda: "two" in node.log_text("conf"), "the update is there")


async def test_a_missing_config_map_holds_the_pod_until_it_is_there(node: Machine) -> None:
    mount = {"volumeMounts": [{"name": "c", "mountPath": "/c"}]}
    await node.create("late", container("c", SLEEP, **mount), volumes=[{"name": "c", "configMap": {"name": "soon"}}])
    text = 'MountVolume.SetUp failed for volume "c" : configmap "soon" not found'
    await node.until(lambda: ("Warning", "FailedMount", text) in node.events("late"), "it is told")
    pod = node.pod("late")
    assert pod is not None and status_of(pod)["state"].get("waiting", {}).get("reason") in ("ContainerCreating", None)
    await node.api.client().create("configmaps", {"metadata": {"name": "soon"}, "data": {}}, "default")
    await node.wait_ready("late")


async def test_memory_and_projections(node: Machine) -> None:
    api = node.api.client()
    await api.create("configmaps", {"metadata": {"name": "part"}, "data": {"k": "v"}}, "default")
    script = "grep -E ' /m | /p ' /proc/mounts; echo $(cat /p/k /p/labels); echo end; exec sleep 1000"
    projected = {
        "sources": [
            {"configMap": {"name": "part"}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ]
    }
    mounts = [{"name": "m", "mountPath": "/m"}, {"name": "p", "mountPath": "/p", "readOnly": True}]
    await node.create(
        "mem",
        container("c", script, volumeMounts=mounts),
        volumes=[
            {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "p", "projected": projected},
        ],
    )
    await node.wait_ready("mem")
    await node.until(lambda: "end" in node.log_text("mem"), "it has written")
    text = node.log_text("mem")
    assert "tmpfs /m tmpfs rw" in text and "size=1024k" in text
    assert "tmpfs /p tmpfs ro" in text
    assert 'vapp="mem"' in text


async def test_subpaths(node: Machine) -> None:
    mounts = [
        {"name": "v", "mountPath": "/x", "subPath": "a/b"},
        {"name": "v", "mountPath": "/y", "subPathExpr": "$(WHO)"},
        {"name": "v", "mountPath": "/v"},
    ]
    script = "touch /x/in-x /y/in-y; find /v | sort 2>/dev/null || ls -R /v; exec sleep 1000"
    subbed = container("c", script, volumeMounts=mounts, env=[{"name": "WHO", "value": "me"}])
    await node.create("sub", subbed, volumes=[{"name": "v", "emptyDir": {}}])
    pod = await node.wait_ready("sub")
    volume = next((node.root / "pods" / pod["metadata"]["uid"]).glob("volumes/*empty-dir/v"))
    await node.until(lambda: (volume / "me" / "in-y").exists(), "it has written")
    assert (volume / "a" / "b" / "in-x").exists()


async def test_a_subpath_cannot_lead_out_of_its_volume(node: Machine) -> None:
    directory = node.root / "hostdir"
    directory.mkdir()
    os.symlink("/etc", directory / "absolute")
    os.symlink("../../../../../../etc", directory / "relative")
    for name in ("absolute", "relative", ".."):
        pod_name = f"escape-{name.strip('.') or 'dots'}"
        mount = [{"name": "v", "mountPath": "/x", "subPath": name}]
        volumes = [{"name": "v", "hostPath": {"path": str(directory)}}]
        await node.create(pod_name, container("c", SLEEP, volumeMounts=mount), volumes=volumes)
        pod = await node.wait(pod_name, lambda p: status_of(p)["state"].get("waiting", {}).get("message"), "is refused")
        assert status_of(pod)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        text = 'failed to prepare subPath for volumeMount "v" of container "c"'
        assert status_of(pod)["state"]["waiting"]["message"] == text
    assert not [
        line for line in Path("/proc/mounts").read_text().splitlines() if "volume-subpaths/v" in line and "/etc" in line
    ]


async def test_removing_a_pod_removes_no_file_of_the_host(node: Machine) -> None:
    directory = node.root / "precious"
    (directory / "sub").mkdir(parents=True)
    (directory / "sub" / "file").write_text("kept")
    mounts = [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/s", "subPath": "sub"}]
    await node.create(
        "host",
        container("c", SLEEP, volumeMounts=mounts),
        volumes=[{"name": "v", "hostPath": {"path": str(directory)}}],
    )
    await node.wait_ready("host")
    await node.api.client().delete("pods", "host", "default")
    await node.wait_gone("host")
    await node.until(lambda: node.agent._manager.find("default", "host") is None, "it is forgotten")  # type: ignore[union-attr]
    assert (directory / "sub" / "file").read_text() == "kept"
