"""As whom containers run, and what they may."""

from typing import Any

import pytest

from kubeactors.api.meta import Object
from tests.support.live_node import LiveNode
from tests.support.node_machine import container, phase_of

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(
    ("pod", "own", "user", "group"),
    [
        ({}, {"runAsUser": 65534}, 65534, 65534),
        ({}, {"runAsUser": 0}, 0, 0),
        ({"runAsUser": 1001}, {}, 1001, 0),
        ({"runAsUser": 1001, "runAsGroup": 2002}, {}, 1001, 2002),
        ({"runAsUser": 1, "runAsGroup": 2}, {"runAsUser": 1001, "runAsGroup": 2002}, 1001, 2002),
    ],
    ids=["nobody", "root", "pod-user", "pod-user-group", "own-user-group"],
)
async def test_users_and_groups(
    node: LiveNode, pod: Object, own: Object, user: int, group: int, request: pytest.FixtureRequest
) -> None:
    name = f"users-{request.node.callspec.id}"
    await node.start_pod(
        name,
        container("c", "id -u; id -g; cat /proc/1/status | grep ^Uid", securityContext=own),
        securityContext=pod,
        restartPolicy="Never",
    )
    lines = (await node.output(name)).splitlines()
    assert lines[:2] == [str(user), str(group)]
    assert lines[2].split()[1:] == [str(user)] * 4


async def test_supplemental_groups(node: LiveNode) -> None:
    context = {"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000, "supplementalGroups": [4000, 5000]}
    script = "id -G; touch /v/x; stat -c '%u %g' /v/x"
    await node.start_pod(
        "groups",
        container("c", script, volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        volumes=[{"name": "v", "emptyDir": {}}],
        securityContext=context,
        restartPolicy="Never",
    )
    groups, owner = (await node.output("groups")).splitlines()
    assert {int(group) for group in groups.split()} == {2000, 3000, 4000, 5000}
    assert owner == "1000 3000"


async def test_privileges_and_the_root_filesystem(node: LiveNode) -> None:
    def trying(name: str, **context: Any) -> Object:
        script = "touch /x 2>/dev/null && echo writes; mount -t tmpfs none /tmp 2>/dev/null && echo mounts; "
        script += "grep NoNewPrivs /proc/self/status | awk '{print $2}'"
        return container(name, script, securityContext=context)

    await node.start_pod(
        "rights",
        trying("plain"),
        trying("unprivileged", privileged=False),
        trying("privileged", privileged=True),
        trying("writable", readOnlyRootFilesystem=False),
        trying("fixed", readOnlyRootFilesystem=True),
        trying("held", allowPrivilegeEscalation=False),
        restartPolicy="Never",
    )
    assert {name: text.split() for name, text in (await node.outputs("rights")).items()} == {
        "plain": ["writes", "0"],
        "unprivileged": ["writes", "0"],
        "privileged": ["writes", "mounts", "0"],
        "writable": ["writes", "0"],
        "fixed": ["0"],
        "held": ["writes", "1"],
    }


async def test_non_root_is_demanded(node: LiveNode) -> None:
    await node.start_pod("demanded", securityContext={"runAsNonRoot": True})

    def message(pod: Object) -> str:
        statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
        return str((statuses[0].get("state") or {}).get("waiting", {}).get("message", ""))

    pod = await node.when("demanded", message)
    assert "container has runAsNonRoot and image will run as root" in message(pod)
    assert phase_of(pod) == "Pending"


async def test_sysctls(node: LiveNode) -> None:
    safe = [
        {"name": "kernel.shm_rmid_forced", "value": "1"},
        {"name": "net.ipv4.ip_local_port_range", "value": "1024 2048"},
    ]
    await node.start_pod(
        "sysctls",
        container("c", "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_local_port_range"),
        securityContext={"sysctls": safe},
        restartPolicy="Never",
    )
    assert (await node.output("sysctls")).split() == ["1", "1024", "2048"]


async def test_pods_that_the_node_does_not_take(node: LiveNode) -> None:
    """They name the node themselves, past the scheduler."""
    unsafe = {"sysctls": [{"name": "kernel.msgmax", "value": "10000000000"}]}
    await node.start_pod("not-safe", securityContext=unsafe)
    await node.start_pod("not-here", nodeSelector={"no": "such-label"})
    await node.start_pod("not-enough", container("c", resources={"requests": {"memory": "100Ti"}}))
    reasons = {
        "not-safe": ("SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
        "not-here": (
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        "not-enough": ("OutOfmemory", "Node didn't have enough resource: memory, requested: "),
    }
    for name, (reason, message) in reasons.items():
        status = (await node.when(name, lambda p: phase_of(p) == "Failed"))["status"]
        assert status["reason"] == reason
        assert status["message"].startswith(f"Pod was rejected: {message}")
        assert status["observedGeneration"] == 1
        assert not status.get("containerStatuses")

        async def told(name: str = name, reason: str = reason, message: str = message) -> bool:
            events = await node.client.list("events", "default", field_selector=f"involvedObject.name={name}")
            return any(e["reason"] == reason and e["message"].startswith(message) for e in events.items)

        await node.eventually(told, f"the event {reason}")
