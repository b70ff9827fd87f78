"""managedFields of built-in kinds after creates, updates and applies."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.api.managedfields import Tracker, Trackers, name_of
from kubeactors.api.meta import Object

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"


def tracker(resource: str, subresource: str = "") -> Tracker:
    kind = registry.lookup(resource)
    strategy = kind.strategy_for(subresource)
    assert strategy is not None
    return Trackers().of(kind, subresource, strategy)


def config_map(data: dict[str, Any] | None = None, **metadata: Any) -> Object:
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}
    if data is not None:
        obj["data"] = data
    return obj


def owned(obj: Object) -> dict[str, Any]:
    """Manager → its fields."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields") or ()}


class Story:
    """One object through a series of writes, as the API server carries them out."""

    def __init__(self, resource: str = "configmaps") -> None:
        self.tracker = tracker(resource)
        self.kind = registry.lookup(resource)
        self.live: Object | None = None

    def apply(self, name: str, applied: Object, *, force: bool = False, now: str = NOW) -> Object:
        made = self.tracker.apply(copy.deepcopy(self.live), applied, name, now, force=force)
        self.kind.decoder(made)
        made["metadata"].setdefault("uid", "1")
        self.live = made
        return made

    def update(self, name: str, new: Object, *, now: str = NOW) -> Object:
        new = copy.deepcopy(new)
        self.kind.decoder(new)
        self.tracker.update(self.live, new, name, now)
        self.live = new
        return new


def test_a_create_owns_all_but_what_every_object_has() -> None:
    story = Story()
    made = story.update("maker", config_map({"x": "1"}, namespace="n", labels={"l": "1"}, finalizers=["e.com/f"]))
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "maker",
            "operation": "Update",
            "apiVersion": "v1",
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {
                    "f:labels": {".": {}, "f:l": {}},
                    "f:finalizers": {".": {}, 'v:"e.com/f"': {}},
                },
                "f:data": {".": {}, "f:x": {}},
            },
        }
    ]


def test_structs_that_are_always_there_are_not_owned() -> None:
    story = Story("deployments")
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
        },
    }
    obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": spec,
        "status": {"replicas": 1},
    }
    fields = owned(story.update("m", obj))["m"]
    port = {".": {}, "f:containerPort": {}, "f:protocol": {}}
    assert fields == {
        "f:spec": {
            "f:selector": {},
            "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:name": {},
                            "f:image": {},
                            "f:ports": {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': port},
                            "f:resources": {},
                        }
                    }
                },
            },
        }
    }


def test_status_has_managers_of_its_own() -> None:
    main, status = tracker("pods"), tracker("pods", "status")
    live: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n"},
        "status": {},
    }
    main.update(None, live, "maker", NOW)
    new = copy.deepcopy(live)
    new["spec"]["nodeName"] = "other"
    new["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}]}
    status.update(live, new, "kubelet", LATER)
    entries = new["metadata"]["managedFields"]
    assert [(e["manager"], e.get("subresource")) for e in entries] == [("maker", None), ("kubelet", "status")]
    condition = {".": {}, "f:type": {}, "f:status": {}, "f:lastProbeTime": {}}
    assert entries[1]["fieldsV1"] == {
        "f:status": {"f:phase": {}, "f:conditions": {".": {}, 'k:{"type":"Ready"}': condition}}
    }
    # A write to the main resource without a status takes nothing from the status' manager.
    again = copy.deepcopy(new)
    again["status"] = {}
    main.update(new, again, "editor", LATER)
    assert owned(again) == owned(new)


def test_an_update_takes_what_it_changes_and_removes() -> None:
    story = Story()
    story.apply("one", config_map({"x": "1", "y": "1", "z": "1"}))
    new = story.update("editor", config_map({"x": "2", "y": "1"}, managedFields=None), now=LATER)
    assert owned(new) == {"one": {"f:data": {"f:y": {}}}, "editor": {"f:data": {"f:x": {}}}}
    assert [entry["time"] for entry in new["metadata"]["managedFields"]] == [NOW, LATER]


def test_an_update_that_changes_nothing_keeps_entries_and_times() -> None:
    story = Story()
    before = story.update("maker", config_map({"x": "1"}))["metadata"]["managedFields"]
    assert story.update("maker", config_map({"x": "1"}), now=LATER)["metadata"]["managedFields"] == before
    assert story.update("other", config_map({"x": "1"}), now=LATER)["metadata"]["managedFields"] == before


def test_who_sets_nothing_owns_nothing() -> None:
    assert "managedFields" not in Story().update("maker", config_map({}))["metadata"]


def test_clients_clear_managed_fields_and_then_none_are_kept_until_an_apply() -> None:
    for cleared in ([], [{}]):
        story = Story()
        story.update("maker", config_map({"x": "1"}))
        assert story.live is not None
        new = config_map({"x": "2"}, managedFields=cleared)
        story.tracker.update(story.live, new, "editor", NOW)
        assert "managedFields" not in new["metadata"]
        story.live = new
        assert "managedFields" not in story.update("editor", config_map({"x": "3"}))["metadata"]
        with pytest.raises(StatusError) as refused:
            story.apply("one", config_map({"x": "4"}))
        assert refused.value.message == (
            'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x'
        )
        made = story.apply("one", config_map({"y": "1"}))
        assert owned(made) == {
            "before-first-apply": {"f:data": {".": {}, "f:x": {}}},
            "one": {"f:data": {"f:y": {}}},
        }


def test_managed_fields_that_make_no_sense_are_ignored() -> None:
    story = Story()
    story.update("maker", config_map({"x": "1"}))
    assert story.live is not None
    good = story.live["metadata"]["managedFields"]
    entry = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    for change in (
        {"operation": "Create"},
        {"apiVersion": ""},
        {"fieldsType": ""},
        {"fieldsType": "FieldsV2"},
        {"fieldsV1": {"nonsense": {}}},
    ):
        new = config_map({"x": "1"}, managedFields=[{**entry, **change}])
        story.tracker.update(story.live, new, "editor", NOW)
        assert new["metadata"]["managedFields"] == good


def test_entries_can_be_edited_through_the_main_resource_only() -> None:
    live: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n"},
        "status": {},
    }
    tracker("pods").update(None, live, "maker", NOW)
    for subresource, expected in (("", "thief"), ("status", "maker")):
        new = copy.deepcopy(live)
        new["metadata"]["managedFields"][0]["manager"] = "thief"
        tracker("pods", subresource).update(live, new, "editor", NOW)
        assert list(owned(new)) == [expected]


def test_an_apply_owns_what_it_mentions_and_takes_back_what_it_leaves_out() -> None:
    story = Story()
    assert owned(story.apply("one", config_map({"x": "1", "y": "1"}))) == {"one": {"f:data": {"f:x": {}, "f:y": {}}}}
    made = story.apply("one", config_map({"x": "1"}))
    assert made["data"] == {"x": "1"}
    assert owned(made) == {"one": {"f:data": {"f:x": {}}}}
    made = story.apply("one", config_map())
    assert "data" not in made and "managedFields" not in made["metadata"]


def test_what_several_appliers_have_stays_until_the_last_leaves() -> None:
    story = Story()
    story.apply("one", config_map({"x": "1"}))
    made = story.apply("two", config_map({"x": "1"}), now=LATER)
    times = {entry["manager"]: entry.get("time") for entry in made["metadata"]["managedFields"]}
    assert times == {"one": NOW, "two": None}, "an apply that changes nothing has no time"
    assert story.apply("one", config_map({}))["data"] == {"x": "1"}
    assert "data" not in story.apply("two", config_map({}))


def test_what_an_updater_has_stays() -> None:
    story = Story()
    story.update("maker", config_map({"u": "1"}))
    story.apply("one", config_map({"x": "1"}))
    assert story.apply("one", config_map({}))["data"] == {"u": "1"}


def test_conflicts_name_managers_and_fields_and_force_takes_over() -> None:
    story = Story()
    story.apply("one", config_map({"x": "1", "y": "1"}))
    story.update("editor", {**(story.live or {}), "data": {"x": "1", "y": "1", "z": "1"}})
    with pytest.raises(StatusError) as refused:
        story.apply("two", config_map({"x": "2", "y": "2", "z": "2"}))
    assert refused.value.code == 409
    assert refused.value.message == (
        'Apply failed with 3 conflicts: conflicts with "editor" using v1:\n- .data.z\nconflicts with "one":\n'
        "- .data.x\n- .data.y"
    )
    assert refused.value.causes[0] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "editor" using v1',
        "field": ".data.z",
    }
    made = story.apply("two", config_map({"x": "2", "y": "2", "z": "2"}), force=True)
    assert owned(made) == {"two": {"f:data": {"f:x": {}, "f:y": {}, "f:z": {}}}}


def test_items_of_lists_are_owned_by_their_keys() -> None:
    story = Story("services")
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    story.apply("one", {**service, "spec": {"ports": [{"port": 80}]}})
    made = story.apply("two", {**service, "spec": {"ports": [{"port": 80, "protocol": "UDP", "name": "u"}]}})
    assert [(port["port"], port.get("protocol")) for port in made["spec"]["ports"]] == [(80, None), (80, "UDP")]
    assert owned(made)["one"] == {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}}
    made = story.apply("one", {**service, "spec": {}})
    assert [port["protocol"] for port in made["spec"]["ports"]] == ["UDP"]


@pytest.mark.parametrize(
    ("applied", "problem"),
    [
        (config_map({"x": "1"}) | {"zz": 1}, ".zz: field not declared in schema"),
        (config_map({"x": 1}), ".data.x: expected string, got &value.valueUnstructured{Value:1}"),  # type: ignore[dict-item]
        (config_map() | {"data": "x"}, ".data: expected map, got &{x}"),
        (config_map() | {"immutable": "x"}, ".immutable: expected boolean, got &{x}"),
        (config_map(finalizers="x"), ".metadata.finalizers: expected list, got &{x}"),
        (config_map(generation="x"), ".metadata.generation: expected numeric (int or float), got string"),
        (config_map(finalizers=["a", "a"]), '.metadata.finalizers: duplicate entries for key [="a"]'),
        (
            config_map(finalizers=[None]),
            ".metadata.finalizers: element 0: associative list without keys has an element that's an explicit null",
        ),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(applied: Object, problem: str) -> None:
    with pytest.raises(StatusError) as refused:
        Story().apply("one", applied)
    assert refused.value.code == 500
    assert refused.value.message == f"failed to create typed patch object (/a; /v1, Kind=ConfigMap): {problem}"


def test_several_problems_are_told_together() -> None:
    with pytest.raises(StatusError) as refused:
        Story().apply("one", config_map({"x": 1, "y": True}))
    assert refused.value.message.endswith(
        "errors:\n  .data.x: expected string, got &value.valueUnstructured{Value:1}\n"
        "  .data.y: expected string, got &value.valueUnstructured{Value:true}"
    )


@pytest.mark.parametrize(
    ("applied", "message"),
    [
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}, "invalid object type: /v1, Kind=Secret"),
        ({"apiVersion": "apps/v1", "kind": "ConfigMap"}, "invalid object type: apps/v1, Kind=ConfigMap"),
        ({}, "invalid object type: /, Kind="),
        (config_map(managedFields=[]), "metadata.managedFields must be nil"),
    ],
)
def test_other_types_and_managed_fields_are_refused(applied: Object, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        Story().apply("one", applied)
    assert (refused.value.code, refused.value.message) == (400, message)


def test_kubectl_takes_over_from_client_side_apply() -> None:
    document = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}\n'
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    story = Story()
    story.update("kubectl-client-side-apply", config_map({"x": "1", "w": "1"}, annotations={annotation: document}))
    with pytest.raises(StatusError, match="kubectl-client-side-apply"):
        story.apply("other", config_map({"x": "2"}))
    with pytest.raises(StatusError) as refused:
        story.apply("kubectl", config_map({"x": "2", "w": "2"}))
    assert [cause["field"] for cause in refused.value.causes] == [".data.w"], "w was never applied"
    made = story.apply("kubectl", config_map({"x": "2"}))
    assert made["data"] == {"x": "2", "w": "1"}
    assert made["metadata"]["annotations"][annotation] == (
        '{"apiVersion":"v1","data":{"x":"2"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'
    )


def test_updaters_are_capped() -> None:
    story = Story()
    data = {}
    for number in range(15):
        data[f"k{number:02}"] = "1"
        story.update(f"m{number:02}", config_map(dict(data)), now=f"2026-01-01T00:00:{number:02}Z")
    assert story.live is not None
    entries = story.live["metadata"]["managedFields"]
    assert [entry["manager"] for entry in entries] == ["ancient-changes", *(f"m{number:02}" for number in range(6, 15))]
    assert set(entries[0]["fieldsV1"]["f:data"]) == {".", *(f"f:k{number:02}" for number in range(6))}
    assert entries[0]["time"] == "2026-01-01T00:00:05Z", "of the last that went in"


def test_appliers_are_not_capped() -> None:
    story = Story()
    for number in range(15):
        story.apply(f"m{number:02}", config_map({f"k{number}": "1"}))
    assert story.live is not None
    assert len(story.live["metadata"]["managedFields"]) == 15


@pytest.mark.parametrize(
    ("manager", "agent", "expected"),
    [
        ("m", "kubectl/v1", "m"),
        ("", "kubectl/v1.37 (linux/amd64)", "kubectl"),
        ("", "tool", "tool"),
        ("", "", "unknown"),
        ("", "/x", "unknown"),
        ("", "a\tb\x00c/1", "abc"),
        ("", "x" * 200 + "/1", "x" * 128),
        ("", "ä" * 100 + "/1", "ä" * 64),
    ],
)
def test_the_manager_is_named_by_the_request_or_its_user_agent(manager: str, agent: str, expected: str) -> None:
    assert name_of(manager, agent) == expected
