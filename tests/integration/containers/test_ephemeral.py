"""Ephemeral containers: added to a pod that runs, to look at it."""

import pytest

from kubeactors.api.meta import Object
from tests.support.live_node import LiveNode
from tests.support.node_machine import IMAGE, container, is_ready

pytestmark = pytest.mark.asyncio(loop_scope="package")


def status_of(pod: Object, name: str) -> Object:
    statuses = pod["status"].get("ephemeralContainerStatuses") or ()
    found: Object = next((s for s in statuses if s["name"] == name), {"state": {}})
    return found


async def test_containers_that_are_added_to_a_running_pod(node: LiveNode) -> None:
    pod = await node.run_pod("looked-at", container("c", "exec sleep 12345"))

    async def add(name: str, *command: str, **fields: str) -> None:
        spec = {"name": name, "image": IMAGE, "imagePullPolicy": "Never", "command": list(command), **fields}
        patch = {"spec": {"ephemeralContainers": [spec]}}
        await node.client.patch(
            "pods", "looked-at", patch, "default", patch_type="strategic", subresource="ephemeralcontainers"
        )

    await add("debugger", "sh", "-c", "hostname; sleep 1000")
    await add("seeing", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline; exit 3", targetContainerName="c")
    pod = await node.when("looked-at", lambda p: status_of(p, "debugger")["state"].get("running"))
    debugger = status_of(pod, "debugger")
    assert (debugger["ready"], debugger["restartCount"]) == (False, 0)
    assert debugger["imageID"].startswith("localhost/busybox@sha256:")
    pod = await node.when("looked-at", lambda p: status_of(p, "seeing")["state"].get("terminated"))
    assert status_of(pod, "seeing")["state"]["terminated"]["exitCode"] == 3
    assert is_ready(pod), "what is added for debugging does not change the pod"
    await node.until(lambda: node.log_text("looked-at", "debugger") == "looked-at\n", "it is in the pod", timeout=30)
    assert node.log_text("looked-at", "seeing") == "sleep 12345 \n"
    await node.client.delete("pods", "looked-at", "default")
    await node.client.wait("pods", "looked-at", "default", condition="delete", timeout=30)
