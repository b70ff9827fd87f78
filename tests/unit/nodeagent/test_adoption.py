"""What an agent goes on from after a restart: records and the runtime's containers."""

import pytest

from kubeactors.api.meta import Object
from nodeagent.pods.adoption import adopted_state, leftovers
from nodeagent.pods.backoff import BackOff
from nodeagent.pods.record import decode, encode
from nodeagent.pods.state import Failure, Waiting
from nodeagent.runtime.interface import ContainerRecord, Status
from tests.unit.nodeagent.pods import NOW, c, exited, pod, run_in, running, state


def container(name: str, attempt: int, status: Status, code: int | None = None, **fields) -> ContainerRecord:
    labels = {
        "io.kubernetes.container.name": name,
        "io.kubernetes.container.restartCount": str(attempt),
        "kubeactors.io/image": "img",
    }
    values: dict = {
        "id": f"id{attempt}",
        "name": "x",
        "labels": labels,
        "status": status,
        "pid": 7,
        "image": "img",
        "image_id": "sha256:1",
        "created_at": NOW - 50,
        "started_at": NOW - 40,
        "finished_at": NOW - 30 if status == "exited" else 0,
        "exit_code": code,
        "oom_killed": False,
    }
    return ContainerRecord(**{**values, **fields})


def full_state(obj: Object):
    st = state(obj)
    run_in(st, "c", running(attempt=1))
    st.containers["c"].last = exited(1)
    st.containers["c"].back_off = BackOff(20, NOW)
    st.containers["c"].waiting = Waiting("CrashLoopBackOff", "m")
    st.failure = Failure("r", "m")
    return st


def test_a_record_comes_back_as_it_was() -> None:
    obj = pod(init=[c("i")])
    st = full_state(obj)
    again_obj, again = decode(encode(obj, st))
    assert again_obj == obj
    assert again == st


@pytest.mark.parametrize("data", [b"", b"{}", b'{"pod": {}, "state": {}}', b"[1]"])
def test_what_no_agent_wrote_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(data)


def test_running_containers_go_on_as_they_were() -> None:
    obj = pod()
    before = full_state(obj)
    before.failure = None
    st = adopted_state(obj, before, [container("c", 1, "running"), container("c", 0, "exited", 1)], NOW)
    assert st.containers["c"].is_running and st.containers["c"].ready
    assert st.containers["c"].run is not None and st.containers["c"].run.started_at == NOW - 5
    assert st.containers["c"].last is not None and st.containers["c"].last.id == "id0"
    assert st.containers["c"].back_off == BackOff(20, NOW)


@pytest.mark.parametrize(
    ("code", "oom", "reason"),
    [(0, False, "Completed"), (2, False, "Error"), (137, True, "OOMKilled"), (None, False, "ContainerStatusUnknown")],
)
def test_an_end_that_happened_meanwhile_is_taken_up(code: int | None, oom: bool, reason: str) -> None:
    obj = pod()
    before = state(obj)
    run_in(before, "c", running())
    st = adopted_state(obj, before, [container("c", 0, "exited", code, oom_killed=oom)], NOW)
    run = st.containers["c"].run
    assert run is not None and run.status == "exited" and run.reason == reason
    assert run.exit_code == (137 if code is None else code)
    assert run.finished_at == NOW - 30
    assert not st.containers["c"].ready


def test_without_a_record_the_labels_are_enough() -> None:
    obj = pod()
    found = [container("c", 3, "running"), container("c", 2, "exited", 1), container("c", 1, "exited", 1)]
    st = adopted_state(obj, None, found, NOW)
    run, last = st.containers["c"].run, st.containers["c"].last
    assert run is not None and (run.attempt, run.status, run.image) == (3, "running", "img")
    assert last is not None and (last.attempt, last.exit_code) == (2, 1)
    assert [record.id for record in leftovers(st, found)] == ["id1"]


def test_a_container_that_vanished_has_ended() -> None:
    obj = pod()
    before = state(obj)
    run_in(before, "c", running())
    st = adopted_state(obj, before, [], NOW)
    run = st.containers["c"].run
    assert run is not None and (run.status, run.exit_code, run.reason) == ("exited", 137, "ContainerStatusUnknown")


def test_containers_that_never_started_are_left_over() -> None:
    obj = pod()
    found = [container("c", 0, "created")]
    st = adopted_state(obj, None, found, NOW)
    assert st.containers["c"].run is None
    assert leftovers(st, found) == found
