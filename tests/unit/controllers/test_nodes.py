"""Node health, taints, tolerance, address ranges, pod collection, namespace conditions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import UnknownController, chosen_controllers
from kubeactors.controllers.namespace import Remaining, deletion_conditions
from kubeactors.controllers.node_ipam import NoRangeLeft, RangeAllocator
from kubeactors.controllers.nodelifecycle.health import all_nodes_down, heartbeat, is_silent, unknown_conditions
from kubeactors.controllers.nodelifecycle.taints import (
    NOT_READY,
    UNREACHABLE,
    no_execute_key,
    no_schedule_keys,
    with_taints,
)
from kubeactors.controllers.nodelifecycle.tolerance import evict_at
from kubeactors.controllers.pod_gc import never_placed, surplus_of_finished
from tests.unit.controllers.objects import NOW, ago, node, pod


def lease(renewed: str) -> Object:
    return {"metadata": {"name": "n1"}, "spec": {"renewTime": renewed}}


def test_a_renewed_lease_is_a_sign_of_life() -> None:
    first = heartbeat(None, node("n1"), lease("a"), 10.0)
    assert heartbeat(first, node("n1"), lease("a"), 20.0) is first
    assert heartbeat(first, node("n1"), lease("b"), 20.0).seen == 20.0
    assert heartbeat(first, node("n1", beat=5), lease("a"), 30.0).seen == 30.0


def test_silence() -> None:
    last = heartbeat(None, node("n1"), lease("a"), 0.0)
    assert not is_silent(node("n1"), last, 50.0, 50, 60)
    assert is_silent(node("n1"), last, 50.1, 50, 60)
    assert not is_silent(node("n1", ready=None), last, 59.0, 50, 60)  # it has not even started


def test_a_silent_nodes_conditions() -> None:
    changed = {c["type"]: c for c in unknown_conditions(node("n1"), NOW)}
    assert changed["Ready"]["reason"] == "NodeStatusUnknown"
    assert changed["Ready"]["message"] == "Kubelet stopped posting node status."
    assert changed["MemoryPressure"]["reason"] == "NodeStatusNeverUpdated"
    silent = node("n1")
    silent["status"]["conditions"] = list(changed.values())
    assert unknown_conditions(silent, NOW + timedelta(hours=1)) == []


def test_taints_by_condition() -> None:
    sick = node("n1", ready="False", unschedulable=True)
    sick["status"]["conditions"].append({"type": "DiskPressure", "status": "True"})
    assert no_schedule_keys(sick) == {NOT_READY, "node.kubernetes.io/disk-pressure", "node.kubernetes.io/unschedulable"}
    assert no_execute_key(sick) == NOT_READY
    assert no_execute_key(node("n1", ready="Unknown")) == UNREACHABLE
    assert no_execute_key(node("n1")) is None
    assert no_execute_key(node("n1", ready=None)) is None


def test_the_taint_of_a_new_node_stays_until_it_says_how_it_is() -> None:
    taint = {"key": NOT_READY, "effect": "NoSchedule"}
    assert no_schedule_keys(node("n1", ready=None, taints=[taint])) == {NOT_READY}
    assert no_schedule_keys(node("n1", ready=None)) == set()
    assert no_schedule_keys(node("n1", ready=None, taints=[{**taint, "effect": "NoExecute"}])) == set()
    ready = node("n1", taints=[taint])
    assert with_taints(ready, no_schedule_keys(ready), None, NOW) == []


def test_taints_are_exchanged_and_others_kept() -> None:
    own = {"key": "mine", "effect": "NoExecute"}
    old = {"key": NOT_READY, "effect": "NoExecute", "timeAdded": ago(100)}
    made = node("n1", ready="Unknown", taints=[own, old])
    assert with_taints(made, {UNREACHABLE}, UNREACHABLE, NOW) == [
        own,
        {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": ago(0)},
        {"key": UNREACHABLE, "effect": "NoSchedule", "timeAdded": ago(0)},
    ]
    assert with_taints(node("n1", taints=[own]), set(), None, NOW) is None
    kept = node("n1", taints=[{"key": NOT_READY, "effect": "NoExecute", "timeAdded": ago(100)}])
    assert with_taints(kept, set(), NOT_READY, NOW) is None


def test_all_down_means_that_we_are_cut_off() -> None:
    assert all_nodes_down([node("a", ready="Unknown"), node("b", ready="False")])
    assert not all_nodes_down([node("a", ready="Unknown"), node("b")])
    assert not all_nodes_down([])


def taint(key: str, since: float, value: str = "") -> Object:
    return {"key": key, "value": value, "effect": "NoExecute", "timeAdded": ago(since)}


def due_in(tolerations: list[Object], *taints: Object) -> float | None:
    found = evict_at(pod("p", tolerations=tolerations), taints, NOW)
    return None if found is None else (found - NOW).total_seconds()


def test_when_a_pod_must_go() -> None:
    unreachable = taint(UNREACHABLE, 20)
    assert due_in([], taint("other", 5)) == -5  # at once
    assert due_in([{"key": UNREACHABLE, "operator": "Exists", "tolerationSeconds": 30}], unreachable) == 10
    assert due_in([{"operator": "Exists"}], unreachable, taint("other", 5)) is None
    assert due_in([{"key": UNREACHABLE, "operator": "Exists", "effect": "NoSchedule"}], unreachable) == -20
    assert due_in([{"key": "k", "value": "w", "effect": "NoExecute"}], taint("k", 0, "v")) == 0
    # The shortest counts.
    both = [
        {"key": UNREACHABLE, "operator": "Exists", "tolerationSeconds": 100},
        {"key": "k", "operator": "Exists", "tolerationSeconds": 7},
    ]
    assert due_in(both, unreachable, taint("k", 0)) == 7


# Ranges


def test_ranges_are_given_round() -> None:
    ranges = RangeAllocator("10.244.0.0/16", 24)
    assert ranges.allocate("a") == "10.244.0.0/24"
    assert ranges.allocate("a") == "10.244.0.0/24"
    assert ranges.allocate("b") == "10.244.1.0/24"
    ranges.release("a")
    assert ranges.allocate("c") == "10.244.2.0/24"


def test_ranges_in_use_are_left_out() -> None:
    ranges = RangeAllocator("10.0.0.0/22", 24)
    assert ranges.occupy("x", "10.0.0.0/24")
    assert not ranges.occupy("y", "10.0.0.0/24")
    assert not ranges.occupy("y", "10.9.0.0/24")
    assert not ranges.occupy("y", "10.0.0.0/25")
    assert [ranges.allocate(n) for n in "abc"] == ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    with pytest.raises(NoRangeLeft):
        ranges.allocate("d")
    ranges.release("x")
    assert ranges.allocate("d") == "10.0.0.0/24"


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=40))
def test_ranges_never_overlap(steps: Any) -> None:
    ranges, held = RangeAllocator("fd00::/61", 64), {}
    for holder, take in steps:
        if take:
            held[holder] = ranges.allocate(holder)
        else:
            ranges.release(holder)
            held.pop(holder, None)
        assert len(set(held.values())) == len(held)


def test_a_mask_must_fit() -> None:
    with pytest.raises(ValueError, match="/8 do not fit"):
        RangeAllocator("10.0.0.0/16", 8)


# Pod collection


def test_the_oldest_finished_pods_go() -> None:
    pods = [pod(f"p{age}", phase="Succeeded", age=age) for age in (5, 50, 20)] + [pod("runs")]
    assert [p["metadata"]["name"] for p in surplus_of_finished(pods, 1)] == ["p50", "p20"]
    assert surplus_of_finished(pods, 3) == []
    assert surplus_of_finished(pods, 0) == []


def test_deleted_pods_that_never_had_a_node_go() -> None:
    pods = [pod("a", deleting=True, node=None), pod("b", deleting=True), pod("c", node=None)]
    assert [p["metadata"]["name"] for p in never_placed(pods)] == ["a"]


# Namespaces


def messages(remaining: Remaining, present: Object | None = None) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["message"]) for c in deletion_conditions(present or {}, remaining, NOW)}


def test_what_remains_in_a_namespace() -> None:
    remaining = Remaining()
    remaining.note(registry.lookup("configmaps"), [{"metadata": {"finalizers": ["x.test/a"]}}, {"metadata": {}}])
    remaining.note(registry.lookup("deployments.apps"), [{"metadata": {}}])
    remaining.note(registry.lookup("pods"), [])
    found = messages(remaining)
    assert found["NamespaceContentRemaining"] == (
        "True",
        "Some resources are remaining: configmaps. has 2 resource instances, deployments.apps has 1 resource instances",
    )
    assert found["NamespaceFinalizersRemaining"] == (
        "True",
        "Some content in the namespace has finalizers remaining: x.test/a in 1 resource instances",
    )
    assert found["NamespaceDeletionContentFailure"][0] == "False"
    assert messages(Remaining())["NamespaceContentRemaining"] == ("False", "All content successfully removed")


def test_condition_times_move_with_their_value() -> None:
    first = deletion_conditions({}, Remaining(), NOW)
    later = deletion_conditions({"status": {"conditions": first}}, Remaining(), NOW + timedelta(hours=1))
    assert later == first


# Configuration


def test_controllers_are_chosen_by_name() -> None:
    def names(**config: Any) -> list[str]:
        return [c.name for c in chosen_controllers(ControllerManagerConfig(**config))]

    assert "deployment" in names()
    assert "node-lifecycle" not in names(controllers=("*", "-node-lifecycle"))
    assert names(controllers=("namespace",)) == ["namespace"]
    assert "node-ipam" not in names(allocate_node_cidrs=False)
    assert "root-ca-certificate-publisher" not in names()
    with pytest.raises(UnknownController, match="nonsense"):
        names(controllers=("*", "nonsense"))
