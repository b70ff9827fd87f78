"""Directories that pods share: emptyDir on disk and in memory."""

import pytest

from tests.support.live_node import LiveNode
from tests.support.node_machine import container

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize("user", [0, 1001], ids=["root", "non-root"])
@pytest.mark.parametrize("medium", ["", "Memory"], ids=["default", "tmpfs"])
async def test_modes(node: LiveNode, user: int, medium: str) -> None:
    name = f"modes-{user}-{medium.lower() or 'default'}"
    script = "grep ' /v ' /proc/mounts | head -1; stat -c '%a %u' /v; "
    for mode in ("644", "666", "777"):
        script += f"umask 0; echo content of {mode} > /v/{mode}; chmod {mode} /v/{mode}; "
        script += f"echo $(stat -c '%a %u' /v/{mode}) $(cat /v/{mode}); "
    await node.start_pod(
        name,
        container("c", script, volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        volumes=[{"name": "v", "emptyDir": {"medium": medium} if medium else {}}],
        securityContext={"runAsUser": user},
        restartPolicy="Never",
    )
    lines = (await node.output(name)).splitlines()
    assert (lines[0].split()[2] == "tmpfs") == (medium == "Memory")
    assert lines[1] == "777 0"
    assert lines[2:] == [f"{mode} {user} content of {mode}" for mode in ("644", "666", "777")]


async def test_containers_share_a_directory(node: LiveNode) -> None:
    where = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    await node.start_pod(
        "sharing",
        container("writer", "echo shared > /v/.new; mv /v/.new /v/file", **where),
        container("reader", "until [ -e /v/file ]; do sleep 0.05; done; cat /v/file", **where),
        volumes=[{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
        restartPolicy="Never",
    )
    assert (await node.outputs("sharing"))["reader"] == "shared\n"
