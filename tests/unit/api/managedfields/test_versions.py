"""Managers that wrote in another version of the API, and schemas that changed meanwhile."""

from __future__ import annotations

import copy
from typing import Any

from kubeactors.api.kinds import registry
from kubeactors.api.managedfields import Trackers
from kubeactors.api.managedfields.atoms import Atom, build
from kubeactors.api.managedfields.managers import APPLY, Managed, VersionedSet, manager
from kubeactors.api.managedfields.reconcile import reconcile
from kubeactors.api.managedfields.updater import Updater
from kubeactors.api.meta import Object
from kubeactors.api.schema.types import STRING, Field, ListType, MapType, Scalar, Struct

TEXT = Scalar(STRING)
NOW = "2026-01-01T00:00:00Z"


def struct(**fields: Any) -> Struct:
    return Struct("T", {name: Field(name, of) for name, of in fields.items()})


class Renamed:
    """Version v2 calls `old` `new`."""

    types = {"v1": build(struct(old=TEXT, keep=TEXT)), "v2": build(struct(new=TEXT, keep=TEXT))}

    def atom(self, api_version: str) -> Atom | None:
        return self.types.get(api_version)

    def convert(self, obj: Object, api_version: str) -> Object:
        names = {"old": "new"} if api_version == "v2" else {"new": "old"}
        return {names.get(name, name): item for name, item in obj.items()}


ONE, TWO, GONE = (manager(name, APPLY, "", "") for name in ("one", "two", "gone"))


def test_an_update_in_one_version_takes_what_it_changes_in_another() -> None:
    managed = Managed(
        {
            ONE: VersionedSet({"f:old": {}, "f:keep": {}}, "v1", True),
            GONE: VersionedSet({"f:ancient": {}}, "v0", True),
        }
    )
    live, new = {"metadata": {}, "new": "1", "keep": "1"}, {"metadata": {}, "new": "2", "keep": "1"}
    after = Updater("v2", Renamed()).update(live, new, managed, TWO)
    assert {who: owned.fields for who, owned in after.sets.items()} == {ONE: {"f:keep": {}}, TWO: {"f:new": {}}}


def test_a_version_that_is_gone_takes_its_managers_along_even_when_nothing_changes() -> None:
    managed = Managed({GONE: VersionedSet({"f:ancient": {}}, "v0", True)})
    obj = {"metadata": {}, "new": "1"}
    assert Updater("v2", Renamed()).update(obj, obj, managed, TWO).sets == {}


def test_an_apply_in_another_version_takes_back_what_it_no_longer_says() -> None:
    managed = Managed({ONE: VersionedSet({"f:old": {}, "f:keep": {}}, "v1", True)})
    live = {"metadata": {}, "new": "1", "keep": "1"}
    new, after = Updater("v2", Renamed()).apply(live, {"keep": "1"}, managed, ONE, force=False)
    assert new == {"metadata": {}, "keep": "1"}
    assert after.sets[ONE] == VersionedSet({"f:keep": {}}, "v2", True)


def test_what_another_applier_has_in_another_version_stays() -> None:
    managed = Managed(
        {ONE: VersionedSet({"f:new": {}}, "v2", True), TWO: VersionedSet({"f:old": {}}, "v1", True)},
    )
    live = {"metadata": {}, "new": "1", "keep": "1"}
    new, after = Updater("v2", Renamed()).apply(live, {"keep": "1"}, managed, ONE, force=False)
    assert new is None, "the other one keeps it"
    assert after.sets[TWO].fields == {"f:old": {}}


def test_events_are_one_thing_in_two_groups() -> None:
    trackers = Trackers(registry.by_gvk)
    core, events = registry.by_gvk("v1", "Event"), registry.by_gvk("events.k8s.io/v1", "Event")
    assert core is not None and events is not None
    made: Object = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "n"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "message": "m",
        "count": 1,
    }
    core.decoder(made)
    trackers.of(core, "", core.strategy).update(None, made, "writer", NOW)
    live = copy.deepcopy(made)
    assert events.conversion is not None
    events.conversion.from_stored(live)
    live["apiVersion"], live["kind"] = "events.k8s.io/v1", "Event"
    new = copy.deepcopy(live)
    new["note"] = "changed"
    trackers.of(events, "", events.strategy).update(live, new, "other", NOW)
    owned = {entry["manager"]: entry for entry in new["metadata"]["managedFields"]}
    assert owned["other"]["fieldsV1"] == {"f:note": {}}
    assert owned["writer"]["apiVersion"] == "v1"
    assert "f:message" not in owned["writer"]["fieldsV1"]
    assert "f:count" in owned["writer"]["fieldsV1"]


def test_what_became_atomic_is_owned_whole() -> None:
    inner = struct(x=TEXT)
    atomic = Struct("T", inner.fields, atomic=True)
    before = {"f:m": {".": {}, "f:x": {}}, "f:l": {'k:{"x":"1"}': {".": {}, "f:x": {}}}, "f:s": {}}
    granular = build(struct(m=inner, l=ListType(inner, "map", ("x",)), s=TEXT))
    assert reconcile(granular, before) is before
    now = build(struct(m=atomic, l=ListType(inner), s=TEXT))
    assert reconcile(now, before) == {"f:m": {}, "f:l": {}, "f:s": {}}
    nested = build(struct(m=MapType(atomic)))
    assert reconcile(nested, {"f:m": {"f:a": {"f:x": {}}, "f:b": {}}}) == {"f:m": {"f:a": {}, "f:b": {}}}


def test_what_became_granular_counts_as_if_it_had_always_been() -> None:
    granular = build(struct(m=struct(x=TEXT)))
    fields = {"f:m": {}}
    assert reconcile(granular, fields) is fields


def test_data_without_a_schema_is_not_reconciled() -> None:
    free = build(Struct("T", preserve_unknown=True))
    fields = {"f:a": {"f:b": {}}}
    assert reconcile(free, fields) is fields
