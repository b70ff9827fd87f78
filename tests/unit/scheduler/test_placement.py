"""The pipeline on whole clusters: against a naive judge of each node, and in the words users see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api.meta import Object
from kubeactors.api.resource_amounts import amounts, pod_requests
from kubeactors.scheduler.columns import Columns
from kubeactors.scheduler.framework import Event, UnknownPlugin, choose_plugins
from kubeactors.scheduler.messages import unschedulable_message
from kubeactors.scheduler.placement import Placer
from kubeactors.scheduler.plugins import default_plugins
from kubeactors.scheduler.shape import shape_of
from tests.unit.scheduler.objects import node, pod


def columns_of(*nodes: Object) -> Columns:
    columns = Columns()
    for each in nodes:
        columns.set_node(each)
    return columns


def placer(seed: int = 1) -> Placer:
    return Placer(default_plugins(), np.random.default_rng(seed))


def why(columns: Columns, waiting: Object) -> str:
    shape = shape_of(waiting)
    placement = placer().place(shape, [waiting["metadata"]["uid"]], columns)
    assert placement.nodes == []
    assert placement.failure is not None
    return unschedulable_message(placement.failure, shape, columns)


def where(columns: Columns, waiting: Object) -> str:
    placement = placer().place(shape_of(waiting), [waiting["metadata"]["uid"]], columns)
    assert placement.failure is None, placement.failure
    return placement.nodes[0]


# Against a naive judge

LABELS = st.dictionaries(st.sampled_from(["zone", "disk"]), st.sampled_from(["a", "b", "3", "7"]), max_size=2)
TAINTS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["k", "x"]),
            "value": st.sampled_from(["", "v"]),
            "effect": st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
        }
    ),
    max_size=2,
)
REQUIREMENT = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["zone", "disk", "absent"]),
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(st.sampled_from(["a", "b", "3", "c"]), min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {"key": st.sampled_from(["zone", "absent"]), "operator": st.sampled_from(["Exists", "DoesNotExist"])}
    ),
    st.fixed_dictionaries(
        {"key": st.just("zone"), "operator": st.sampled_from(["Gt", "Lt"]), "values": st.just(["5"])}
    ),
)
TERM = st.fixed_dictionaries(
    {},
    optional={
        "matchExpressions": st.lists(REQUIREMENT, max_size=2),
        "matchFields": st.just([{"key": "metadata.name", "operator": "In", "values": ["n0", "n1"]}]),
    },
)
TOLERATION = st.fixed_dictionaries(
    {"operator": st.sampled_from(["Exists", "Equal"])},
    optional={
        "key": st.sampled_from(["k", "x"]),
        "value": st.sampled_from(["", "v"]),
        "effect": st.sampled_from(["NoSchedule", "NoExecute"]),
    },
)
NODES = st.lists(
    st.builds(
        dict,
        cpu=st.sampled_from(["1", "2", "500m"]),
        memory=st.sampled_from(["1Gi", "512Mi"]),
        pods=st.sampled_from(["1", "3", "110"]),
        labels=LABELS,
        taints=TAINTS,
        unschedulable=st.booleans(),
    ),
    max_size=5,
)
PODS = st.builds(
    dict,
    requests=st.dictionaries(
        st.sampled_from(["cpu", "memory", "example.test/gpu"]), st.sampled_from(["1", "300m", "0"]), max_size=2
    ),
    selector=st.one_of(st.just({}), LABELS),
    terms=st.one_of(st.none(), st.lists(TERM, min_size=1, max_size=2)),
    tolerations=st.lists(TOLERATION, max_size=2),
    port=st.one_of(st.none(), st.sampled_from([80, 81])),
)


def build_pod(name: str, made: dict[str, Any]) -> Object:
    affinity: Object = {}
    if made["terms"] is not None:
        required = {"nodeSelectorTerms": made["terms"]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    built = pod(
        name, made["requests"], nodeSelector=made["selector"], tolerations=made["tolerations"], affinity=affinity
    )
    if made["port"]:
        built["spec"]["containers"][0]["ports"] = [{"hostPort": made["port"], "containerPort": 1}]
    return built


def naive_fits(candidate: Object, there: list[Object], wanted: Object) -> bool:
    """Straight from the API's documentation, one node and one pod at a time."""
    spec, labels = wanted["spec"], candidate["metadata"]["labels"]
    tolerations = spec["tolerations"]

    def tolerated(key: str, value: str, effect: str) -> bool:
        return any(
            t.get("effect", effect) in (effect, "")
            and t.get("key", key) in (key, "")
            and (t["operator"] == "Exists" or t.get("value", "") == value)
            for t in tolerations
        )

    if candidate["spec"]["unschedulable"] and not tolerated("node.kubernetes.io/unschedulable", "", "NoSchedule"):
        return False
    for taint in candidate["spec"]["taints"]:
        if taint["effect"] != "PreferNoSchedule" and not tolerated(taint["key"], taint["value"], taint["effect"]):
            return False
    if not all(labels.get(key) == value for key, value in spec["nodeSelector"].items()):
        return False
    affinity = spec["affinity"].get("nodeAffinity")
    if affinity is not None:
        terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        if not any(naive_term(term, candidate) for term in terms):
            return False
    ports = {p["hostPort"] for p in spec["containers"][0].get("ports", ())}
    if any(ports & {p["hostPort"] for p in other["spec"]["containers"][0].get("ports", ())} for other in there):
        return False
    allocatable = amounts(candidate["status"]["allocatable"])
    if len(there) + 1 > allocatable["pods"]:
        return False
    return all(
        sum(pod_requests(other).get(resource, 0) for other in there) + amount <= allocatable.get(resource, 0)
        for resource, amount in pod_requests(wanted).items()
        if amount
    )


def naive_term(term: Object, candidate: Object) -> bool:
    expressions, fields = term.get("matchExpressions", []), term.get("matchFields", [])
    if not expressions and not fields:
        return False
    if any(candidate["metadata"]["name"] not in f["values"] for f in fields):
        return False
    for r in expressions:
        value = candidate["metadata"]["labels"].get(r["key"])
        holds = {
            "In": lambda v=value, r=r: v in r["values"],
            "NotIn": lambda v=value, r=r: v not in r["values"],
            "Exists": lambda v=value: v is not None,
            "DoesNotExist": lambda v=value: v is None,
            "Gt": lambda v=value, r=r: v is not None and v.isdigit() and int(v) > int(r["values"][0]),
            "Lt": lambda v=value, r=r: v is not None and v.isdigit() and int(v) < int(r["values"][0]),
        }[r["operator"]]
        if not holds():
            return False
    return True


@settings(max_examples=300, deadline=None)
@given(made_nodes=NODES, made_pods=st.lists(PODS, min_size=1, max_size=4), copies=st.integers(1, 4))
def test_agrees_with_naive_judge(made_nodes: list[Any], made_pods: list[Any], copies: int) -> None:
    """Every pod lands on a node that fits by the naive judge, and only pods that fit nowhere stay behind."""
    nodes = {f"n{i}": node(f"n{i}", **made) for i, made in enumerate(made_nodes)}
    columns = columns_of(*nodes.values())
    there: dict[str, list[Object]] = {name: [] for name in nodes}
    for index, made in enumerate(made_pods):
        equal = [build_pod(f"p{index}-{copy}", made) for copy in range(copies)]
        placement = placer().place(shape_of(equal[0]), [p["metadata"]["uid"] for p in equal], columns)
        for each, name in zip(equal, placement.nodes, strict=False):
            assert naive_fits(nodes[name], there[name], each)
            there[name].append(each)
        if placement.failure is None:
            assert len(placement.nodes) == copies
        else:
            left = equal[len(placement.nodes)]
            assert not any(naive_fits(nodes[name], there[name], left) for name in nodes)
            assert sum(placement.failure.reasons.values()) >= len(nodes)
            assert placement.failure.nodes == len(nodes)


@settings(max_examples=100, deadline=None)
@given(made=NODES, removed=st.sets(st.integers(0, 4)), data=st.data())
def test_columns_survive_removals(made: list[Any], removed: set[int], data: st.DataObject) -> None:
    """After any removals, updates and displacements the columns are as if built from what is left."""
    nodes = [node(f"n{i}", **each) for i, each in enumerate(made)]
    columns = columns_of(*nodes)
    pods = [pod(f"p{i}", {"cpu": "1"}) for i in range(4)]
    homes = {}
    for each in pods if nodes else []:
        homes[each["metadata"]["uid"]] = data.draw(st.sampled_from(nodes))["metadata"]["name"]
        columns.place(each["metadata"]["uid"], homes[each["metadata"]["uid"]], shape_of(each))
    for index in removed:
        columns.remove_node(f"n{index}")
    gone = data.draw(st.sets(st.sampled_from([p["metadata"]["uid"] for p in pods])))
    for uid in gone:
        columns.displace(uid)
    left = [each for i, each in enumerate(nodes) if i not in removed]
    expected = columns_of(*left)
    for each in pods:
        uid = each["metadata"]["uid"]
        if uid in homes and uid not in gone:
            expected.place(uid, homes[uid], shape_of(each))
    assert sorted(columns.names) == sorted(expected.names)
    for name, row in columns.rows.items():
        other = expected.rows[name]
        for have, want in (
            (columns.allocatable, expected.allocatable),
            (columns.requested, expected.requested),
            (columns.nonzero, expected.nonzero),
        ):
            assert have[row].tolist()[:4] == want[other].tolist()[:4]
        taints = {columns.taints[i] for i in np.flatnonzero(columns.tainted[row])}
        assert taints == {expected.taints[i] for i in np.flatnonzero(expected.tainted[other])}
        for key in ("zone", "disk"):
            code, wanted = columns.label(key)[row], expected.label(key)[other]
            assert (columns.label_values(key)[code] if code >= 0 else None) == (
                expected.label_values(key)[wanted] if wanted >= 0 else None
            )


# Scores


def test_least_allocated_node_is_preferred() -> None:
    columns = columns_of(node("a"), node("b"))
    columns.place("x", "a", shape_of(pod("x", {"cpu": "4"})))
    assert where(columns, pod("p", {"cpu": "1"})) == "b"


def test_prefer_no_schedule_is_avoided() -> None:
    columns = columns_of(node("a", taints=[{"key": "k", "effect": "PreferNoSchedule"}]), node("b"))
    assert where(columns, pod("p")) == "b"


def test_preferred_affinity_decides() -> None:
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}
    }
    columns = columns_of(node("a"), node("b", labels={"disk": "ssd"}))
    assert where(columns, pod("p", affinity=affinity)) == "b"


def test_equal_pods_of_one_pass_spread() -> None:
    columns = columns_of(*(node(f"n{i}") for i in range(4)))
    placement = placer().place(shape_of(pod("p", {"cpu": "1"})), [str(i) for i in range(8)], columns)
    assert {name: placement.nodes.count(name) for name in columns.names} == dict.fromkeys(columns.names, 2)


def test_pods_without_requests_spread_too() -> None:
    columns = columns_of(node("a"), node("b"))
    placement = placer().place(shape_of(pod("p")), [str(i) for i in range(10)], columns)
    assert placement.nodes.count("a") == 5


def test_chance_decides_between_equal_nodes() -> None:
    chosen = set()
    for seed in range(30):
        columns = columns_of(node("a"), node("b"), node("c"))
        chosen |= set(placer(seed).place(shape_of(pod("p")), ["u"], columns).nodes)
    assert chosen == {"a", "b", "c"}


# Words

PREEMPTION = "no new claims to deallocate, preemption: 0/{n} nodes are available: "
NOT_HELPFUL = PREEMPTION + "{n} Preemption is not helpful for scheduling."
NO_VICTIMS = PREEMPTION + "{n} No preemption victims found for incoming pod."


def test_each_node_with_its_own_reason() -> None:
    columns = columns_of(
        node("a", "1", labels={"kind": "x"}),
        node("b"),
        node("c", labels={"kind": "x"}, taints=[{"key": "k", "effect": "NoSchedule"}]),
        node("d", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]),
    )
    assert why(columns, pod("p", {"cpu": "4"}, nodeSelector={"kind": "x"})) == (
        "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. " + NOT_HELPFUL.format(n=4)
    )


def test_room_held_by_equals() -> None:
    columns = columns_of(node("a"))
    columns.place("x", "a", shape_of(pod("x", {"cpu": "6"})))
    assert why(columns, pod("p", {"cpu": "6"})) == (
        "0/1 nodes are available: 1 Insufficient cpu. " + NO_VICTIMS.format(n=1)
    )


def test_two_resources_short_on_one_node() -> None:
    message = why(columns_of(node("a", "1", "1Gi")), pod("p", {"cpu": "2", "memory": "2Gi"}))
    assert message.startswith("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. ")


def test_too_many_pods() -> None:
    columns = columns_of(node("a", pods="1"))
    columns.place("x", "a", shape_of(pod("x")))
    assert why(columns, pod("p")) == "0/1 nodes are available: 1 Too many pods. " + NO_VICTIMS.format(n=1)


def test_host_port_taken() -> None:
    ports = [{"hostPort": 8080, "containerPort": 80}]
    spec = {"containers": [{"name": "main", "ports": ports}]}
    columns = columns_of(node("a"))
    columns.place("x", "a", shape_of(pod("x", **spec)))
    assert why(columns, pod("p", **spec)) == (
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. "
        + NO_VICTIMS.format(n=1)
    )
    columns.displace("x")
    assert where(columns, pod("p", **spec)) == "a"


def test_host_port_on_another_address_is_free() -> None:
    def on(ip: str) -> dict[str, Any]:
        return {"containers": [{"name": "m", "ports": [{"hostPort": 80, "hostIP": ip, "containerPort": 1}]}]}

    columns = columns_of(node("a"))
    columns.place("x", "a", shape_of(pod("x", **on("10.0.0.1"))))
    assert where(columns, pod("p", **on("10.0.0.2"))) == "a"
    assert "free ports" in why(columns, pod("q", **on("0.0.0.0")))


def test_named_node_that_does_not_exist() -> None:
    fields = [{"key": "metadata.name", "operator": "In", "values": ["nobody"]}]
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": fields}]}
        }
    }
    assert why(columns_of(node("a"), node("b")), pod("r", affinity=affinity)) == (
        "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. " + NOT_HELPFUL.format(n=2)
    )


def test_no_nodes() -> None:
    assert why(Columns(), pod("p")) == "no nodes available to schedule pods"


def test_policy_never() -> None:
    columns = columns_of(node("a"))
    columns.place("x", "a", shape_of(pod("x", {"cpu": "6"})))
    assert why(columns, pod("p", {"cpu": "6"}, priority=5, preemptionPolicy="Never")) == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: not eligible due to preemptionPolicy=Never."
    )


def test_preemption_that_would_help_is_said_to_be_missing() -> None:
    columns = columns_of(node("a"))
    columns.place("x", "a", shape_of(pod("x", {"cpu": "6"})))
    assert "1 Preemption is not supported by this scheduler yet" in why(columns, pod("p", {"cpu": "6"}, priority=5))


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}}, "podAffinity"),
        (
            {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}},
            "podAntiAffinity",
        ),
        ({"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}]}, "topologySpreadConstraints"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}, "persistent volume claims"),
        ({"resourceClaims": [{"name": "c"}]}, "resourceClaims"),
    ],
)
def test_what_is_not_built_is_named(spec: dict[str, Any], what: str) -> None:
    message = why(columns_of(node("a")), pod("p", **spec))
    assert "this scheduler does not support" in message
    assert what in message


# Configuration


def test_plugins_are_chosen_by_name() -> None:
    names = [plugin.name for plugin in choose_plugins(default_plugins(), ("*", "-NodePorts"))]
    assert "NodePorts" not in names
    assert names.index("TaintToleration") < names.index("NodeResourcesFit")
    assert [p.name for p in choose_plugins(default_plugins(), ("NodeAffinity",))] == ["NodeAffinity"]
    with pytest.raises(UnknownPlugin, match="Nonsense"):
        choose_plugins(default_plugins(), ("*", "Nonsense"))


def test_a_failure_waits_for_what_may_help() -> None:
    columns = columns_of(node("a", taints=[{"key": "k", "effect": "NoSchedule"}]))
    placement = placer().place(shape_of(pod("p")), ["u"], columns)
    assert placement.failure is not None
    assert placement.failure.events & Event.NODE_TAINTS
    assert not placement.failure.events & Event.POD_DELETED
