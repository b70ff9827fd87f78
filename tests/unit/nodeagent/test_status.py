"""Pod status in kubelet's words."""

from dataclasses import replace

import pytest

from kubeactors.api.meta import Object, get_condition
from nodeagent.pods.state import Failure, Waiting
from nodeagent.pods.status import Host, pod_phase, pod_status
from nodeagent.status_manager import _difference, _may_wait
from tests.unit.nodeagent.pods import NOW, c, exited, pod, run_in, running, sidecar, state

HOST = Host(("192.0.2.1",))
TIME = "2027-01-15T08:00:00Z"


def status(obj: Object, st) -> Object:
    return pod_status(obj, st, HOST, NOW)


def condition(result: Object, type: str) -> Object:
    found = get_condition({"status": result}, type)
    assert found is not None
    return found


def test_a_new_pod() -> None:
    obj = pod()
    result = status(obj, state(obj, ready=False))
    assert result["phase"] == "Pending"
    assert result["observedGeneration"] == 3
    assert result["hostIP"] == "192.0.2.1" and result["hostIPs"] == [{"ip": "192.0.2.1"}]
    assert result["startTime"] == TIME
    assert "podIP" not in result
    assert result["containerStatuses"] == [
        {
            "name": "c",
            "state": {"waiting": {"reason": "ContainerCreating"}},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": "img",
            "imageID": "",
            "started": False,
        }
    ]
    assert condition(result, "Ready") == {
        "type": "Ready",
        "status": "False",
        "observedGeneration": 3,
        "lastProbeTime": None,
        "lastTransitionTime": TIME,
        "reason": "ContainersNotReady",
        "message": "containers with unready status: [c]",
    }
    assert condition(result, "Initialized")["status"] == "True"
    assert condition(result, "PodReadyToStartContainers")["status"] == "False"


def test_a_running_pod() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", running())
    result = status(obj, st)
    assert result["phase"] == "Running"
    assert result["podIP"] == "10.0.0.5" and result["podIPs"] == [{"ip": "10.0.0.5"}]
    only = result["containerStatuses"][0]
    assert only["state"] == {"running": {"startedAt": "2027-01-15T07:59:55Z"}}
    assert only["ready"] and only["started"]
    assert only["containerID"] == "podman://id0" and only["imageID"] == "sha256:1"
    assert [x["type"] for x in result["conditions"]] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert {x["status"] for x in result["conditions"]} == {"True"}


def test_transition_times_move_only_with_the_status() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", running())
    obj["status"] = status(obj, st)
    later = pod_status(obj, st, HOST, NOW + 60)
    assert condition(later, "Ready")["lastTransitionTime"] == TIME
    run_in(st, "c", running(), ready=False)
    later = pod_status(obj, st, HOST, NOW + 60)
    assert condition(later, "Ready")["lastTransitionTime"] == "2027-01-15T08:01:00Z"
    assert condition(later, "Initialized")["lastTransitionTime"] == TIME


def test_waiting_for_init_containers() -> None:
    obj = pod(c("m"), init=[c("i")])
    st = state(obj)
    run_in(st, "i", running())
    result = status(obj, st)
    assert result["phase"] == "Pending"
    assert result["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    initialized = condition(result, "Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert initialized["message"] == "containers with incomplete status: [i]"


def test_crash_loop_shows_the_last_end() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", exited(3, attempt=2))
    st.containers["c"].waiting = Waiting("CrashLoopBackOff", "back-off")
    only = status(obj, st)["containerStatuses"][0]
    assert only["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    assert only["lastState"]["terminated"]["exitCode"] == 3
    assert only["restartCount"] == 2
    assert pod_phase(obj, st) == "Running"


def test_a_restarted_container_keeps_its_last_end() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", running(attempt=1))
    st.containers["c"].last = exited(137, reason="OOMKilled")
    only = status(obj, st)["containerStatuses"][0]
    assert only["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert only["restartCount"] == 1


@pytest.mark.parametrize(
    ("codes", "policy", "phase", "reason"),
    [([0, 0], "Never", "Succeeded", "PodCompleted"), ([0, 1], "Never", "Failed", "PodFailed")],
)
def test_finished_pods(codes: list[int], policy: str, phase: str, reason: str) -> None:
    obj = pod(c("a"), c("b"), restartPolicy=policy)
    st = state(obj)
    for name, code in zip("ab", codes, strict=True):
        run_in(st, name, exited(code))
    result = status(obj, st)
    assert result["phase"] == phase
    assert condition(result, "Ready")["reason"] == reason
    assert condition(result, "ContainersReady")["status"] == "False"
    assert "terminated" in result["containerStatuses"][0]["state"]


def test_a_failed_init_container_fails_the_pod() -> None:
    obj = pod(c("m"), init=[c("i")], restartPolicy="Never")
    st = state(obj)
    run_in(st, "i", exited(1))
    assert status(obj, st)["phase"] == "Failed"


def test_a_deleted_pod_is_unready_while_it_still_runs() -> None:
    obj = pod(deleting=True)
    st = state(obj)
    run_in(st, "c", running())
    result = status(obj, st)
    assert result["phase"] == "Running"
    assert condition(result, "Ready")["status"] == "False"
    assert not result["containerStatuses"][0]["ready"]


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (143, "Failed")])
def test_the_phase_at_the_end_of_a_deleted_pod(code: int, phase: str) -> None:
    obj = pod(deleting=True)
    st = state(obj)
    run_in(st, "c", exited(code))
    assert status(obj, st)["phase"] == phase


def test_a_failure_of_the_agents_own() -> None:
    obj = pod()
    st = state(obj)
    st.failure = Failure("DeadlineExceeded", "too long")
    run_in(st, "c", exited(137))
    result = status(obj, st)
    assert (result["phase"], result["reason"], result["message"]) == ("Failed", "DeadlineExceeded", "too long")


@pytest.mark.parametrize("created", [False, True])
def test_a_container_that_never_ran_counts_as_failed_at_the_end(created: bool) -> None:
    obj = pod()
    st = state(obj)
    if created:
        run_in(st, "c", replace(running(), status="created"))
    st.failure = Failure("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
    assert "waiting" in status(obj, st)["containerStatuses"][0]["state"]
    st.torn_down = True
    result = status(obj, st)
    assert (result["phase"], result["reason"]) == ("Failed", "DeadlineExceeded")
    assert result["containerStatuses"][0]["state"] == {
        "terminated": {
            "exitCode": 137,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
            "startedAt": None,
            "finishedAt": None,
        }
    }


def test_a_sidecar_counts_for_readiness() -> None:
    obj = pod(c("m"), init=[sidecar("s")])
    st = state(obj)
    run_in(st, "s", running(), ready=False)
    run_in(st, "m", running())
    result = status(obj, st)
    assert condition(result, "Initialized")["status"] == "True"
    assert condition(result, "ContainersReady")["message"] == "containers with unready status: [s]"


def test_readiness_gates() -> None:
    obj = pod(readinessGates=[{"conditionType": "example.com/ready"}])
    st = state(obj)
    run_in(st, "c", running())
    ready = condition(status(obj, st), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ReadinessGatesNotReady")
    obj["status"] = {"conditions": [{"type": "example.com/ready", "status": "True"}]}
    result = status(obj, st)
    assert condition(result, "Ready")["status"] == "True"
    assert condition(result, "example.com/ready")["status"] == "True"


def test_the_host_network_has_the_nodes_address() -> None:
    obj = pod(hostNetwork=True)
    st = state(obj)
    assert status(obj, st)["podIP"] == "192.0.2.1"


# -- what is written -----------------------------------------------------------------------------------------------


def test_only_what_changed_is_written() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", running())
    before = status(obj, st)
    assert _difference(before, before) == {}
    obj["status"] = before
    run_in(st, "c", running(), ready=False)
    patch = _difference(before, status(obj, st))
    assert set(patch) == {"conditions", "containerStatuses"}
    assert {x["type"] for x in patch["conditions"]} == {"Ready", "ContainersReady"}


def test_reasons_that_have_gone_are_taken_away() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", running(), ready=False)
    before = status(obj, st)
    run_in(st, "c", running())
    patch = _difference(before, status(obj, st))
    ready = next(x for x in patch["conditions"] if x["type"] == "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("True", None, None)


def test_a_new_address_replaces_the_old() -> None:
    patch = _difference({"podIPs": [{"ip": "10.0.0.1"}]}, {"podIPs": [{"ip": "10.0.0.2"}]})
    assert patch == {"podIPs": [{"ip": "10.0.0.2"}, {"$patch": "delete", "ip": "10.0.0.1"}]}


def test_a_pod_that_is_being_set_up_may_wait_but_trouble_may_not() -> None:
    obj = pod()
    st = state(obj, ready=False)
    assert _may_wait(status(obj, st))
    st.containers["c"].waiting = Waiting("ErrImagePull", "no")
    assert not _may_wait(status(obj, st))


def test_ephemeral_containers_are_told_of_and_change_nothing() -> None:
    obj = pod(ephemeralContainers=[c("debug")])
    st = state(obj)
    run_in(st, "c", running())
    run_in(st, "debug", exited(3), ready=False)
    status = pod_status(obj, st, HOST, NOW)
    (added,) = status["ephemeralContainerStatuses"]
    assert added["state"]["terminated"]["exitCode"] == 3
    assert (added["ready"], added["restartCount"]) == (False, 0)
    assert not {"started", "resources"} & added.keys()
    assert status["phase"] == "Running"
    assert [x["status"] for x in status["conditions"] if x["type"] == "Ready"] == ["True"]
