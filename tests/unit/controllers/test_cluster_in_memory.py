"""All controllers and the scheduler together on the in-memory API, with a kubelet that runs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.garbage.controller import GarbageCollector
from kubeactors.controllers.manager import ControllerManager
from kubeactors.controllers.served_kinds import ServedKinds
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.scheduler import Scheduler
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.fake_kubelet import FakeKubelet, node_object
from tests.unit.controllers.objects import deployment, service


@dataclass
class Cluster:
    api: FakeApi
    client: AsyncClient
    kubelet: FakeKubelet
    manager: ControllerManager
    scheduler: Scheduler

    def pods(self, live: bool = True) -> list[Object]:
        return [p for p in self.api.objects("pods") if not (live and p["metadata"].get("deletionTimestamp"))]

    def sets(self) -> list[Object]:
        return self.api.objects("replicasets")

    def status(self, name: str = "web") -> Object:
        found = self.api.get("deployments", name)
        assert found is not None
        return dict(found.get("status") or {})

    async def rolled_out(self, replicas: int, name: str = "web") -> None:
        def done() -> bool:
            status = self.status(name)
            counts = [status.get(k, 0) for k in ("replicas", "updatedReplicas", "availableReplicas")]
            found = self.api.get("deployments", name)
            assert found is not None
            current = status.get("observedGeneration") == found["metadata"]["generation"]
            return current and counts == [replicas] * 3 and len(self.pods()) == replicas

        await eventually(done)

    def events(self, reason: str) -> list[str]:
        return [e["message"] for e in self.api.objects("events") if e["reason"] == reason]


def wanted(name: str = "web", replicas: int = 3, **spec: Any) -> Object:
    made = deployment(name, replicas, **spec)
    made["metadata"] = {"name": name, "namespace": "default"}
    del made["status"]
    return made


@asynccontextmanager
async def running(**config: Any) -> AsyncIterator[Cluster]:
    api = FakeApi()
    client = api.client()
    api.seed(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default"},
            "spec": {"finalizers": ["kubernetes"]},
        }
    )
    api.seed(node_object("n1"), node_object("n2"))
    manager = ControllerManager(client, config=ControllerManagerConfig(leader_elect=False, **config))
    scheduler = Scheduler(client, config=SchedulerConfig(leader_elect=False))
    kubelet = FakeKubelet(client)
    async with AsyncExitStack() as stack:
        await manager.start()
        stack.push_async_callback(manager.stop)
        await scheduler.start()
        stack.push_async_callback(scheduler.stop)
        await stack.enter_async_context(kubelet)
        yield Cluster(api, client, kubelet, manager, scheduler)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running() as found:
        yield found


async def test_a_deployment_becomes_pods_on_nodes(cluster: Cluster) -> None:
    await cluster.client.create("deployments", wanted())
    await cluster.rolled_out(3)
    assert {p["spec"]["nodeName"] for p in cluster.pods()} == {"n1", "n2"}
    (rs,) = cluster.sets()
    await eventually(lambda: len(cluster.events("SuccessfulCreate")) == 3)
    assert cluster.events("ScalingReplicaSet") == [f"Scaled up replica set {rs['metadata']['name']} from 0 to 3"]
    reasons = {c["type"]: c["reason"] for c in cluster.status()["conditions"]}
    assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
    assert {name: found for name, found in (await cluster.manager.health()).items() if found != "ok"} == {}
    assert {name: found for name, found in (await cluster.scheduler.health()).items() if found != "ok"} == {}


def set_image(image: str) -> Callable[[Object], None]:
    def change(found: Object) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = image
        found["metadata"]["generation"] += 1

    return change


async def test_a_rolling_update_and_its_rollback(cluster: Cluster) -> None:
    await cluster.client.create("deployments", wanted(replicas=4))
    await cluster.rolled_out(4)
    cluster.api.modify("deployments", "web", set_image("x:2"))
    await cluster.rolled_out(4)
    images = {p["spec"]["containers"][0]["image"] for p in cluster.pods()}
    assert images == {"x:2"}
    revisions = sorted(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for rs in cluster.sets())
    assert revisions == ["1", "2"]
    cluster.api.modify("deployments", "web", set_image("registry.example/web:1"))
    await cluster.rolled_out(4)
    revisions = sorted(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for rs in cluster.sets())
    assert revisions == ["2", "3"]
    found = cluster.api.get("deployments", "web")
    assert found is not None
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


async def test_a_broken_update_keeps_the_old_pods(cluster: Cluster) -> None:
    await cluster.client.create("deployments", wanted(replicas=2))
    await cluster.rolled_out(2)
    cluster.kubelet.is_ready = lambda pod: pod["spec"]["containers"][0]["image"] != "broken"
    cluster.api.modify("deployments", "web", set_image("broken"))
    await eventually(lambda: cluster.status().get("updatedReplicas") == 1 and len(cluster.pods()) == 3)
    assert cluster.status()["availableReplicas"] == 2


async def test_recreate_never_mixes(cluster: Cluster) -> None:
    held = []
    cluster.kubelet.ends = lambda pod: bool(held.append(pod))
    await cluster.client.create("deployments", wanted(replicas=2, strategy={"type": "Recreate"}))
    await cluster.rolled_out(2)
    cluster.api.modify("deployments", "web", set_image("x:2"))
    await eventually(lambda: len(held) == 2 and not cluster.pods())
    assert len(cluster.pods(live=False)) == 2  # the old ones, which do not end: none of the new is there
    assert {p["spec"]["containers"][0]["image"] for p in cluster.pods(live=False)} == {"registry.example/web:1"}
    cluster.kubelet.ends = lambda _: True
    for pod in held:
        cluster.api.remove("pods", pod["metadata"]["name"])
    await cluster.rolled_out(2)
    assert {p["spec"]["containers"][0]["image"] for p in cluster.pods()} == {"x:2"}


async def test_a_deleted_pod_is_replaced_and_scaling_follows(cluster: Cluster) -> None:
    await cluster.client.create("deployments", wanted(replicas=2))
    await cluster.rolled_out(2)
    gone = cluster.pods()[0]["metadata"]
    await cluster.client.delete("pods", gone["name"], "default")
    await eventually(lambda: gone["name"] not in {p["metadata"]["name"] for p in cluster.pods(live=False)})
    await cluster.rolled_out(2)
    for size in (5, 1, 0, 2):

        def resize(found: Object, size: int = size) -> None:
            found["spec"]["replicas"] = size
            found["metadata"]["generation"] += 1

        cluster.api.modify("deployments", "web", resize)
        await cluster.rolled_out(size)


async def test_a_hash_collision_is_got_around(cluster: Cluster) -> None:
    await cluster.client.create("deployments", wanted(replicas=1))
    await cluster.rolled_out(1)
    (rs,) = cluster.sets()
    name = rs["metadata"]["name"]
    await cluster.client.delete("deployments", "web", "default", propagation_policy="Background")
    await eventually(lambda: not cluster.sets() and not cluster.pods(live=False))
    stranger = {**rs, "metadata": {"name": name, "labels": {"app": "other"}, "namespace": "default"}}
    stranger["spec"] = {**rs["spec"], "replicas": 0}
    del stranger["status"]
    await cluster.client.create("replicasets", stranger)
    await cluster.client.create("deployments", wanted(replicas=1))
    await cluster.rolled_out(1)
    assert cluster.status()["collisionCount"] == 1
    assert len(cluster.sets()) == 2


async def test_a_replication_controller_keeps_its_pods(cluster: Cluster) -> None:
    made = wanted()
    spec = {"replicas": 2, "selector": {"app": "web"}, "template": made["spec"]["template"]}
    await cluster.client.create("replicationcontrollers", {"metadata": made["metadata"], "spec": spec})

    def status() -> Object:
        found = cluster.api.get("replicationcontrollers", "web") or {}
        return {k: v for k, v in (found.get("status") or {}).items() if k != "observedGeneration"}

    counts = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    await eventually(lambda: status() == dict.fromkeys(counts, 2))
    for pod in cluster.pods():
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["apiVersion"], owner["kind"], owner["controller"]) == ("v1", "ReplicationController", True)
    cluster.api.modify("replicationcontrollers", "web", lambda rc: rc["spec"].update(replicas=1))
    await eventually(lambda: status() == dict.fromkeys(counts, 1) and len(cluster.pods()) == 1)
    stray = cluster.pods()[0]["metadata"]["name"]
    await cluster.client.patch("pods", stray, {"metadata": {"labels": {"app": "other"}}}, "default")
    await eventually(lambda: len(cluster.pods()) == 2)
    await eventually(lambda: not (cluster.api.get("pods", stray) or {})["metadata"].get("ownerReferences"))
    await eventually(lambda: len(cluster.events("SuccessfulCreate")) == 3)
    assert len(cluster.events("SuccessfulDelete")) == 1
    await cluster.client.delete("replicationcontrollers", "web", "default", propagation_policy="Background")
    await eventually(lambda: [p["metadata"]["name"] for p in cluster.pods(live=False)] == [stray])


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_a_deleted_deployment_takes_everything_along(cluster: Cluster, policy: str) -> None:
    await cluster.client.create("deployments", wanted())
    await cluster.rolled_out(3)
    await cluster.client.delete("deployments", "web", "default", propagation_policy=policy)
    await eventually(
        lambda: cluster.api.get("deployments", "web") is None and not cluster.sets() and not cluster.pods(live=False)
    )


async def test_orphans_stay_and_are_adopted(cluster: Cluster) -> None:
    await cluster.client.create("deployments", wanted())
    await cluster.rolled_out(3)
    before = {p["metadata"]["name"] for p in cluster.pods()}
    await cluster.client.delete("deployments", "web", "default", propagation_policy="Orphan")
    await eventually(lambda: cluster.api.get("deployments", "web") is None)
    (rs,) = cluster.sets()
    assert not rs["metadata"].get("ownerReferences")
    await cluster.client.create("deployments", wanted())
    await cluster.rolled_out(3)
    assert {p["metadata"]["name"] for p in cluster.pods()} == before
    assert len(cluster.sets()) == 1


async def test_foreground_deletion_waits_for_pods_that_end_late(cluster: Cluster) -> None:
    held = []
    cluster.kubelet.ends = lambda pod: bool(held.append(pod))
    await cluster.client.create("deployments", wanted(replicas=1))
    await cluster.rolled_out(1)
    await cluster.client.delete("deployments", "web", "default", propagation_policy="Foreground")
    await eventually(lambda: held)
    assert cluster.api.get("deployments", "web") is not None
    assert cluster.sets()[0]["metadata"]["finalizers"] == ["foregroundDeletion"]
    cluster.api.remove("pods", held[0]["metadata"]["name"])
    await eventually(lambda: cluster.api.get("deployments", "web") is None and not cluster.sets())


async def test_a_child_of_nobody_goes_and_a_strangers_child_stays(cluster: Cluster) -> None:
    def child(name: str, kind: str, owner: str, uid: str) -> Object:
        reference = {"apiVersion": "v1", "kind": kind, "name": owner, "uid": uid}
        return {"metadata": {"name": name, "namespace": "default", "ownerReferences": [reference]}}

    parent = await cluster.client.create("configmaps", {"metadata": {"name": "parent", "namespace": "default"}})
    await cluster.client.create("configmaps", child("of-nobody", "ConfigMap", "gone", "no-such-uid"))
    await cluster.client.create("configmaps", child("of-unknown-kind", "Gizmo", "gone", "no-such-uid-2"))
    await cluster.client.create("configmaps", child("of-parent", "ConfigMap", "parent", parent["metadata"]["uid"]))
    await eventually(lambda: cluster.api.get("configmaps", "of-nobody") is None)
    assert cluster.api.get("configmaps", "of-unknown-kind") is not None
    assert cluster.api.get("configmaps", "of-parent") is not None
    await cluster.client.delete("configmaps", "parent", "default")
    await eventually(lambda: cluster.api.get("configmaps", "of-parent") is None)


async def test_an_object_with_another_owner_only_loses_the_reference(cluster: Cluster) -> None:
    made = [await cluster.client.create("configmaps", {"metadata": {"name": n, "namespace": "default"}}) for n in "ab"]
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": o["metadata"]["name"], "uid": o["metadata"]["uid"]}
        for o in made
    ]
    child = {"metadata": {"name": "child", "namespace": "default", "ownerReferences": references}}
    await cluster.client.create("configmaps", child)
    await cluster.client.delete("configmaps", "a", "default")

    def owners() -> list[str]:
        found = cluster.api.get("configmaps", "child")
        assert found is not None
        return [reference["name"] for reference in found["metadata"]["ownerReferences"]]

    await eventually(lambda: owners() == ["b"])


async def test_a_child_follows_an_owner_whose_kind_is_gone_too(cluster: Cluster) -> None:
    """What was seen to be deleted need not be asked for, which a kind that went meanwhile would not answer."""
    owner = await cluster.client.create("configmaps", {"metadata": {"name": "owner", "namespace": "default"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    child = {"metadata": {"name": "child", "namespace": "default", "ownerReferences": [reference]}}
    await cluster.client.create("secrets", child)
    await eventually(lambda: cluster.api.get("secrets", "child") is not None)
    collector = next(c for c in cluster.manager._controllers if isinstance(c, GarbageCollector))
    await eventually(lambda: len(collector.graph.dependents(owner["metadata"]["uid"])) == 1)
    collector._kinds = ServedKinds([])
    await cluster.client.delete("configmaps", "owner", "default")
    await eventually(lambda: cluster.api.get("secrets", "child") is None)


async def test_services_follow_pods(cluster: Cluster) -> None:
    made = service()
    made["metadata"] = {"name": "web", "namespace": "default"}
    await cluster.client.create("services", made)

    def ready() -> int:
        slices = cluster.api.objects("endpointslices")
        return sum(e["conditions"]["ready"] for s in slices for e in s.get("endpoints") or ())

    await eventually(lambda: len(cluster.api.objects("endpointslices")) == 1)
    await cluster.client.create("deployments", wanted())
    await eventually(lambda: ready() == 3)

    def mirrored() -> int:
        found = cluster.api.get("endpoints", "web") or {}
        return sum(len(s.get("addresses", ())) for s in found.get("subsets") or ())

    await eventually(lambda: mirrored() == 3)
    cluster.api.modify("deployments", "web", lambda d: d["spec"].update(replicas=1))
    await eventually(lambda: ready() == 1 and mirrored() == 1)
    assert len(cluster.api.objects("endpointslices")) == 1
    await cluster.client.delete("services", "web", "default")
    await eventually(lambda: not cluster.api.objects("endpointslices") and not cluster.api.objects("endpoints"))


async def test_namespaces_have_their_default_account(cluster: Cluster) -> None:
    await cluster.client.create("namespaces", {"metadata": {"name": "shop"}})
    await eventually(lambda: cluster.api.get("serviceaccounts", "default", "shop") is not None)
    await cluster.client.delete("serviceaccounts", "default", "shop")
    await eventually(lambda: cluster.api.get("serviceaccounts", "default", "shop") is not None)


async def test_nodes_get_ranges_of_their_own(cluster: Cluster) -> None:
    def ranges() -> set[str]:
        return {(n.get("spec") or {}).get("podCIDR", "") for n in cluster.api.objects("nodes")}

    await eventually(lambda: ranges() == {"10.244.0.0/24", "10.244.1.0/24"})
    cluster.api.remove("nodes", "n1", "")
    await cluster.client.create("nodes", node_object("n3"))
    await eventually(lambda: ranges() == {"10.244.1.0/24", "10.244.2.0/24"})


async def test_nodes_are_told_how_long_to_keep_what_they_read(cluster: Cluster) -> None:
    def told() -> list[str | None]:
        nodes = cluster.api.objects("nodes")
        return [(node["metadata"].get("annotations") or {}).get("node.alpha.kubernetes.io/ttl") for node in nodes]

    await eventually(lambda: told() == ["0", "0"])
    cluster.api.modify("nodes", "n1", lambda node: node["metadata"].pop("annotations"))
    await eventually(lambda: told() == ["0", "0"])


async def test_an_unschedulable_pod_says_why_and_goes_when_it_can(cluster: Cluster) -> None:
    pod = {
        "metadata": {"name": "big", "namespace": "default"},
        "spec": {"containers": [{"name": "main", "image": "x", "resources": {"requests": {"cpu": "20"}}}]},
    }
    await cluster.client.create("pods", pod)

    def condition() -> Object:
        found = cluster.api.get("pods", "big") or {}
        return next((c for c in (found.get("status") or {}).get("conditions") or () if c["type"] == "PodScheduled"), {})

    message = (
        "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    await eventually(lambda: condition().get("message") == message)
    await eventually(lambda: cluster.events("FailedScheduling") == [message])
    await cluster.client.create("nodes", node_object("huge", cpu="32"))
    await eventually(lambda: (cluster.api.get("pods", "big") or {})["spec"].get("nodeName") == "huge")
    await eventually(lambda: cluster.events("Scheduled") == ["Successfully assigned default/big to huge"])


async def test_pods_of_other_schedulers_and_gated_ones_wait(cluster: Cluster) -> None:
    spec = {"containers": [{"name": "main", "image": "x"}]}
    other = {"metadata": {"name": "other", "namespace": "default"}, "spec": {**spec, "schedulerName": "mine"}}
    gates = [{"name": "example.test/wait"}]
    gated = {"metadata": {"name": "gated", "namespace": "default"}, "spec": {**spec, "schedulingGates": gates}}
    for each in (other, gated):
        await cluster.client.create("pods", each)
    plain = {"metadata": {"name": "plain", "namespace": "default"}, "spec": spec}
    await cluster.client.create("pods", plain)
    await eventually(lambda: (cluster.api.get("pods", "plain") or {})["spec"].get("nodeName"))
    for name in ("other", "gated"):
        assert not (cluster.api.get("pods", name) or {})["spec"].get("nodeName")

    def open_gate(pod: Object) -> None:
        del pod["spec"]["schedulingGates"]
        pod["metadata"]["generation"] = pod["metadata"].get("generation", 1) + 1

    cluster.api.modify("pods", "gated", open_gate)
    await eventually(lambda: (cluster.api.get("pods", "gated") or {})["spec"].get("nodeName"))


async def test_a_refused_binding_is_tried_again(cluster: Cluster) -> None:
    from kubeactors.api import errors

    cluster.api.fail(errors.internal("no"), verb="create", resource="pods", name="p")
    pod = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [{"name": "main", "image": "x"}]}}
    cluster.api.seed({"apiVersion": "v1", "kind": "Pod", **pod})
    await eventually(lambda: cluster.events("FailedScheduling"))
    await eventually(lambda: (cluster.api.get("pods", "p") or {})["spec"].get("nodeName"))


async def test_a_node_that_falls_silent_loses_its_pods() -> None:
    fast = {
        "node_monitor_period": 0.1,
        "node_monitor_grace_period": 1.0,  # longer than a busy machine lets this one wait
        "pod_gc_period": 0.2,
        "pod_gc_quarantine": 0.2,
    }
    async with running(**fast) as cluster:
        tolerations = [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
            for key in ("not-ready", "unreachable")
        ]
        made = wanted(replicas=2)
        made["spec"]["template"]["spec"]["tolerations"] = tolerations
        cluster.kubelet.ends = lambda pod: pod["spec"]["nodeName"] != "n2"

        def beat(name: str, moment: int) -> None:
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": "kube-node-lease"},
                "spec": {"renewTime": f"2026-01-01T00:00:{moment % 60:02d}.{moment:06d}Z"},
            }
            cluster.api.seed(lease)

        moment = 0
        beat("n1", 0)
        beat("n2", 0)
        await cluster.client.create("deployments", made)
        await cluster.rolled_out(2)
        assert {p["spec"]["nodeName"] for p in cluster.pods()} == {"n1", "n2"}

        def moved() -> bool:
            nonlocal moment
            moment += 1
            beat("n1", moment)
            return [p["spec"].get("nodeName") for p in cluster.pods()] == ["n1", "n1"]

        await eventually(moved, timeout=20, interval=0.05)
        node = cluster.api.get("nodes", "n2", None)
        assert node is not None
        assert {(t["key"], t["effect"]) for t in node["spec"]["taints"]} == {
            ("node.kubernetes.io/unreachable", "NoSchedule"),
            ("node.kubernetes.io/unreachable", "NoExecute"),
        }
        (lost,) = [p for p in cluster.pods(live=False) if p["spec"]["nodeName"] == "n2"]
        conditions = {c["type"]: c for c in lost["status"]["conditions"]}
        assert conditions["Ready"]["status"] == "False"
        assert conditions["DisruptionTarget"]["reason"] == "DeletionByTaintManager"
        assert cluster.events("NodeNotReady")
        # The machine is taken away for good: so is what it left behind.
        cluster.api.remove("nodes", "n2", "")
        await eventually(lambda: all(p["spec"]["nodeName"] != "n2" for p in cluster.pods(live=False)))


async def test_an_api_that_is_away_makes_no_node_silent() -> None:
    """Nodes cannot renew their leases then: that must not cost their pods the traffic."""
    async with running(node_monitor_period=0.05, node_monitor_grace_period=0.6) as cluster:
        moment = 0

        def beat() -> None:
            nonlocal moment
            moment += 1
            for name in ("n1", "n2"):
                meta = {"name": name, "namespace": "kube-node-lease"}
                spec = {"renewTime": f"2026-01-01T00:00:00.{moment:06d}Z"}
                cluster.api.seed(
                    {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
                )

        def statuses() -> set[str]:
            nodes = cluster.api.objects("nodes")
            return {c["status"] for n in nodes for c in n["status"]["conditions"] if c["type"] == "Ready"}

        beat()
        await asyncio.sleep(0.2)
        cluster.api.down = True
        cluster.api.break_watches()
        await asyncio.sleep(1.5)
        cluster.api.down = False
        for _ in range(10):
            await asyncio.sleep(0.05)
            assert statuses() == {"True"}
            beat()
        # And yet they are noticed when they really fall silent.
        await eventually(lambda: statuses() == {"Unknown"})
