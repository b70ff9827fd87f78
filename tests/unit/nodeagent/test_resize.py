"""What the node has left, which pods it takes, and resizes."""

import pytest

from kubeactors.api.meta import Object
from nodeagent.pods import admission, resize
from nodeagent.pods.allocations import Allocations, Shortage, needs_of
from nodeagent.pods.planner import KillContainer, ResizeContainers, plan
from nodeagent.pods.record import decode, encode
from nodeagent.pods.state import PodState, Resize, Run, new_state
from nodeagent.pods.status import Host, pod_status
from tests.unit.nodeagent.pods import NOW, c, pod

HOST = Host(("192.0.2.1",))
NODE = {"cpu": "2", "memory": "1Gi", "pods": "3"}


def asks(cpu: str, memory: str = "10Mi", **fields: object) -> Object:
    amounts = {"cpu": cpu, "memory": memory}
    return c("c", resources={"requests": amounts, "limits": amounts}, **fields)


def test_what_is_left_of_a_node() -> None:
    node = Allocations(NODE)
    node.give("a", needs_of(pod(asks("1500m"))))
    assert node.shortage("b", needs_of(pod(asks("500m")))) is None
    assert node.shortage("b", needs_of(pod(asks("501m")))) == Shortage("cpu", 501, 1500, 2000)
    assert node.shortage("a", needs_of(pod(asks("2")))) is None, "its own part counts for itself"
    assert node.excess(needs_of(pod(asks("3")))) == Shortage("cpu", 3000, 0, 2000)
    # What no node knows of is not this node's matter.
    unknown = c("c", resources={"requests": {"example.com/thing": "1"}})
    assert node.shortage("b", needs_of(pod(unknown))) is None
    for uid in ("b", "c"):
        node.give(uid, needs_of(pod()))
    assert node.shortage("d", needs_of(pod())) == Shortage("pods", 1, 3, 3)


def test_who_waits_is_told_when_something_is_free() -> None:
    node, told = Allocations(NODE), []
    node.give("a", {"cpu": 500})
    node.wait("b", lambda: told.append("b"))
    node.give("a", {"cpu": 600})
    assert told == []
    node.give("a", {"cpu": 400})
    node.release("a")
    assert told == ["b", "b"]
    node.release("a")
    node.stop_waiting("b")
    node.give("a", {"cpu": 1})
    node.release("a")
    assert told == ["b", "b"]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, True),
        ({"nodeSelector": {"zone": "a"}}, True),
        ({"nodeSelector": {"zone": "b"}}, False),
        ({"terms": []}, False),
        ({"terms": [{}]}, False),
        ({"terms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}, {}]}, False),
        ({"terms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}]}, True),
        ({"terms": [{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["3"]}]}]}, True),
        ({"terms": [{"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}]}, False),
        ({"terms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]}, True),
    ],
)
def test_which_node_a_pod_wants(spec: Object, wanted: bool) -> None:
    obj = pod()
    if "terms" in spec:
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": spec["terms"]}}
        obj["spec"]["affinity"] = {"nodeAffinity": required}
    obj["spec"].update({k: v for k, v in spec.items() if k != "terms"})
    assert admission.wants_node(obj, "n", {"zone": "a", "cores": "4"}) is wanted


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, None),
        ({"sysctl": "net/ipv4/tcp_rmem"}, None),
        ({"sysctl": "kernel.sem"}, 'forbidden sysctl: "kernel.sem" not allowlisted'),
        (
            {"sysctl": "net.ipv4.tcp_rmem", "hostNetwork": True},
            'forbidden sysctl: "net.ipv4.tcp_rmem" not allowed with host net enabled',
        ),
        (
            {"sysctl": "kernel.shm_rmid_forced", "hostIPC": True},
            'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
        ),
        ({"os": {"name": "windows"}}, "Failed to admit pod as the OS field doesn't match node OS"),
    ],
)
def test_what_no_node_takes(spec: Object, message: str | None) -> None:
    obj = pod()
    if "sysctl" in spec:
        obj["spec"]["securityContext"] = {"sysctls": [{"name": spec["sysctl"], "value": "1"}]}
    obj["spec"].update({k: v for k, v in spec.items() if k != "sysctl"})
    found = admission.unsuitable(obj)
    assert (found and found[1]) == message


def running(obj: Object, given: Object) -> PodState:
    """The pod's one container runs with `given`, which is what it was allocated."""
    state = new_state(obj, NOW)
    state.sandbox.status = "ready"
    state.given = {"c": given}
    run = Run("id", 0, "running", NOW, "img", "sha256:1", started_at=NOW, resources=given)
    state.containers["c"].run = run
    return state


def test_a_pod_with_what_it_was_given() -> None:
    before, after = asks("1"), asks("2")
    obj = resize.with_given(pod(after), {"c": before["resources"]})
    assert obj["spec"]["containers"] == [before]
    same = pod(before)
    assert resize.with_given(same, {"c": before["resources"]}) is same
    assert resize.is_same({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}, "requests": {}})


def test_a_resize_is_refused_for_ever_or_for_now() -> None:
    node = Allocations(NODE)
    node.give("a", {"cpu": 1500})
    assert resize.refusal("b", pod(asks("500m")), node) is None
    reason, message = resize.refusal("b", pod(asks("1")), node) or ("", "")
    assert (reason, message.partition(":")[0]) == ("Deferred", "Node didn't have enough resource")
    text = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"
    assert resize.refusal("b", pod(asks("3")), node) == ("Infeasible", text)


def test_a_resize_is_carried_out_and_told() -> None:
    policies = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    obj = pod(asks("2", resizePolicy=policies))
    state = running(obj, asks("1")["resources"])
    state.given = resize.asked_for(obj)
    state.resize_progress = Resize(2)
    assert plan(obj, state, NOW).actions == [ResizeContainers()]
    ((container, spec),) = resize.outdated(obj, state)
    assert not resize.needs_restart(container, spec)
    status = pod_status(obj, state, HOST, NOW)
    (shown,) = status["containerStatuses"]
    assert (shown["resources"]["limits"]["cpu"], shown["allocatedResources"]["cpu"]) == ("1", "2")
    (condition,) = [x for x in status["conditions"] if x["type"] == "PodResizeInProgress"]
    assert (condition["status"], condition["observedGeneration"]) == ("True", 2)
    # One that has to be restarted for it is ended, and nothing else is done until it runs again.
    obj = pod(asks("1", "20Mi", resizePolicy=policies))
    state.given = resize.asked_for(obj)
    ((container, spec),) = resize.outdated(obj, state)
    assert resize.needs_restart(container, spec)
    container.kill_message = "Container c resize requires restart"
    (action,) = plan(obj, state, NOW).actions
    assert isinstance(action, KillContainer)
    assert decode(encode(obj, state))[1].resize_progress == Resize(2)


def test_a_pod_that_was_never_taken() -> None:
    obj = pod()
    state = new_state(obj, NOW)
    state.failure = admission.rejected("OutOfcpu", "too little")
    status = pod_status(obj, state, HOST, NOW)
    assert (status["phase"], status["reason"]) == ("Failed", "OutOfcpu")
    assert status["message"] == "Pod was rejected: too little"
    assert "containerStatuses" not in status
