"""The agent, Podman's service, the API server and the network break: pods go on."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

from kubeactors.api.meta import Object
from netplugin.names import Names
from nodeagent.pods.worker import PodWorker
from nodeagent.runtime.podman import processes
from tests.support.leftovers import processes_of
from tests.support.node_machine import Machine, container, is_ready, phase_of, status_of

SLEEP = "exec sleep 1000"


def worker(machine: Machine, name: str) -> PodWorker:
    assert machine.agent is not None and machine.agent._manager is not None
    found = machine.agent._manager.find("default", name)
    assert found is not None
    return found


def pid_of(machine: Machine, name: str) -> int:
    run = worker(machine, name).state.containers["c"].run
    assert run is not None
    return run.pid


async def settled(machine: Machine) -> None:
    """Records are written in the background; a killed agent is not waited for, but a test must know what is there."""
    for each in machine.agent._manager.workers.values():  # type: ignore[union-attr]
        await each._record.flush()


async def test_an_agent_that_restarts_adopts_its_pods(machine: Machine) -> None:
    web = container(
        "c",
        "mkdir /w; touch /w/ok; httpd -f -p 80 -h /w",
        readinessProbe={"httpGet": {"port": 80, "path": "/ok"}, "periodSeconds": 1},
        lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo >> /tmp/started"]}}},
    )
    await machine.create("web", web)
    before = await machine.wait_ready("web")
    pid = pid_of(machine, "web")
    await machine.stop_agent()
    assert os.path.exists(f"/proc/{pid}")
    unready: list[Object] = []

    async def watch() -> None:
        async for event in machine.api.client().watch("pods", "default", name="web"):
            if not is_ready(event.object):
                unready.append(event.object)

    watching = asyncio.create_task(watch())
    await machine.start_agent()
    await machine.until(
        lambda: "web" in [w.pod["metadata"]["name"] for w in machine.agent._manager.workers.values()], "it is adopted"
    )  # type: ignore[union-attr]
    await asyncio.sleep(1.5)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert unready == []
    after = machine.pod("web")
    assert after is not None
    assert status_of(after) == status_of(before)
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert pid_of(machine, "web") == pid
    # The hook has run once, and its effect was not repeated.
    assert await asyncio.to_thread(Path(f"/proc/{pid}/root/tmp/started").read_text) == "\n"
    # It is cared for as before.
    os.kill(pid, signal.SIGKILL)
    await machine.wait("web", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p), "was restarted")


async def test_volumes_are_kept_up_to_date_by_the_next_agent(machine: Machine) -> None:
    api = machine.api.client()
    await api.create("configmaps", {"metadata": {"name": "conf"}, "data": {"k": "one"}}, "default")
    await api.create("serviceaccounts", {"metadata": {"name": "robot"}}, "default")
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}
    volume = {"name": "v", "projected": {"sources": [token, {"configMap": {"name": "conf"}}]}}
    mount = {"name": "v", "mountPath": "/v"}
    await machine.create("p", container(volumeMounts=[mount]), volumes=[volume], serviceAccountName="robot")
    pod = await machine.wait_ready("p")
    (files,) = (machine.root / "pods" / pod["metadata"]["uid"]).glob("volumes/*projected/v")
    first = (files / "token").read_text()
    assert first.startswith("default/robot for ")
    await machine.stop_agent()
    await machine.start_agent()
    # A token is kept in memory only, so that the next agent asks for another.
    await machine.until(lambda: (files / "token").read_text() != first, "the token is another")
    await api.patch("configmaps", "conf", {"data": {"k": "two"}}, "default")
    await machine.until(lambda: (files / "k").read_text() == "two", "the update is there")


async def test_what_happened_while_the_agent_was_away(machine: Machine) -> None:
    await machine.create("dies", container("c", SLEEP))
    waits = container(
        "c",
        "while [ ! -e /v/end ]; do sleep 0.05; done; exit 4",
        volumeMounts=[{"name": "v", "mountPath": "/v"}],
    )
    await machine.create("ends", waits, restartPolicy="Never", volumes=[{"name": "v", "emptyDir": {}}])
    await machine.create("removed", container("c", SLEEP))
    await machine.create("deleted", container("c", SLEEP))
    for name in ("dies", "ends", "removed", "deleted"):
        await machine.wait_ready(name)
    pids = {name: pid_of(machine, name) for name in ("dies", "removed", "deleted")}
    volume = next(worker(machine, "ends").paths.volumes.glob("*/v"))
    await machine.stop_agent()
    os.kill(pids["dies"], signal.SIGKILL)
    (volume / "end").touch()
    machine.api.remove("pods", "removed")
    await machine.api.client().delete("pods", "deleted", "default")
    await asyncio.sleep(0.5)
    await machine.start_agent()
    await machine.wait("dies", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p), "was restarted")
    ended = await machine.wait_phase("ends", "Failed")
    assert status_of(ended)["state"]["terminated"]["exitCode"] == 4
    await machine.wait_gone("deleted")
    await machine.until(lambda: not os.path.exists(f"/proc/{pids['removed']}"), "the removed pod's process is gone")
    await machine.until(lambda: len(list((machine.root / "pods").iterdir())) == 2, "its directory is gone")
    assert len(await machine.agent._network.pods()) == 1  # type: ignore[union-attr]


async def test_pods_are_cared_for_without_an_api_server(machine: Machine) -> None:
    await machine.create("lone", container("c", SLEEP))
    await machine.wait_ready("lone")
    await settled(machine)
    machine.api.down = True
    machine.api.break_watches()
    first = pid_of(machine, "lone")
    os.kill(first, signal.SIGKILL)
    await machine.until(
        lambda: pid_of(machine, "lone") != first and os.path.exists(f"/proc/{pid_of(machine, 'lone')}"), "it runs again"
    )
    # Also by an agent that starts while there is none.
    await settled(machine)
    assert machine.agent is not None
    await machine.stop_agent()
    second_agent = asyncio.create_task(machine.start_agent())

    def adopted() -> bool:
        manager = machine.agent and machine.agent._manager
        return bool(manager and manager.find("default", "lone"))

    await machine.until(adopted, "the agent is up")
    assert worker(machine, "lone").state.containers["c"].is_running
    machine.api.down = False
    await second_agent
    pod = await machine.wait(
        "lone", lambda p: status_of(p).get("restartCount") == 1 and is_ready(p), "is told", timeout=30
    )
    assert phase_of(pod) == "Running"


async def test_podmans_service_is_brought_back(machine: Machine) -> None:
    await machine.create("one", container("c", SLEEP))
    await machine.wait_ready("one")
    pid_file = machine.root / "run" / "podman" / "podman.pid"
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    await machine.create("two", container("c", SLEEP))
    await machine.wait_ready("two")
    pod = machine.pod("one")
    assert pod is not None and is_ready(pod) and status_of(pod)["restartCount"] == 0
    assert machine.agent is not None and (await machine.agent.health())["runtime"] == "ok"


async def test_a_container_whose_monitor_died_is_noticed(machine: Machine) -> None:
    await machine.create("mute", container("c", SLEEP))
    pod = await machine.wait_ready("mute")
    container_id = status_of(pod)["containerID"].removeprefix("podman://")
    conmon = (
        machine.root / "run" / "podman" / "storage" / "overlay-containers" / container_id / "userdata" / "conmon.pid"
    )
    os.kill(int(conmon.read_text()), signal.SIGKILL)
    await asyncio.sleep(0.2)
    current = machine.pod("mute")
    assert current is not None and is_ready(current)
    os.kill(pid_of(machine, "mute"), signal.SIGKILL)
    pod = await machine.wait("mute", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p), "was restarted")
    last = status_of(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "ContainerStatusUnknown")


async def test_a_lost_network_is_made_anew(machine: Machine) -> None:
    await machine.create("net", container("c", SLEEP))
    await machine.wait_ready("net")
    uid = worker(machine, "net").uid
    assert machine.agent is not None
    await machine.agent._network.delete(uid)
    pod = await machine.wait("net", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p), "is whole again")
    text = "Pod sandbox changed, it will be killed and re-created."
    assert ("Normal", "SandboxChanged", text) in machine.events("net")
    assert [ip["ip"] for ip in pod["status"]["podIPs"]] == [pod["status"]["podIP"]]


async def test_a_lost_link_is_made_anew_under_the_running_pod(machine: Machine) -> None:
    await machine.create("net", container("c", "mkdir /w; echo here > /w/x; httpd -f -p 80 -h /w"))
    pod = await machine.wait_ready("net")
    link = Names(machine.cluster, machine.name).veth(worker(machine, "net").uid)
    subprocess.run(["ip", "link", "del", link], check=True)

    def answers() -> bool:
        url = f"http://{pod['status']['podIP']}/x"
        return subprocess.run(["curl", "-sf", "-m1", url], capture_output=True, check=False).stdout == b"here\n"

    await machine.until(answers, "the pod is reached again")
    now = machine.pod("net")
    assert now is not None and status_of(now) == status_of(pod)


async def test_control_groups_go_with_their_pods(machine: Machine) -> None:
    root = machine.config().cgroup_root

    def groups(uid: str) -> list[Path]:
        return list(Path("/sys/fs/cgroup").glob(f"*{root}/*/pod{uid}"))

    await machine.create("ends", container("c", "exit 0"), restartPolicy="Never")
    await machine.create("stays", container("c", SLEEP))
    ends, stays = await machine.wait_phase("ends", "Succeeded"), await machine.wait_ready("stays")
    uids = [pod["metadata"]["uid"] for pod in (ends, stays)]
    assert groups(uids[1])
    for name in ("ends", "stays"):
        await machine.api.client().delete("pods", name, "default")
        await machine.wait_gone(name)
    await machine.until(lambda: not any(groups(uid) for uid in uids), "their control groups are gone")
    # One that an agent left which was killed in the middle.
    orphan = next(Path("/sys/fs/cgroup").glob(f"*{root}/besteffort")) / "podgone"
    orphan.mkdir()
    await machine.until(lambda: not orphan.exists(), "the resync has removed it")


async def test_a_container_that_somebody_removed_is_noticed(machine: Machine) -> None:
    await machine.create("gone", container("c", SLEEP))
    pod = await machine.wait_ready("gone")
    machine.podman("rm", "-f", "-t", "0", status_of(pod)["containerID"].removeprefix("podman://"))
    await machine.wait("gone", lambda p: status_of(p)["restartCount"] == 1 and is_ready(p), "was restarted")


async def test_a_deleted_node_registers_again(machine: Machine) -> None:
    machine.api.remove("nodes", machine.name, "")

    def conditions() -> list[Object]:
        node = machine.api.get("nodes", machine.name, None) or {}
        return (node.get("status") or {}).get("conditions") or []

    await machine.until(lambda: any(c["type"] == "Ready" for c in conditions()), "the node is back")
    lease = machine.api.get("leases", machine.name, "kube-node-lease")
    assert lease is not None and lease["spec"]["holderIdentity"] == machine.name


async def test_purge_leaves_nothing(machine: Machine) -> None:
    volumes = [{"name": "m", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "m", "mountPath": "/m"}]
    await machine.create("a", container("c", SLEEP, volumeMounts=mounts), volumes=volumes)
    await machine.wait_ready("a")
    pid, uid = pid_of(machine, "a"), worker(machine, "a").uid
    await machine.stop_agent()
    machine.api.down = True
    # On a busy machine the clean-up after a container goes on when the container is gone, and writes files.
    configuration = str(machine.root / "run" / "podman" / "containers.conf")
    monitors = processes.with_variable("CONTAINERS_CONF", configuration)
    assert {Path(f"/proc/{monitor}/comm").read_text() for monitor in monitors} == {"conmon\n", "podman\n"}
    late = subprocess.Popen(["sleep", "1000"], env={**os.environ, "CONTAINERS_CONF": configuration})
    await machine.purge()
    assert late.wait(timeout=1) == -signal.SIGKILL
    assert not os.path.exists(f"/proc/{pid}")
    mounted = Path("/proc/mounts").read_text()
    assert str(machine.root) not in mounted
    # Path.rglob would fail where another test's cgroups go away meanwhile.
    assert not [path for path, _, _ in os.walk("/sys/fs/cgroup") if uid in path]
    assert not (machine.root / "pods").exists()
    assert not processes_of(machine.root)
