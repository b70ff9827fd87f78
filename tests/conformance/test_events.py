"""Events of both API groups."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException, CoreV1Api, EventsV1Api

from tests.conformance.clients import watch_until
from tests.conformance.registry import behaviour

STAMP = "2026-01-01T00:00:00.123456Z"


def _core_event(name: str, namespace: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "p"},
        "reason": "Tested",
        "message": f"this is {name}",
        "type": "Normal",
    }


def _new_event(name: str, namespace: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "regarding": {"kind": "Pod", "namespace": namespace, "name": "p"},
        "reason": "Tested",
        "note": f"this is {name}",
        "type": "Normal",
        "action": "Test",
        "eventTime": STAMP,
        "reportingController": "test-controller",
        "reportingInstance": "test-node",
    }


@behaviour("[sig-instrumentation] Events should manage the lifecycle of an event")
def test_life_in_the_core_group(core: CoreV1Api, namespace: str) -> None:
    since = core.list_namespaced_event(namespace).metadata.resource_version
    core.create_namespaced_event(namespace, _core_event("e", namespace, testevent="true"))
    everywhere = core.list_event_for_all_namespaces(label_selector="testevent=true").items
    assert [(e.metadata.namespace, e.metadata.name) for e in everywhere if e.metadata.namespace == namespace] == [
        (namespace, "e")
    ]
    core.patch_namespaced_event("e", namespace, {"message": "This is a patched event"})
    read = core.read_namespaced_event("e", namespace)
    assert read.message == "This is a patched event"
    read.series = {"count": 100, "lastObservedTime": STAMP}
    core.replace_namespaced_event("e", namespace, read)
    assert core.read_namespaced_event("e", namespace).series.count == 100
    core.delete_namespaced_event("e", namespace)
    seen = watch_until(core.list_namespaced_event, namespace, since=since, until=lambda kind, _: kind == "DELETED")
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert core.list_namespaced_event(namespace, label_selector="testevent=true").items == []


@behaviour("[sig-instrumentation] Events should delete a collection of events")
def test_a_collection_in_the_core_group(core: CoreV1Api, namespace: str) -> None:
    for n in range(3):
        core.create_namespaced_event(namespace, _core_event(f"e{n}", namespace, testset="true"))
    core.create_namespaced_event(namespace, _core_event("other", namespace))
    assert len(core.list_namespaced_event(namespace, label_selector="testset=true").items) == 3
    core.delete_collection_namespaced_event(namespace, label_selector="testset=true")
    assert [e.metadata.name for e in core.list_namespaced_event(namespace).items] == ["other"]


@behaviour("[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed")
def test_life_in_the_new_group(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    events = EventsV1Api(api)
    events.create_namespaced_event(namespace, _new_event("e", namespace, testevent="new"))
    # Events of the other group may lack what this client demands of all.
    found = events.list_event_for_all_namespaces(label_selector="testevent=new").items
    listed = [e for e in found if e.metadata.namespace == namespace]
    assert [e.metadata.name for e in listed] == ["e"]
    series = {"count": 2, "lastObservedTime": STAMP}
    events.patch_namespaced_event("e", namespace, {"series": series})
    with pytest.raises(ApiException) as caught:
        events.patch_namespaced_event("e", namespace, {"note": "patched"})
    assert "field is immutable" in caught.value.body
    read = events.read_namespaced_event("e", namespace)
    assert (read.series.count, read.reporting_controller) == (2, "test-controller")
    read.series = {"count": 3, "lastObservedTime": STAMP}
    events.replace_namespaced_event("e", namespace, read)
    again = events.read_namespaced_event("e", namespace)
    assert again.series.count == 3
    assert again.series.last_observed_time.microsecond == 123456
    old = core.read_namespaced_event("e", namespace)
    assert (old.message, old.involved_object.name, old.reporting_component) == ("this is e", "p", "test-controller")
    events.delete_namespaced_event("e", namespace)
    assert events.list_namespaced_event(namespace).items == []


def test_a_collection_in_the_new_group(api: ApiClient, namespace: str) -> None:
    """Should delete a collection of events, and select by what they regard."""
    events = EventsV1Api(api)
    for n in range(3):
        events.create_namespaced_event(namespace, _new_event(f"e{n}", namespace, testset="true"))
    assert len(events.list_namespaced_event(namespace, field_selector="regarding.name=p,reason=Tested").items) == 3
    assert events.list_namespaced_event(namespace, field_selector="regarding.name=q").items == []
    events.delete_collection_namespaced_event(namespace, label_selector="testset=true")
    assert events.list_namespaced_event(namespace).items == []


@pytest.mark.parametrize("namespace_of_pod", ["", "elsewhere"])
def test_an_event_is_where_its_object_is(core: CoreV1Api, namespace: str, namespace_of_pod: str) -> None:

    with pytest.raises(ApiException) as caught:
        core.create_namespaced_event(namespace, _core_event("e", namespace_of_pod))
    assert caught.value.status == 422
