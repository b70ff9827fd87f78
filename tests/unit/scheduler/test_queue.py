"""When a waiting pod is tried."""

from __future__ import annotations

from kubeactors.api.meta import Object
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.framework import Event
from kubeactors.scheduler.queue import SchedulingQueue, Waiting
from kubeactors.scheduler.shape import shape_of
from tests.unit.scheduler.objects import pod


class Bench:
    def __init__(self) -> None:
        self.time = 100.0
        self.woken = 0
        self.queue = SchedulingQueue(SchedulerConfig(), lambda: self.time, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def put(self, name: str, *, gated: bool = False, **spec: object) -> None:
        made: Object = pod(name, **spec)
        self.queue.put(name, made, shape_of(made), gated)

    def pop(self) -> list[str]:
        return [waiting.uid for waiting in self.queue.pop(10)]

    def pop_one(self) -> Waiting:
        (waiting,) = self.queue.pop(10)
        return waiting


def test_higher_priority_first_then_the_longest_waiting() -> None:
    bench = Bench()
    bench.put("a")
    bench.put("b", priority=10)
    bench.put("c")
    assert bench.pop() == ["b", "a", "c"]
    assert bench.pop() == []


def test_putting_wakes() -> None:
    bench = Bench()
    bench.put("a")
    assert bench.woken == 1


def test_an_unschedulable_pod_waits_for_an_event_that_concerns_it_and_for_its_backoff() -> None:
    bench = Bench()
    bench.put("a")
    bench.queue.unschedulable(bench.pop_one(), Event.NODE_TAINTS)
    bench.time += 60
    bench.queue.happened(Event.POD_DELETED)
    assert bench.pop() == []
    bench.queue.happened(Event.NODE_TAINTS)
    assert bench.pop() == ["a"]


def test_backoff_doubles_up_to_ten_seconds() -> None:
    bench = Bench()
    bench.put("a")
    for rest in (1, 2, 4, 8, 10, 10):
        bench.queue.unschedulable(bench.pop_one(), Event.ANY)
        bench.queue.happened(Event.NODE_ADDED)
        assert bench.queue.next_due() == bench.time + rest
        bench.time += rest - 0.01
        assert bench.pop() == []
        bench.time += 0.01


def test_a_forgotten_pod_is_tried_again_after_five_minutes() -> None:
    bench = Bench()
    bench.put("a")
    bench.queue.unschedulable(bench.pop_one(), Event(0))
    assert bench.queue.next_due() == bench.time + 300
    bench.time += 300
    assert bench.pop() == ["a"]


def test_a_failed_attempt_backs_off() -> None:
    bench = Bench()
    bench.put("a")
    bench.queue.failed(bench.pop_one())
    assert bench.pop() == []
    bench.time += 1
    assert bench.pop() == ["a"]


def test_a_gate_holds_a_pod_until_it_is_lifted() -> None:
    bench = Bench()
    bench.put("a", gated=True)
    bench.queue.happened(Event.ANY)
    assert bench.pop() == []
    bench.put("a", gated=False)
    assert bench.pop() == ["a"]


def test_a_removed_pod_is_not_tried() -> None:
    bench = Bench()
    bench.put("a")
    waiting = bench.pop_one()
    bench.queue.remove("a")
    bench.queue.unschedulable(waiting, Event.ANY)
    bench.queue.happened(Event.ANY)
    bench.time += 1000
    assert bench.pop() == []
    assert len(bench.queue) == 0


def test_a_pod_in_flight_is_not_handed_out_twice() -> None:
    bench = Bench()
    bench.put("a")
    waiting = bench.pop_one()
    bench.put("a", nodeSelector={"x": "y"})
    assert bench.pop() == []
    assert waiting.shape.node_selector == (("x", "y"),)


def test_a_changed_pod_is_tried_anew() -> None:
    bench = Bench()
    bench.put("a", nodeSelector={"x": "y"})
    bench.queue.unschedulable(bench.pop_one(), Event(0))
    bench.time += 5
    bench.put("a")
    assert bench.pop() == ["a"]
