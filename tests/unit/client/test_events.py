"""Event correlation (pure) and the recorder that writes."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from kubeactors.api import errors
from kubeactors.client import EventRecorder
from kubeactors.client.calls import CreateCall, PatchCall
from kubeactors.client.event_correlator import COMBINED, SPAM_BURST, EventCorrelator
from kubeactors.client.event_recorder import make_event, object_reference
from kubeactors.client.transport import ConnectionLost
from tests.support.fake_api import FakeApi

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def event(message: str, obj: dict[str, Any] = POD, reason: str = "Failed") -> dict[str, Any]:
    return make_event(obj, "Warning", reason, message, "kubelet", "node-1", NOW)


def test_an_event_has_the_fields_that_client_go_gives_it() -> None:
    made = make_event(POD, "Normal", "Pulled", "done", "kubelet", "node-1", NOW, "spec.containers{web}")
    name = made["metadata"].pop("name")
    assert name.startswith("web.")
    int(name.removeprefix("web."), 16)
    assert made == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "shop"},
        "involvedObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "resourceVersion": "7",
            "fieldPath": "spec.containers{web}",
        },
        "type": "Normal",
        "reason": "Pulled",
        "message": "done",
        "source": {"component": "kubelet", "host": "node-1"},
        "reportingComponent": "kubelet",
        "reportingInstance": "node-1",
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }


def test_events_of_cluster_scoped_objects_go_to_the_default_namespace() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "n"}}
    assert event("x", node)["metadata"]["namespace"] == "default"
    reference = {"kind": "Node", "name": "n", "uid": "n"}
    assert object_reference(reference) == reference
    with pytest.raises(ValueError, match="needs its kind"):
        object_reference({"metadata": {"name": "x"}})


def test_the_same_event_again_raises_the_count_of_the_first() -> None:
    correlator = EventCorrelator(Clock())
    first = correlator.correlate(event("a"))
    assert first is not None and first.patch is None
    correlator.written(first.key, first.event)
    second = correlator.correlate(event("a"))
    assert second is not None and second.patch is not None
    assert (second.patch["count"], second.event["count"]) == (2, 2)
    assert second.event["metadata"]["name"] == first.event["metadata"]["name"]
    other = correlator.correlate(event("b"))
    assert other is not None and other.patch is None
    correlator.forget(first.key)
    fresh = correlator.correlate(event("a"))
    assert fresh is not None and fresh.patch is None


def test_many_similar_events_become_one() -> None:
    clock = Clock()
    correlator = EventCorrelator(clock)
    writes = [correlator.correlate(event(f"try {number}")) for number in range(12)]
    messages = [write.event["message"] for write in writes if write is not None]
    assert messages[:9] == [f"try {number}" for number in range(9)]
    assert messages[9:] == [f"{COMBINED}try {number}" for number in (9, 10, 11)]
    last = writes[-1]
    assert last is not None and last.patch is not None and last.patch["count"] == 3
    assert last.patch["message"] == f"{COMBINED}try 11"
    clock.now += 601
    later = correlator.correlate(event("try 12"))
    assert later is not None and later.event["message"] == "try 12"


def test_one_object_cannot_flood() -> None:
    clock = Clock()
    correlator = EventCorrelator(clock)
    passed = [correlator.correlate(event("same")) for _ in range(SPAM_BURST + 10)]
    assert sum(write is not None for write in passed) == SPAM_BURST
    other = {**POD, "metadata": {**POD["metadata"], "name": "other", "uid": "u2"}}
    assert correlator.correlate(event("same", other)) is not None
    clock.now += 300
    assert correlator.correlate(event("same")) is not None
    assert correlator.correlate(event("same")) is None


async def test_the_recorder_writes_counts_and_stops_when_all_is_written() -> None:
    api = FakeApi()
    recorder = EventRecorder(api.client(), "kubelet", "node-1", now=lambda: NOW)
    for _ in range(3):
        recorder.event(POD, "Warning", "BackOff", "Back-off restarting failed container")
    recorder.event(POD, "Normal", "Pulled", "done")
    await recorder.stop()
    stored = api.objects("events", "shop")
    assert [(e["reason"], e["count"]) for e in stored] == [("BackOff", 3), ("Pulled", 1)]
    assert [type(call) for call in api.calls] == [CreateCall, PatchCall, PatchCall, CreateCall]
    recorder.event(POD, "Normal", "Late", "after stop")
    assert len(api.objects("events")) == 2


async def test_an_expired_event_is_written_anew() -> None:
    api = FakeApi()
    recorder = EventRecorder(api.client(), "x")
    recorder.event(POD, "Normal", "A", "a")
    await asyncio.sleep(0.01)
    api.remove("events", api.objects("events")[0]["metadata"]["name"], "shop")
    recorder.event(POD, "Normal", "A", "a")
    await recorder.stop()
    assert [e["count"] for e in api.objects("events")] == [2]


async def test_a_refused_event_is_dropped_and_the_next_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    api.fail(errors.forbidden("events", "", "no"), verb="create")
    recorder = EventRecorder(api.client(), "x")
    recorder.event(POD, "Normal", "A", "a")
    recorder.event(POD, "Normal", "B", "b")
    with caplog.at_level(logging.WARNING):
        await recorder.stop()
    assert [e["reason"] for e in api.objects("events")] == ["B"]
    assert recorder.dropped == 1
    assert "refused the event A" in caplog.text


@pytest.mark.looptime
async def test_an_api_server_that_is_away_delays_events_but_never_the_component() -> None:
    api = FakeApi()
    api.down = True
    recorder = EventRecorder(api.client(), "x", queue_size=5, rand=lambda: 0.5)
    for number in range(10):
        recorder.event(POD, "Normal", f"R{number}", "x")
    assert recorder.dropped == 5
    await asyncio.sleep(40)
    api.down = False
    await asyncio.sleep(60)
    await recorder.stop()
    assert [e["reason"] for e in api.objects("events")] == ["R0", "R1", "R2", "R3", "R4"]


@pytest.mark.looptime
async def test_an_event_whose_answer_was_lost_is_not_written_twice() -> None:
    api = FakeApi()
    recorder = EventRecorder(api.client(), "x")
    original = api.handle

    def lose_first_answer(call: Any) -> Any:
        api.handle = original  # type: ignore[method-assign]
        original(call)
        raise ConnectionLost("gone", sent=True)

    api.handle = lose_first_answer  # type: ignore[method-assign]
    recorder.event(POD, "Normal", "A", "a")
    await asyncio.sleep(30)
    await recorder.stop()
    assert len(api.objects("events")) == 1
    assert recorder.dropped == 0
