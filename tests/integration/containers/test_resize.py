"""CPU and memory of pods that run are changed (KEP-1287): in the status, and in the kernel."""

from pathlib import Path
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.api.quantity import Quantity
from nodeagent.kernel.cgroups import memory_usage
from tests.support.live_node import LiveNode
from tests.support.node_machine import container, is_ready, phase_of, status_of

pytestmark = pytest.mark.asyncio(loop_scope="package")

MI = 2**20


def amounts(cpu: str, memory: str) -> dict[str, str]:
    return {"cpu": cpu, "memory": memory}


def burstable(requests: dict[str, str], limits: dict[str, str]) -> Object:
    return {"requests": requests, "limits": limits}


def guaranteed(cpu: str, memory: str) -> Object:
    return burstable(amounts(cpu, memory), amounts(cpu, memory))


def with_policy(spec: Object, cpu: str = "NotRequired", memory: str = "NotRequired") -> Object:
    policies = {"cpu": cpu, "memory": memory}
    rules = [{"resourceName": resource, "restartPolicy": policy} for resource, policy in policies.items()]
    return {**spec, "resizePolicy": rules}


def resized(**containers: Object) -> Object:
    """A patch of pods/resize."""
    return {"spec": {"containers": [{"name": name, "resources": what} for name, what in containers.items()]}}


def is_done(pod: Object) -> bool:
    """Whether nothing of a resize is left to do."""
    types = {c["type"] for c in pod["status"].get("conditions") or ()}
    wanted = {c["name"]: c["resources"] for c in pod["spec"]["containers"]}
    runs = {name: status_of(pod, name) for name in wanted}
    return not types & {"PodResizePending", "PodResizeInProgress"} and all(
        run.get("resources") == wanted[name] and run["state"].get("running") for name, run in runs.items()
    )


def condition(pod: Object, type: str) -> Object:
    found: Object = next((c for c in pod["status"].get("conditions") or () if c["type"] == type), {})
    return found


def limits(node: LiveNode, pod: str, name: str, *, of_pod: bool = False) -> tuple[int, int, int]:
    """What the kernel has for a container, or its pod: CPU shares, CPU quota a period, memory in bytes."""
    assert node.agent is not None and node.agent._manager is not None
    worker = node.agent._manager.find("default", pod)
    assert worker is not None
    run = worker.state.containers[name].run
    assert run is not None
    groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{run.pid}/cgroup").read_text().splitlines())

    def read(controller: str, file: str) -> str:
        root = Path("/sys/fs/cgroup")
        group = root / controller / groups[controller or ""].lstrip("/")
        return ((group.parent if of_pod else group) / file).read_text().strip()

    if "memory" in groups:
        cpu = next(name for name in groups if "cpu" in name.split(","))
        groups["cpu"] = groups[cpu]
        return (
            int(read("cpu", "cpu.shares")),
            int(read("cpu", "cpu.cfs_quota_us")),
            int(read("memory", "memory.limit_in_bytes")),
        )
    weight, quota = int(read("", "cpu.weight")), read("", "cpu.max").split()[0]
    shares = 2 + (weight - 1) * 262142 // 9999  # KEP-2254, backwards
    return shares, -1 if quota == "max" else int(quota), int(read("", "memory.max"))


def expected(resources: Object) -> tuple[int, int, int]:
    cpu = Quantity.parse(resources["requests"]["cpu"]).milli_value
    most = Quantity.parse(resources["limits"]["cpu"]).milli_value
    return max(2, cpu * 1024 // 1000), max(1000, most * 100), Quantity.parse(resources["limits"]["memory"]).value


def assert_kernel(found: tuple[int, int, int], wanted: tuple[int, int, int]) -> None:
    assert abs(found[0] - wanted[0]) <= 30, "weights are coarser than shares"
    assert found[1:] == wanted[1:]


async def resize(node: LiveNode, pod: str, **containers: Object) -> Object:
    await node.client.patch("pods", pod, resized(**containers), "default", patch_type="strategic", subresource="resize")
    return await node.when(pod, is_done)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("200m", "35Mi"), (("300m", "45Mi"), ("300m", "45Mi"), ("100m", "25Mi"))),
        (("200m", "35Mi"), (("300m", "45Mi"), ("100m", "25Mi"), ("100m", "25Mi"))),
    ],
    ids=["net-increase", "net-decrease"],
)
async def test_guaranteed_pods_with_three_containers(
    node: LiveNode, before: tuple[str, str], after: Any, request: pytest.FixtureRequest
) -> None:
    pod = f"three-{request.node.callspec.id}"
    names = ("c1", "c2", "c3")
    await node.run_pod(pod, *(container(n, resources=guaranteed(*before)) for n in names))
    wanted = {n: guaranteed(*amounts) for n, amounts in zip(names, after, strict=True)}
    found = await resize(node, pod, **wanted)
    for name in names:
        status = status_of(found, name)
        assert (status["resources"], status["allocatedResources"]) == (wanted[name], wanted[name]["requests"])
        assert status["restartCount"] == 0
        assert_kernel(limits(node, pod, name), expected(wanted[name]))
    memory = sum(Quantity.parse(w["limits"]["memory"]).value for w in wanted.values())
    assert limits(node, pod, "c1", of_pod=True)[2] == memory
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"] == 2
    assert found["status"]["qosClass"] == "Guaranteed"
    events = await node.client.list("events", "default", field_selector=f"involvedObject.name={pod}")
    reasons = [event["reason"] for event in events.items]
    assert "ResizeStarted" in reasons


async def test_burstable_pods(node: LiveNode) -> None:
    """Also by amounts that come to the same in the kernel."""
    first = burstable(amounts("2m", "20Mi"), amounts("200m", "40Mi"))
    await node.run_pod("burstable", container("c", resources=first))
    steps = [
        burstable(amounts("1m", "20Mi"), amounts("200m", "40Mi")),
        burstable(amounts("100m", "30Mi"), amounts("300m", "60Mi")),
        burstable(amounts("5m", "20Mi"), amounts("10m", "40Mi")),
        burstable(amounts("5m", "20Mi"), amounts("5m", "40Mi")),
    ]
    for step in steps:
        pod = await resize(node, "burstable", c=step)
        assert (status_of(pod)["resources"], status_of(pod)["restartCount"]) == (step, 0)
        assert_kernel(limits(node, "burstable", "c"), expected(step))


async def test_a_resize_that_restarts(node: LiveNode) -> None:
    first = guaranteed("200m", "30Mi")
    await node.run_pod(
        "policies",
        with_policy(container("c", resources=first), memory="RestartContainer"),
        container("other", resources=first),
    )
    more_cpu = guaranteed("300m", "30Mi")
    pod = await resize(node, "policies", c=more_cpu)
    assert status_of(pod)["restartCount"] == 0
    more_memory = guaranteed("300m", "50Mi")
    pod = await resize(node, "policies", c=more_memory)
    assert (status_of(pod)["restartCount"], status_of(pod, "other")["restartCount"]) == (1, 0)
    assert_kernel(limits(node, "policies", "c"), expected(more_memory))


async def test_by_the_replace_endpoint(node: LiveNode) -> None:
    await node.run_pod("replaced", container("c", resources=guaranteed("200m", "30Mi")))
    wanted = guaranteed("400m", "50Mi")

    def ask(pod: Object) -> None:
        pod["spec"]["containers"][0]["resources"] = wanted

    await node.client.modify("pods", "replaced", ask, "default", subresource="resize")
    done = await node.when("replaced", is_done)
    assert status_of(done)["resources"] == wanted
    read = await node.client.get("pods", "replaced", "default", subresource="resize")
    assert (read["kind"], read["spec"]) == (done["kind"], done["spec"])
    assert_kernel(limits(node, "replaced", "c"), expected(wanted))


async def test_what_the_node_does_not_have(node: LiveNode) -> None:
    machine = (await node.client.get("nodes", node.name))["status"]["allocatable"]
    whole = Quantity.parse(machine["cpu"]).milli_value
    first = burstable(amounts("10m", "20Mi"), amounts(f"{whole * 3}m", "20Mi"))
    half = burstable(amounts(f"{whole * 6 // 10}m", "20Mi"), first["limits"])
    await node.run_pod("greedy", container("c", resources=first))
    await node.run_pod("other", container("c", resources=half))

    async def pending(cpu: int, reason: str) -> Object:
        asked = {"requests": amounts(f"{cpu}m", "20Mi")}
        await node.client.patch(
            "pods", "greedy", resized(c=asked), "default", patch_type="strategic", subresource="resize"
        )
        return await node.when("greedy", lambda p: condition(p, "PodResizePending").get("reason") == reason)

    pod = await pending(whole * 2, "Infeasible")
    text = f"Node didn't have enough capacity: cpu, requested: {whole * 2}, capacity: {whole}"
    assert condition(pod, "PodResizePending")["message"] == text
    assert status_of(pod)["resources"]["requests"]["cpu"] == "10m"
    pod = await pending(whole * 6 // 10, "Deferred")
    assert condition(pod, "PodResizePending")["observedGeneration"] == 3
    # Who comes new is told at once; who waits gets it when there is room.
    await node.start_pod("late", container("c", resources=half))
    pod = await node.when("late", lambda p: phase_of(p) == "Failed")
    assert pod["status"]["reason"] == "OutOfcpu" and "containerStatuses" not in pod["status"]
    asked = whole * 6 // 10
    text = f"Node didn't have enough resource: cpu, requested: {asked}, used: {asked + 10}, capacity: {whole}"
    assert pod["status"]["message"] == f"Pod was rejected: {text}"
    await node.client.delete("pods", "other", "default")
    pod = await node.when("greedy", is_done)
    assert status_of(pod)["resources"]["requests"]["cpu"] == half["requests"]["cpu"]
    assert is_ready(pod)


async def test_memory_that_is_in_use_is_not_taken_away(node: LiveNode) -> None:
    hold = "dd if=/dev/zero of=/dev/shm/held bs=1M count=30 2>/dev/null; exec sleep 1000"
    await node.run_pod("full", container("c", hold, resources=guaranteed("200m", "60Mi")))
    await node.until(lambda: memory_used(node, "full") > 30 * MI, "it holds memory", timeout=30)
    await node.client.patch(
        "pods", "full", resized(c=guaranteed("200m", "20Mi")), "default", patch_type="strategic", subresource="resize"
    )
    pod = await node.when("full", lambda p: condition(p, "PodResizeInProgress").get("reason") == "Error")
    message = condition(pod, "PodResizeInProgress")["message"]
    assert message.startswith(f'attempting to set container "c" memory limit ({20 * MI}) below current usage (')
    assert limits(node, "full", "c")[2] == 60 * MI
    assert status_of(pod)["resources"] == guaranteed("200m", "60Mi")
    assert status_of(pod)["allocatedResources"] == amounts("200m", "20Mi")
    pod = await resize(node, "full", c=guaranteed("200m", "50Mi"))
    assert status_of(pod)["restartCount"] == 0


def memory_used(node: LiveNode, pod: str) -> int:
    assert node.agent is not None and node.agent._manager is not None
    worker = node.agent._manager.find("default", pod)
    assert worker is not None
    run = worker.state.containers["c"].run
    return (run and memory_usage(run.pid)) or 0


async def test_a_class_of_service_cannot_change(node: LiveNode) -> None:
    await node.run_pod("classes", container("c", resources=guaranteed("200m", "30Mi")))
    changed = resized(c={"limits": amounts("400m", "30Mi")})
    with pytest.raises(StatusError, match="Pod QOS Class may not change as a result of resizing"):
        await node.client.patch("pods", "classes", changed, "default", patch_type="strategic", subresource="resize")
