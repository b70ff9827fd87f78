"""Which pods go first, and what the status says."""

from __future__ import annotations

import random

import pytest

from kubeactors.api.meta import Object
from kubeactors.controllers.expectations import TIMEOUT_S, Expectations
from kubeactors.controllers.ownership import claims
from kubeactors.controllers.replicaset.ranking import DELETION_COST, deletion_cost, pods_to_delete
from kubeactors.controllers.replicaset.status import next_availability_check, status_of
from tests.unit.controllers.objects import NOW, pod, replica_set


def order(*pods: Object, related: list[Object] | None = None) -> list[str]:
    shuffled = list(pods)
    random.Random(7).shuffle(shuffled)
    # One at a time: asked for all, the order would not matter and is not made.
    names = []
    while len(shuffled) > 1:
        (first,) = pods_to_delete(shuffled, related if related is not None else shuffled, 1, NOW)
        names.append(first["metadata"]["name"])
        shuffled.remove(first)
    return [*names, shuffled[0]["metadata"]["name"]]


def test_the_order_of_sparing() -> None:
    assert order(
        pod("placed", ready=True, ready_for=1000),
        pod("not-ready", ready=False),
        pod("pending", ready=None, phase="Pending"),
        pod("unplaced", ready=None, phase="Pending", node=None),
    ) == ["unplaced", "pending", "not-ready", "placed"]


def cost(name: str, value: str, **more: object) -> Object:
    made = pod(name, **more)  # type: ignore[arg-type]
    made["metadata"]["annotations"] = {DELETION_COST: value}
    return made


def test_cheap_ones_first_but_not_ready_ones_before() -> None:
    assert order(pod("plain"), cost("dear", "10"), cost("cheap", "-5"), cost("sick", "100", ready=False)) == [
        "sick",
        "cheap",
        "plain",
        "dear",
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5), ("-3", -3), ("0", 0), ("+5", 0), ("05", 0), ("x", 0), ("9999999999", 0)]
)
def test_deletion_costs_that_are_none(text: str, expected: int) -> None:
    assert deletion_cost(cost("p", text)) == expected


def test_crowded_nodes_first() -> None:
    others = [pod(f"other{i}", node="crowded") for i in range(3)]
    mine = [pod("lonely", node="empty"), pod("crowd", node="crowded")]
    assert order(*mine, related=[*mine, *others])[0] == "crowd"


def test_shortest_ready_then_most_restarts_then_youngest() -> None:
    assert order(pod("old", ready_for=10_000), pod("young", ready_for=3)) == ["young", "old"]
    restarted = pod("restarted")
    restarted["status"]["containerStatuses"] = [{"restartCount": 5}]
    assert order(pod("calm"), restarted) == ["restarted", "calm"]
    assert order(pod("aged", age=10_000), pod("fresh", age=3)) == ["fresh", "aged"]


def test_ages_of_one_magnitude_count_as_equal() -> None:
    assert order(pod("a", ready_for=1000), pod("b", ready_for=999)) == ["a", "b"]


def test_status_counts() -> None:
    rs = replica_set("web", 3)
    wanted = {"app": "web", "pod-template-hash": "web"}
    pods = [pod("a", labels=wanted), pod("b", labels=wanted, ready=False), pod("c", labels={"app": "web"})]
    assert status_of(rs, pods, 1, None, NOW) == {
        "replicas": 3,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
        "terminatingReplicas": 1,
    }


def test_a_status_without_terminating_replicas() -> None:
    assert "terminatingReplicas" not in status_of(replica_set("web"), [], None, None, NOW)


def test_min_ready_seconds() -> None:
    rs = replica_set("web", 2)
    rs["spec"]["minReadySeconds"] = 30
    pods = [pod("a", ready_for=10), pod("b", ready_for=40), pod("c", ready=False)]
    assert status_of(rs, pods, 0, None, NOW)["availableReplicas"] == 1
    assert next_availability_check(rs, pods, NOW) == 20
    assert next_availability_check(rs, [pods[1]], NOW) is None


def test_a_failure_shows_until_it_is_over() -> None:
    rs = replica_set("web", 2)
    failed = status_of(rs, [], 0, ("FailedCreate", "quota"), NOW)
    assert failed["conditions"][0]["reason"] == "FailedCreate"
    rs["status"] = failed
    assert status_of(rs, [], 0, ("FailedCreate", "other"), NOW)["conditions"] == failed["conditions"]
    assert "conditions" not in status_of(rs, [], 0, None, NOW)


def test_claims() -> None:
    rs = replica_set("web")

    def owned(name: str, uid: str, **more: object) -> Object:
        made = pod(name, **more)  # type: ignore[arg-type]
        made["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "x", "uid": uid, "controller": True}]
        return made

    found = claims(
        rs,
        [
            owned("mine", "uid-web"),
            owned("strayed", "uid-web", labels={"app": "other"}),
            owned("theirs", "uid-x"),
            pod("orphan"),
            pod("ending", deleting=True),
            pod("stranger", labels={"app": "other"}),
        ],
        lambda obj: obj["metadata"]["labels"].get("app") == "web",
    )
    names = [[obj["metadata"]["name"] for obj in part] for part in (found.owned, found.adopt, found.release)]
    assert names == [["mine"], ["orphan"], ["strayed"]]
    rs["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = claims(rs, [pod("orphan"), owned("strayed", "uid-web", labels={})], lambda _: True)
    assert found.adopt == []


def test_expectations() -> None:
    time = 0.0
    expectations = Expectations(lambda: time)
    assert expectations.satisfied("k")
    expectations.expect_creations("k", 2)
    expectations.creation_observed("k")
    assert not expectations.satisfied("k")
    expectations.creation_observed("k")
    assert expectations.satisfied("k")
    expectations.expect_deletions("k", ["a", "b"])
    expectations.deletion_observed("k", "a")
    expectations.deletion_observed("k", "a")
    assert not expectations.satisfied("k")
    time = TIMEOUT_S + 1
    assert expectations.satisfied("k")
