"""How containers end, in which order they start, what is left to say of them, and hooks."""

import asyncio

import pytest

from kubeactors.api.meta import Object
from tests.support.live_node import LiveNode
from tests.support.node_machine import container, is_ready, phase_of, status_of

pytestmark = pytest.mark.asyncio(loop_scope="package")

FOREVER = "exec sleep 1000"
VOLUME = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
EMPTY = [{"name": "v", "emptyDir": {}}]


def terminated(pod: Object, name: str = "c") -> Object:
    return status_of(pod, name)["state"].get("terminated") or {}


def state(pod: Object, name: str) -> str:
    return next(iter(status_of(pod, name)["state"]), "")


async def test_termination_messages(node: LiveNode) -> None:
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    own = {"terminationMessagePath": "/dev/own-log", "securityContext": {"runAsUser": 65534}}
    containers = [
        container("succeeds", "echo DONE", **fallback),
        container("writes", "printf OK > /dev/termination-log; echo no", **fallback),
        container("fails", "printf DONE; exit 1", **fallback),
        container("elsewhere", "printf DONE > /dev/own-log", **own),
        container("silent", "echo no; exit 1"),
    ]
    await node.start_pod("messages", *containers, restartPolicy="Never")
    pod = await node.when("messages", lambda p: phase_of(p) == "Failed")
    messages = {c["name"]: terminated(pod, c["name"]).get("message") for c in containers}
    assert messages == {"succeeds": None, "writes": "OK", "fails": "DONE", "elsewhere": "DONE", "silent": None}


async def test_what_becomes_of_pods_by_their_policy(node: LiveNode) -> None:
    script = "n=$(cat /v/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /v/n; "
    script += "[ $n = 1 ] && exit 1; [ $n = 2 ] && exit 0; exec sleep 1000"
    for policy in ("Always", "OnFailure", "Never"):
        await node.start_pod(
            f"ends-{policy.lower()}", container("c", script, **VOLUME), volumes=EMPTY, restartPolicy=policy
        )
    pod = await node.when("ends-never", lambda p: phase_of(p) == "Failed")
    assert (status_of(pod)["restartCount"], terminated(pod)["exitCode"], is_ready(pod)) == (0, 1, False)
    pod = await node.when("ends-onfailure", lambda p: phase_of(p) == "Succeeded")
    assert (status_of(pod)["restartCount"], terminated(pod)["exitCode"], is_ready(pod)) == (1, 0, False)
    pod = await node.when("ends-always", lambda p: status_of(p).get("restartCount") == 2 and is_ready(p))
    assert (phase_of(pod), state(pod, "c")) == ("Running", "running")


async def test_init_containers(node: LiveNode) -> None:
    passing = [container("one", "true"), container("two", "true")]
    failing = [container("one", "false"), container("two", "true")]
    await node.start_pod("init-never", container("c", "true"), initContainers=passing, restartPolicy="Never")
    await node.start_pod("init-always", container("c", FOREVER), initContainers=passing)
    await node.start_pod("init-fails", container("c", FOREVER), initContainers=failing)
    await node.start_pod("init-fails-never", container("c", FOREVER), initContainers=failing, restartPolicy="Never")

    pod = await node.when("init-never", lambda p: phase_of(p) == "Succeeded")
    for name in ("one", "two", "c"):
        assert (terminated(pod, name)["exitCode"], status_of(pod, name)["restartCount"]) == (0, 0)
    pod = await node.when("init-always", is_ready)
    assert all(terminated(pod, name)["exitCode"] == 0 and status_of(pod, name)["ready"] for name in ("one", "two"))
    pod = await node.when("init-fails", lambda p: status_of(p, "one").get("restartCount", 0) >= 3)
    assert (phase_of(pod), state(pod, "two"), state(pod, "c")) == ("Pending", "waiting", "waiting")
    assert status_of(pod)["restartCount"] == 0 and "containerID" not in status_of(pod)
    condition = next(c for c in pod["status"]["conditions"] if c["type"] == "Initialized")
    assert (condition["status"], condition["reason"]) == ("False", "ContainersNotInitialized")
    assert condition["message"] == "containers with incomplete status: [one two]"
    pod = await node.when("init-fails-never", lambda p: phase_of(p) == "Failed")
    assert terminated(pod, "one")["exitCode"] == 1
    assert "containerID" not in status_of(pod)


async def test_a_pod_that_always_fails_can_be_deleted(node: LiveNode) -> None:
    await node.start_pod("failing", container("c", "false"))
    pod = await node.when("failing", lambda p: (status_of(p).get("lastState") or {}).get("terminated"))
    assert status_of(pod)["lastState"]["terminated"]["reason"] == "Error"
    await node.client.delete("pods", "failing", "default")
    await node.client.wait("pods", "failing", "default", condition="delete", timeout=30)


async def test_hooks_that_tell_a_server(node: LiveNode) -> None:
    """The server is a pod that keeps what it is asked for."""
    script = "mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho $QUERY_STRING >> /seen\\nprintf \"\\n\"\\n' "
    script += "> /www/cgi-bin/tell; chmod +x /www/cgi-bin/tell; touch /seen; httpd -p 8080 -h /www; tail -f /seen"
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    server = await node.run_pod("server", container("c", script, readinessProbe=probe))
    host = server["status"]["podIP"]

    def http(word: str) -> Object:
        return {"httpGet": {"host": host, "port": 8080, "path": f"/cgi-bin/tell?{word}"}}

    def by_command(word: str) -> Object:
        return {"exec": {"command": ["wget", "-qO-", f"http://{host}:8080/cgi-bin/tell?{word}"]}}

    elsewhere = {"httpGet": {"host": host, "port": 8080, "path": "/not/there"}}
    patient = "trap 'exit 0' TERM; while true; do sleep 0.05; done"
    await asyncio.gather(
        node.run_pod(
            "hook-http", container("c", patient, lifecycle={"postStart": http("up"), "preStop": http("down")})
        ),
        node.run_pod("hook-exec", container("c", patient, lifecycle={"preStop": by_command("leaving")})),
        node.run_pod("hook-sleep", container("c", patient, lifecycle={"preStop": {"sleep": {"seconds": 1}}})),
        # What the server answers does not matter, as long as it does.
        node.run_pod("hook-lost", container("c", patient, lifecycle={"postStart": elsewhere})),
    )
    await node.until(lambda: node.log_text("server").split() == ["up"], "the server was told", timeout=30)
    began = asyncio.get_running_loop().time()
    names = ("http", "exec", "sleep", "lost")
    for name in names:
        await node.client.delete("pods", f"hook-{name}", "default", grace_period_seconds=15)
    for name in names:
        await node.client.wait("pods", f"hook-{name}", "default", condition="delete", timeout=30)
    assert asyncio.get_running_loop().time() - began >= 1
    await node.until(lambda: len(node.log_text("server").split()) == 3, "the server was told", timeout=30)
    assert set(node.log_text("server").split()) == {"up", "down", "leaving"}
