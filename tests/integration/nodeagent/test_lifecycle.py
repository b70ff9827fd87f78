"""How containers end, and what follows: restarts, back-off, graceful ends, hooks, probes, deadlines."""

import asyncio
import os
import signal
import time

import pytest

from kubeactors.api.meta import Object
from tests.support.node_machine import Machine, container, is_ready, phase_of, status_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = "exec sleep 1000"


def terminated(pod: Object, name: str = "c") -> Object:
    state = status_of(pod, name)["state"]
    return state.get("terminated") or {}


def waiting_for(pod: Object) -> str:
    return str((status_of(pod)["state"].get("waiting") or {}).get("reason", ""))


def pid_of(node: Machine, name: str) -> int:
    assert node.agent is not None and node.agent._manager is not None
    worker = node.agent._manager.find("default", name)
    assert worker is not None
    run = worker.state.containers["c"].run
    assert run is not None
    return run.pid


@pytest.mark.parametrize(
    ("script", "code", "reason", "phase"),
    [
        ("exit 0", 0, "Completed", "Succeeded"),
        ("exit 7", 7, "Error", "Failed"),
        ("sleep 9 & kill -9 $!; wait $!", 137, "Error", "Failed"),
    ],
)
async def test_ends(node: Machine, script: str, code: int, reason: str, phase: str) -> None:
    name = f"ends-{code}"
    await node.create(
        name, container("c", f"{script}; exit $?" if "exit" not in script else script), restartPolicy="Never"
    )
    pod = await node.wait_phase(name, phase)
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (code, reason)
    assert terminated(pod)["startedAt"] and terminated(pod)["finishedAt"]


async def test_out_of_memory(node: Machine) -> None:
    hog = container("c", "exec tail /dev/zero", resources={"limits": {"memory": "16Mi"}})
    await node.create("hog", hog, restartPolicy="Never")
    pod = await node.wait_phase("hog", "Failed")
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (137, "OOMKilled")


async def test_a_command_that_does_not_exist(node: Machine) -> None:
    wrong = container("c")
    wrong["command"] = ["/no/such/program"]
    await node.create("wrong", wrong, restartPolicy="Never")
    pod = await node.wait_phase("wrong", "Failed")
    assert (terminated(pod)["exitCode"], terminated(pod)["reason"]) == (128, "StartError")
    assert "/no/such/program" in terminated(pod)["message"]
    assert [e for e in node.events("wrong") if e[1] == "Failed" and "/no/such/program" in e[2]]


async def test_termination_messages(node: Machine) -> None:
    own = container("own", "echo -n why > /dev/termination-log; exit 1")
    log = container("log", "echo from-log; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    await node.create("messages", own, log, restartPolicy="Never")
    pod = await node.wait_phase("messages", "Failed")
    assert terminated(pod, "own")["message"] == "why"
    assert terminated(pod, "log")["message"] == "from-log\n"


async def test_crash_loop(node: Machine) -> None:
    await node.create("crash", container("c", "exit 3"))
    pod = await node.wait("crash", lambda p: waiting_for(p) == "CrashLoopBackOff", "backs off")
    status = status_of(pod)
    uid = pod["metadata"]["uid"]
    text = f"back-off 10s restarting failed container=c pod=crash_default({uid})"
    assert status["state"]["waiting"]["message"] == text
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["restartCount"] == 1  # the first restart comes at once
    assert phase_of(pod) == "Running"
    assert ("Warning", "BackOff", f"Back-off restarting failed container c in pod crash_default({uid})") in node.events(
        "crash"
    )


async def test_a_killed_container_is_back_at_once(node: Machine) -> None:
    await node.create("killed")
    await node.wait_ready("killed")
    began = time.monotonic()
    os.kill(pid_of(node, "killed"), signal.SIGKILL)
    pod = await node.wait("killed", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p), "is back")
    assert time.monotonic() - began < 8, "no back-off, which is 10 s"
    assert status_of(pod)["lastState"]["terminated"]["exitCode"] == 137


async def test_on_failure_ends_with_success(node: Machine) -> None:
    script = "if [ -e /v/second ]; then exit 0; fi; touch /v/second; exit 1"
    mount = [{"name": "v", "mountPath": "/v"}]
    await node.create(
        "twice",
        container("c", script, volumeMounts=mount),
        restartPolicy="OnFailure",
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    pod = await node.wait_phase("twice", "Succeeded")
    assert status_of(pod)["restartCount"] == 1


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_sigterm_is_heard(node: Machine) -> None:
    await node.create("polite", container("c", "trap 'exit 5' TERM; echo trapped; while true; do sleep 0.05; done"))
    await node.wait_ready("polite")
    await node.until(lambda: "trapped" in node.log_text("polite"), "the shell listens")  # PID 1 ignores it before
    ends: list[Object] = []
    node_api = node.api.client()

    async def watch() -> None:
        async for event in node_api.watch("pods", "default", name="polite"):
            if terminated(event.object):
                ends.append(event.object)
                return

    watching = asyncio.create_task(watch())
    await node_api.delete("pods", "polite", "default", grace_period_seconds=300)
    await node.wait_gone("polite")
    async with asyncio.timeout(20):
        await watching
    assert terminated(ends[0])["exitCode"] == 5


async def test_sigkill_comes_after_the_grace_period(node: Machine) -> None:
    await node.create("deaf", container("c", "trap '' TERM; while true; do sleep 0.05; done"))
    await node.wait_ready("deaf")
    began = time.monotonic()
    await node.api.client().delete("pods", "deaf", "default", grace_period_seconds=3)
    await node.wait("deaf", lambda p: not is_ready(p), "is unready")
    await node.wait_gone("deaf")
    assert 2.9 < time.monotonic() - began < 20


async def test_a_second_deletion_shortens_the_grace_period(node: Machine) -> None:
    await node.create("hasty", container("c", "trap '' TERM; while true; do sleep 0.05; done"))
    await node.wait_ready("hasty")
    pid = pid_of(node, "hasty")
    api = node.api.client()
    await api.delete("pods", "hasty", "default", grace_period_seconds=300)
    await asyncio.sleep(0.3)
    await api.delete("pods", "hasty", "default", grace_period_seconds=0)
    await node.until(lambda: not os.path.exists(f"/proc/{pid}"), "the process is gone")


async def test_hooks(node: Machine) -> None:
    lifecycle = {
        "postStart": {
            "exec": {"command": ["sh", "-c", "until [ -e /trapped ]; do sleep 0.05; done; echo started >> /v/log"]}
        },
        "preStop": {"exec": {"command": ["sh", "-c", "echo stopping >> /v/log; sleep 0.2"]}},
    }
    script = "trap 'echo term >> /v/log; exit 0' TERM; touch /trapped; while true; do sleep 0.05; done"
    log = node.root / "hooks"
    log.mkdir()
    volumes = [{"name": "v", "hostPath": {"path": str(log), "type": "Directory"}}]
    hooked = container("c", script, lifecycle=lifecycle, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    await node.create("hooks", hooked, volumes=volumes, terminationGracePeriodSeconds=10)
    await node.wait_ready("hooks")
    assert (log / "log").read_text() == "started\n"
    await node.api.client().delete("pods", "hooks", "default")
    await node.wait_gone("hooks")
    assert (log / "log").read_text() == "started\nstopping\nterm\n"


async def test_a_failed_post_start_hook_restarts_the_container(node: Machine) -> None:
    lifecycle = {"postStart": {"exec": {"command": ["sh", "-c", "echo secret; exit 9"]}}}
    await node.create("badhook", container("c", SLEEP, lifecycle=lifecycle))
    await node.wait("badhook", lambda p: status_of(p).get("restartCount", 0) >= 1, "was restarted")
    event = next(e for e in node.events("badhook") if e[1] == "FailedPostStartHook")
    assert event[2] == "PostStartHook failed", "what a hook prints may be secret"


async def test_pods_deleted_while_they_start_leave_no_container(node: Machine) -> None:
    names = [f"brief-{number}" for number in range(10)]
    for number, name in enumerate(names):
        await node.create(name, container("c", SLEEP))
        await asyncio.sleep(0.01 * number)
        await node.api.client().delete("pods", name, "default")
    for name in names:
        await node.wait_gone(name)
    assert node.agent is not None
    left = [record.name for record in await node.agent._runtime.list() if "_brief-" in record.name]
    assert left == [], "the next resync would be a minute away"


async def test_the_active_deadline(node: Machine) -> None:
    await node.create("deadline", container("c", SLEEP), activeDeadlineSeconds=1)
    pod = await node.wait_phase("deadline", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    pod = await node.wait("deadline", lambda p: terminated(p), "has ended")
    assert terminated(pod)["exitCode"] == 137 or terminated(pod)["exitCode"] == 143


# -- probes ------------------------------------------------------------------------------------------------------------


async def test_readiness_gates_the_pod(node: Machine) -> None:
    web = container(
        "c",
        "mkdir /w; httpd -f -p 80 -h /w",
        ports=[{"name": "http", "containerPort": 80}],
        readinessProbe={"httpGet": {"port": "http", "path": "/ok"}, "periodSeconds": 1, "failureThreshold": 1},
    )
    await node.create("web", web)
    await node.wait_phase("web", "Running")
    # The first probes may come before the server listens; this answer means that it does.
    refusal = ("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404")
    await node.until(lambda: refusal in node.events("web"), "the probe fails")
    pod = node.pod("web")
    assert pod is not None and not is_ready(pod)
    root = f"/proc/{pid_of(node, 'web')}/root/w/ok"
    await asyncio.to_thread(lambda: open(root, "w").close())
    await node.wait_ready("web")
    await asyncio.to_thread(os.unlink, root)
    await node.wait("web", lambda p: not is_ready(p), "is unready again")
    final = node.pod("web")
    assert final is not None and status_of(final)["restartCount"] == 0


async def test_liveness_restarts(node: Machine) -> None:
    probe = {
        "exec": {"command": ["cat", "/tmp/ok"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "initialDelaySeconds": 1,
    }
    await node.create("live", container("c", f"touch /tmp/ok; sleep 1.5; rm /tmp/ok; {SLEEP}", livenessProbe=probe))
    await node.wait("live", lambda p: status_of(p).get("restartCount") == 1, "was restarted")
    events = node.events("live")
    assert ("Normal", "Killing", "Container c failed liveness probe, will be restarted") in events
    assert any(e[1] == "Unhealthy" and e[2].startswith("Liveness probe failed: cat: can't open") for e in events)


async def test_tcp_and_startup(node: Machine) -> None:
    probed = container(
        "c",
        "sleep 0.5; exec httpd -f -p 9000",
        startupProbe={"tcpSocket": {"port": 9000}, "periodSeconds": 1, "failureThreshold": 10},
        readinessProbe={"tcpSocket": {"port": 9000}, "periodSeconds": 1},
    )
    await node.create("tcp", probed)
    pod = await node.wait_phase("tcp", "Running")
    assert not status_of(pod)["started"]
    await node.wait_ready("tcp")


async def test_a_probe_that_hangs_leaves_nothing_running(node: Machine) -> None:
    probe = {"exec": {"command": ["sleep", "4321"]}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 9}
    await node.create("hang", container("c", SLEEP, readinessProbe=probe))
    await node.until(lambda: any("timed out" in e[2] for e in node.events("hang")), "the probe times out")
    await node.api.client().delete("pods", "hang", "default")
    await node.wait_gone("hang")
    processes = await asyncio.to_thread(lambda: os.popen("pgrep -fx 'sleep 4321'").read().split())
    assert processes == []
