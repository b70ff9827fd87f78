"""What a pod needs next, case by case."""

import importlib.util
from pathlib import Path

import pytest

from nodeagent.pods.backoff import BackOff
from nodeagent.pods.planner import (
    Abort,
    DeletePod,
    FailPod,
    Forget,
    HoldBack,
    HoldPull,
    KillContainer,
    Plan,
    SetUpSandbox,
    StartContainer,
    TearDown,
    grace_period,
    is_finished,
    is_initialized,
    plan,
    should_restart,
)
from nodeagent.pods.state import Failure, Waiting
from tests.unit.nodeagent.pods import NOW, c, exited, pod, run_in, running, sidecar, state


def actions(obj, st, now: float = NOW):
    return plan(obj, st, now).actions


# -- beginning ---------------------------------------------------------------------------------------------------------


def test_a_new_pod_gets_its_sandbox_and_its_containers_at_the_same_time() -> None:
    obj = pod(c("a"), c("b"))
    assert actions(obj, state(obj, ready=False)) == [SetUpSandbox(0), StartContainer("a"), StartContainer("b")]


def test_what_is_under_way_is_not_begun_again() -> None:
    obj = pod(c("a"), c("b"))
    st = state(obj, ready=False)
    st.in_flight = frozenset({"sandbox", "start/a"})
    assert actions(obj, st) == [StartContainer("b")]


def test_containers_wait_for_a_sandbox_that_failed_before() -> None:
    obj = pod()
    st = state(obj, ready=False)
    st.sandbox.retries, st.sandbox.retry_at = 1, NOW + 4
    assert plan(obj, st, NOW) == Plan([], NOW + 4)
    assert actions(obj, st, NOW + 4) == [SetUpSandbox(0)]
    st.in_flight = frozenset({"sandbox"})
    assert actions(obj, st, NOW + 4) == []


def test_a_running_pod_needs_nothing() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", running())
    assert plan(obj, st, NOW) == Plan([], None)


# -- init containers and sidecars --------------------------------------------------------------------------------------


def test_init_containers_run_one_after_the_other() -> None:
    obj = pod(c("m"), init=[c("i1"), c("i2")])
    st = state(obj)
    assert actions(obj, st) == [StartContainer("i1")]
    run_in(st, "i1", running())
    assert actions(obj, st) == []
    run_in(st, "i1", exited(0))
    assert actions(obj, st) == [StartContainer("i2")]
    run_in(st, "i2", exited(0))
    assert actions(obj, st) == [StartContainer("m")]


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_a_failed_init_container_is_repeated(policy: str) -> None:
    obj = pod(c("m"), init=[c("i1")], restartPolicy=policy)
    st = state(obj)
    run_in(st, "i1", exited(1))
    assert actions(obj, st) == [StartContainer("i1")]


def test_a_failed_init_container_ends_a_pod_that_never_restarts() -> None:
    obj = pod(c("m"), init=[c("i1")], restartPolicy="Never")
    st = state(obj)
    run_in(st, "i1", exited(1))
    assert is_finished(obj, st)
    assert actions(obj, st) == [TearDown()]


def test_init_containers_do_not_run_again_when_a_main_container_restarts() -> None:
    obj = pod(c("m"), init=[c("i1")])
    st = state(obj)
    run_in(st, "m", exited(1))
    assert actions(obj, st) == [StartContainer("m")]


def test_main_containers_wait_until_a_sidecar_has_started() -> None:
    obj = pod(c("m"), init=[sidecar("s"), c("i")])
    st = state(obj)
    assert actions(obj, st) == [StartContainer("s")]
    run_in(st, "s", running(), started=False)
    assert actions(obj, st) == []
    run_in(st, "s", running())
    assert actions(obj, st) == [StartContainer("i")]
    run_in(st, "i", exited(0))
    assert actions(obj, st) == [StartContainer("m")]
    assert is_initialized(obj, st)


def test_a_sidecar_restarts_beside_running_containers() -> None:
    obj = pod(c("m"), init=[sidecar("s")], restartPolicy="Never")
    st = state(obj)
    run_in(st, "m", running())
    run_in(st, "s", exited(0))
    assert actions(obj, st) == [StartContainer("s")]


# -- restarts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy(policy: str, code: int, again: bool) -> None:
    obj = pod(restartPolicy=policy)
    st = state(obj)
    run_in(st, "c", exited(code))
    assert should_restart(obj, "c", exited(code)) is again
    assert actions(obj, st) == ([StartContainer("c")] if again else [TearDown()])


def test_a_container_may_have_its_own_restart_policy() -> None:
    obj = pod(c("a", restartPolicy="OnFailure"), restartPolicy="Never")
    assert should_restart(obj, "a", exited(1))
    assert not should_restart(obj, "a", exited(0))


@pytest.mark.parametrize(("operator", "code", "again"), [("In", 42, True), ("In", 1, False), ("NotIn", 1, True)])
def test_restart_rules_by_exit_code(operator: str, code: int, again: bool) -> None:
    rule = {"action": "Restart", "exitCodes": {"operator": operator, "values": [42]}}
    obj = pod(c("a", restartPolicy="Never", restartPolicyRules=[rule]))
    assert should_restart(obj, "a", exited(code)) is again


def test_a_probe_kill_restarts_although_the_process_ended_well() -> None:
    obj = pod(restartPolicy="OnFailure")
    assert should_restart(obj, "c", exited(0, ended_to_restart=True))


def test_a_crashing_container_waits_for_its_back_off() -> None:
    obj = pod()
    st = state(obj)
    run_in(st, "c", exited(1, at=NOW - 3))
    st.containers["c"].back_off = BackOff(10, NOW - 8)
    assert plan(obj, st, NOW) == Plan([HoldBack("c", 10)], NOW + 7)
    st.containers["c"].waiting = Waiting("CrashLoopBackOff")
    assert plan(obj, st, NOW) == Plan([], NOW + 7)
    assert actions(obj, st, NOW + 7) == [StartContainer("c")]


def test_the_other_containers_go_on_meanwhile() -> None:
    obj = pod(c("a"), c("b"))
    st = state(obj)
    run_in(st, "a", exited(1))
    st.containers["a"].back_off = BackOff(10, NOW)
    assert StartContainer("b") in actions(obj, st)


def test_a_failed_pull_becomes_a_back_off() -> None:
    obj = pod()
    st = state(obj)
    container = st.containers["c"]
    container.waiting, container.failed_at, container.retry_at = Waiting("ErrImagePull", "no"), NOW, NOW + 10
    assert plan(obj, st, NOW) == Plan([], NOW + 1)
    assert plan(obj, st, NOW + 1) == Plan([HoldPull("c")], NOW + 10)
    container.waiting = Waiting("ImagePullBackOff", "no")
    assert plan(obj, st, NOW + 1) == Plan([], NOW + 10)
    assert actions(obj, st, NOW + 10) == [StartContainer("c")]


def test_a_container_to_be_replaced_is_killed_with_its_own_grace() -> None:
    obj = pod(terminationGracePeriodSeconds=20)
    st = state(obj)
    run_in(st, "c", running())
    st.containers["c"].kill_message = "why"
    assert actions(obj, st) == [KillContainer("c", "why", NOW + 20)]
    st.containers["c"].kill_grace = 3.0
    assert actions(obj, st) == [KillContainer("c", "why", NOW + 3)]
    st.in_flight = frozenset({"kill/c"})
    assert actions(obj, st) == []


# -- sandbox lost ------------------------------------------------------------------------------------------------------


def test_a_broken_sandbox_ends_what_runs_and_is_made_anew() -> None:
    obj = pod(c("a"), c("b"), terminationGracePeriodSeconds=5)
    st = state(obj)
    st.sandbox.status = "changed"
    run_in(st, "a", running())
    run_in(st, "b", exited(0))
    text = "Pod sandbox changed, it will be killed and re-created."
    assert actions(obj, st) == [KillContainer("a", text, NOW + 5)]
    st.in_flight = frozenset({"kill/a"})
    assert actions(obj, st) == []
    st.in_flight = frozenset()
    run_in(st, "a", exited(137))
    assert actions(obj, st) == [SetUpSandbox(1)]


def test_init_containers_run_again_in_a_new_sandbox() -> None:
    obj = pod(c("m"), init=[c("i")])
    st = state(obj)
    run_in(st, "i", exited(0, sandbox=0))
    run_in(st, "m", exited(137, sandbox=0))
    st.sandbox.attempt = 1
    assert actions(obj, st) == [StartContainer("i")]
    run_in(st, "i", exited(0, attempt=1, sandbox=1))
    assert actions(obj, st) == [StartContainer("m")]


# -- the end -----------------------------------------------------------------------------------------------------------


def ending(st, grace: float = 30.0):
    st.grace, st.terminating_since = grace, NOW
    return st


def test_a_deleted_pod_is_ended_in_order() -> None:
    obj = pod(c("a"), c("b"), deleting=True)
    st = ending(state(obj))
    run_in(st, "a", running())
    run_in(st, "b", running())
    assert actions(obj, st) == [
        KillContainer("a", "Stopping container a", NOW + 30),
        KillContainer("b", "Stopping container b", NOW + 30),
    ]
    st.in_flight = frozenset({"kill/a", "kill/b"})
    assert actions(obj, st) == []
    st.in_flight = frozenset()
    run_in(st, "a", exited(0))
    run_in(st, "b", exited(0))
    assert actions(obj, st) == [TearDown()]
    st.torn_down = True
    assert actions(obj, st) == []
    st.final_status_written = True
    assert actions(obj, st) == [DeletePod()]
    st.delete_requested = True
    assert actions(obj, st) == []
    st.removed = True
    assert actions(obj, st) == [Forget()]


def test_sidecars_end_last_and_in_reverse() -> None:
    obj = pod(c("m"), init=[sidecar("s1"), sidecar("s2")], deleting=True)
    st = ending(state(obj))
    for name in ("m", "s1", "s2"):
        run_in(st, name, running())
    assert [a.name for a in actions(obj, st)] == ["m"]
    run_in(st, "m", exited(0))
    assert [a.name for a in actions(obj, st)] == ["s2"]
    run_in(st, "s2", exited(0))
    assert [a.name for a in actions(obj, st)] == ["s1"]


def test_sidecars_of_a_finished_pod_get_the_whole_grace_period() -> None:
    obj = pod(c("m"), init=[sidecar("s")], restartPolicy="Never", terminationGracePeriodSeconds=7)
    st = state(obj)
    run_in(st, "m", exited(0))
    run_in(st, "s", running())
    assert actions(obj, st) == [KillContainer("s", "Stopping container s", NOW + 7)]


def test_deletion_gives_up_what_is_under_way() -> None:
    obj = pod(deleting=True)
    st = ending(state(obj, ready=False))
    st.in_flight = frozenset({"sandbox", "start/c"})
    assert actions(obj, st) == [Abort("sandbox"), Abort("start/c")]


def test_a_pod_removed_by_force_is_ended_and_forgotten() -> None:
    obj = pod()
    st = ending(state(obj), grace=2)
    st.removed = True
    run_in(st, "c", running())
    assert actions(obj, st) == [KillContainer("c", "Stopping container c", NOW + 2)]
    run_in(st, "c", exited(137))
    assert actions(obj, st) == [TearDown()]
    st.torn_down = True
    assert actions(obj, st) == [Forget()]


def test_a_finished_pod_is_torn_down_and_stays() -> None:
    obj = pod(restartPolicy="Never")
    st = state(obj)
    run_in(st, "c", exited(0))
    assert actions(obj, st) == [TearDown()]
    st.torn_down = st.final_status_written = True
    assert actions(obj, st) == []


def test_a_pod_is_not_finished_while_one_container_runs() -> None:
    obj = pod(c("a"), c("b"), restartPolicy="Never")
    st = state(obj)
    run_in(st, "a", exited(1))
    run_in(st, "b", running())
    assert not is_finished(obj, st)
    assert actions(obj, st) == []


def test_the_active_deadline_fails_the_pod() -> None:
    obj = pod(activeDeadlineSeconds=60)
    st = state(obj)
    run_in(st, "c", running())
    assert plan(obj, st, NOW).wake_at == NOW + 60
    text = "Pod was active on the node longer than the specified deadline"
    assert actions(obj, st, NOW + 60) == [FailPod(Failure("DeadlineExceeded", text))]
    st.failure = Failure("DeadlineExceeded", text)
    ending(st)
    assert [type(a) for a in actions(obj, st, NOW + 60)] == [KillContainer]


@pytest.mark.parametrize(
    ("given", "removed", "grace"), [(20, False, 20), (None, False, 30), (0, False, 2), (60, True, 2)]
)
def test_grace_periods_of_deletions(given: int | None, removed: bool, grace: float) -> None:
    obj = pod()
    if given is not None:
        obj["metadata"]["deletionGracePeriodSeconds"] = given
    assert grace_period(obj, removed=removed) == grace


def test_the_planner_changes_nothing() -> None:
    obj = pod(c("a"), init=[c("i")])
    st = state(obj)
    before = repr((obj, st))
    plan(obj, st, NOW)
    assert repr((obj, st)) == before


def test_the_planner_is_pure() -> None:
    spec = importlib.util.find_spec("nodeagent.pods.planner")
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).read_text()
    assert not {"import asyncio", "import time", "import os", "import random"} & set(source.splitlines())


# -- ephemeral containers ----------------------------------------------------------------------------------------------


def test_an_ephemeral_container_runs_once_beside_the_others() -> None:
    obj = pod(c("a"), ephemeralContainers=[c("debug")])
    st = state(obj)
    run_in(st, "a", running())
    assert actions(obj, st) == [StartContainer("debug")]
    run_in(st, "debug", exited(1))
    assert actions(obj, st) == []
    # It does not keep the pod from its end, and ends with it.
    obj["spec"]["restartPolicy"] = "Never"
    run_in(st, "debug", running())
    run_in(st, "a", exited(0))
    assert is_finished(obj, st)
    (action,) = actions(obj, st)
    assert isinstance(action, KillContainer) and action.name == "debug"
