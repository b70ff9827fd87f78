"""The two faces of an Event, and what each demands."""

from typing import Any

import pytest

from kubeactors.api import events
from kubeactors.api.codec import copy
from kubeactors.api.kinds import Kind, registry
from kubeactors.api.meta import Object
from kubeactors.api.selectors.labels import SelectorError
from tests.support.api_samples import completed, create_errors, update_errors

TIME = "2001-01-01T00:00:00.000000Z"


def events_kind() -> Kind:
    kind = registry.by_gvk("events.k8s.io/v1", "Event")
    assert kind is not None
    return kind


def core(**fields: Any) -> Object:
    return {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, **fields}


def event(**fields: Any) -> Object:
    return {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "eventTime": TIME,
        "reportingController": "example.com/c",
        "reportingInstance": "c-1",
        "action": "Do",
        "reason": "Did",
        "type": "Normal",
        **fields,
    }


def test_there_and_back() -> None:
    made = completed("events.events.k8s.io", event(note="text", deprecatedCount=2))
    stored = events.to_core(made)
    assert stored["involvedObject"]["name"] == "p"
    assert (stored["message"], stored["count"], stored["reportingComponent"]) == ("text", 2, "example.com/c")
    back = copy(stored)
    events.from_core(back)
    assert back == made


def test_an_old_event_has_no_empty_reporter_in_the_new_form() -> None:
    old = completed("events", core(source={"component": "kubelet"}))
    assert old["reportingComponent"] == ""
    events.from_core(old)
    assert "reportingController" not in old
    assert old["deprecatedSource"] == {"component": "kubelet"}


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, []),
        ({"metadata": {"name": "Not_A.Subdomain"}}, []),
        ({"metadata": {"name": "a%b"}}, ["metadata.name: Invalid value: \"a%b\": may not contain '%'"]),
        (
            {"involvedObject": {"namespace": "other"}},
            ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
        ),
        (
            {"eventTime": TIME, "reportingComponent": "c", "action": "a", "reason": "r"},
            ["reportingInstance: Required value"],
        ),
    ],
)
def test_core_events_that_are_refused(fields: Object, errors: list[str]) -> None:
    assert create_errors("events", core(**fields)) == errors


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, []),
        ({"eventTime": None}, ["eventTime: Required value"]),
        ({"type": "X"}, ['type: Invalid value: "": has invalid value: X']),
        ({"note": "x" * 1025}, ['message: Invalid value: "": can have at most 1024 characters']),
        ({"deprecatedCount": 1}, ['count: Invalid value: "": needs to be unset']),
        ({"series": {"count": 1, "lastObservedTime": TIME}}, ['series.count: Invalid value: "": should be at least 2']),
        ({"reportingController": "a/b/c"}, None),
    ],
)
def test_new_events_that_are_refused(fields: Object, errors: list[str] | None) -> None:
    found = create_errors("events.events.k8s.io", event(**fields))
    if errors is None:
        assert found and all(e.startswith("reportingController: ") for e in found)
    else:
        assert found == errors


def test_new_events_are_only_counted_on() -> None:
    old = completed("events.events.k8s.io", event())
    new = {**copy(old), "series": {"count": 2, "lastObservedTime": TIME}}
    assert update_errors("events.events.k8s.io", old, new) == []
    new = {**copy(old), "note": "other"}
    assert update_errors("events.events.k8s.io", old, new) == ['message: Invalid value: "other": field is immutable']


def test_both_select_the_same_fields() -> None:
    kind = events_kind()
    assert kind.convert_field("regarding.name", "p") == ("involvedObject.name", "p")
    assert kind.convert_field("reportingController", "c") == ("reportingComponent", "c")
    with pytest.raises(SelectorError, match=r"field label not supported: involvedObject\.name"):
        kind.convert_field("involvedObject.name", "p")
