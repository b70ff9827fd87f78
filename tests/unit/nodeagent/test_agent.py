"""The agent with a runtime and a network in memory: registration, pods' ways, failures on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kubeactors.api.errors import service_unavailable
from kubeactors.api.meta import Object
from nodeagent import agent as agents
from nodeagent.agent import NodeAgent
from nodeagent.config import NodeAgentConfig
from nodeagent.kernel.cgroups import Cgroups
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.unit.nodeagent.fakes import FakeNetwork, FakeRuntime

IMAGE = "localhost/app:1"


class Node:
    def __init__(self, root: Path) -> None:
        self.api = FakeApi()
        self.runtime = FakeRuntime(IMAGE)
        self.network = FakeNetwork()
        self.config = NodeAgentConfig("n1", "192.0.2.1", pods_dir=root / "pods", run_dir=root / "run", port=0)
        self.agent = self.new_agent()

    def new_agent(self) -> NodeAgent:
        return NodeAgent(self.api.client(), self.network, self.config, runtime=self.runtime)

    async def create(self, name: str, *containers: Object, **spec: Any) -> None:
        # hostIPC: the memory that containers share otherwise needs mounts, and those need root.
        body = {"nodeName": "n1", "hostIPC": True, "containers": list(containers) or [c("c")], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": body}
        await self.api.client().create("pods", pod, "default")

    async def wait(self, name: str, holds: Callable[[Object], Any]) -> Object:
        found = await self.api.client().wait(
            "pods", name, "default", condition=lambda p: p is not None and bool(holds(p)), timeout=20
        )
        assert found is not None
        return found

    async def gone(self, name: str) -> None:
        await self.api.client().wait("pods", name, "default", condition=lambda p: p is None, timeout=20)

    def reasons(self, name: str) -> list[str]:
        return [e["reason"] for e in self.api.objects("events") if e["involvedObject"]["name"] == name]


def c(name: str, **fields: Any) -> Object:
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", **fields}


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase"))


def only(pod: Object) -> Object:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{"state": {}}]
    found: Object = statuses[0]
    return found


def waiting(pod: Object) -> str:
    return str((only(pod)["state"].get("waiting") or {}).get("reason"))


def give_range(api: FakeApi) -> None:
    api.modify("nodes", "n1", lambda node: node["spec"].update(podCIDR="10.0.0.0/24", podCIDRs=["10.0.0.0/24"]), "")


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    hierarchy = tmp_path / "cgroup"
    (hierarchy / "memory").mkdir(parents=True)
    (hierarchy / "cpu").mkdir()
    monkeypatch.setattr(agents, "Cgroups", lambda: Cgroups(hierarchy))
    made = Node(tmp_path)
    await made.agent.start()
    await made.api.client().wait("nodes", "n1", condition=lambda n: n is not None, timeout=20)
    yield made
    await made.agent.stop()


@pytest.fixture
async def ready(node: Node) -> Node:
    give_range(node.api)
    await node.api.client().wait("nodes", "n1", condition="condition=Ready", timeout=20)
    return node


async def test_a_node_is_ready_only_with_its_range(node: Node) -> None:
    await node.api.client().wait("leases", "n1", "kube-node-lease", condition=lambda x: x is not None, timeout=20)
    found = await node.api.client().wait(
        "nodes", "n1", condition=lambda n: bool(n and (n.get("status") or {}).get("conditions")), timeout=20
    )
    assert found is not None
    conditions = {x["type"]: x for x in found["status"]["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert "NetworkPluginNotReady" in conditions["Ready"]["message"]
    assert found["status"]["nodeInfo"]["containerRuntimeVersion"] == "fake://1"
    assert found["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
    give_range(node.api)
    await node.api.client().wait("nodes", "n1", condition="condition=Ready", timeout=20)
    assert node.network.configured == ["10.0.0.0/24"]


async def test_a_pods_way(ready: Node) -> None:
    await ready.create("p")
    pod = await ready.wait("p", lambda p: phase(p) == "Running")
    assert pod["status"]["podIP"] == "10.0.0.2"
    await ready.api.client().delete("pods", "p", "default", grace_period_seconds=30)
    await ready.gone("p")
    assert ready.network.up == {}
    await eventually(lambda: not (ready.runtime.containers or any(ready.config.pods_dir.iterdir())))
    assert ready.reasons("p") == ["Pulled", "Created", "Started", "Killing"]


async def test_the_end_is_told_before_the_object_goes(ready: Node) -> None:
    await ready.create("p")
    await ready.wait("p", lambda p: phase(p) == "Running")
    seen: list[str] = []

    async def watch() -> None:
        async for event in ready.api.client().watch("pods", "default", name="p"):
            seen.append(phase(event.object))
            if event.type == "DELETED":
                return

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await ready.api.client().delete("pods", "p", "default", grace_period_seconds=30)
    await asyncio.wait_for(watching, 30)
    assert seen[-1] == "Failed"  # 143: ended by SIGTERM


async def test_a_failing_network_is_tried_again(ready: Node) -> None:
    ready.network.failures = 2
    await ready.create("p")
    await ready.wait("p", lambda p: phase(p) == "Running")
    assert ready.reasons("p").count("FailedCreatePodSandBox") >= 1
    assert len(ready.runtime.containers) == 1


async def test_deletion_gives_up_a_pull(ready: Node) -> None:
    await ready.create("p", c("c", image="r.example/slow:1"))
    await ready.wait("p", lambda p: "Pulling" in ready.reasons("p") or waiting(p) == "ContainerCreating")
    await ready.api.client().delete("pods", "p", "default", grace_period_seconds=30)
    await ready.gone("p")
    assert ready.runtime.containers == {}
    ready.runtime.pull_may_end.set()


async def test_a_start_that_is_refused(ready: Node) -> None:
    ready.runtime.refuse_start = "exec: nope: not found"
    await ready.create("p", restartPolicy="Never")
    pod = await ready.wait("p", lambda p: phase(p) == "Failed")
    ended = only(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (128, "StartError", "exec: nope: not found")


async def test_attempts_that_are_too_old_are_removed(ready: Node) -> None:
    await ready.create("p", c("c"), restartPolicy="Always")
    await ready.wait("p", lambda p: phase(p) == "Running")
    worker = ready.agent._manager.find("default", "p")  # type: ignore[union-attr]
    assert worker is not None
    for attempt in range(1, 4):
        worker.state.containers["c"].back_off = None
        ready.runtime.end(ready.runtime.named("c").id, 1)
        await ready.wait("p", lambda p, a=attempt: only(p).get("restartCount") == a and "running" in only(p)["state"])
    await eventually(lambda: len(ready.runtime.containers) == 2)


async def test_a_restarted_agent_adopts(ready: Node) -> None:
    await ready.create("p")
    before = await ready.wait("p", lambda p: phase(p) == "Running")
    await ready.agent.stop()
    ready.agent = ready.new_agent()
    await ready.agent.start()
    assert ready.agent._manager is not None and ready.agent._manager.find("default", "p") is not None
    assert len(ready.runtime.containers) == 1 and ready.runtime.removed == []
    ready.runtime.end(next(iter(ready.runtime.containers)), 1)
    after = await ready.wait("p", lambda p: only(p).get("restartCount") == 1 and "running" in only(p)["state"])
    assert after["status"]["podIP"] == before["status"]["podIP"]


async def test_a_restarted_agent_without_an_api_server_restarts_containers(
    ready: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "_SERVICES_DEADLINE", 0.05)
    service = {"metadata": {"name": "db"}, "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 5432}]}}
    await ready.api.client().create("services", service, "default")
    await ready.create("first")
    await ready.wait("first", lambda p: phase(p) == "Running")
    await ready.agent.stop()
    ready.api.down = True
    ready.agent = ready.new_agent()
    await ready.agent.start()
    ready.runtime.end(ready.runtime.named("c").id, 1)
    await eventually(lambda: ready.runtime.named("c").status == "running" and len(ready.runtime.containers) == 2)
    # With the environment that it had.
    assert ready.runtime.named("c").config.env["DB_SERVICE_HOST"] == "10.96.0.9"
    ready.api.down = False


async def test_statuses_are_written_once_the_api_server_is_back(ready: Node) -> None:
    ready.api.fail(service_unavailable("down"), verb="patch", resource="pods", times=3)
    await ready.create("p")
    await ready.wait("p", lambda p: phase(p) == "Running")


async def test_two_pods_of_one_name_are_two_pods(ready: Node) -> None:
    ready.runtime.deaf = True
    await ready.create("p", terminationGracePeriodSeconds=1)
    first = await ready.wait("p", lambda p: phase(p) == "Running")
    await ready.api.client().delete("pods", "p", "default", grace_period_seconds=0)
    await ready.create("p")
    second = await ready.wait("p", lambda p: phase(p) == "Running")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert first["status"]["podIP"] != second["status"]["podIP"]
    await eventually(lambda: len(ready.runtime.containers) == 1)


async def test_a_pod_that_ended_before_this_agent_is_only_deleted(ready: Node) -> None:
    status = {"phase": "Succeeded", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0}}}]}
    ready.api.seed(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "old", "namespace": "default"},
            "spec": {"nodeName": "n1", "containers": [c("c")]},
            "status": status,
        }
    )
    await ready.api.client().delete("pods", "old", "default", grace_period_seconds=30)
    await ready.gone("old")
    assert ready.runtime.containers == {}


async def test_directories_that_are_nobodys_are_removed(ready: Node) -> None:
    await ready.create("p")
    await ready.wait("p", lambda p: phase(p) == "Running")
    orphan = ready.config.pods_dir / "gone-uid" / "volumes"
    orphan.mkdir(parents=True)
    assert ready.agent._manager is not None
    await ready.agent._manager._remove_orphan_directories()
    left = {path.name for path in ready.config.pods_dir.iterdir()}
    assert left == set(ready.agent._manager.workers)
