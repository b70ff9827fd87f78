"""Accessors of metadata, conditions, times; int-or-string."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kubeactors.api import intstr, meta

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_accessors_of_objects_with_and_without_metadata() -> None:
    obj = {"metadata": {"name": "a", "namespace": "n", "uid": "u", "finalizers": ["x/y"], "generation": 2}}
    assert (meta.name(obj), meta.namespace(obj), meta.uid(obj), meta.key(obj)) == ("a", "n", "u", "n/a")
    assert meta.generation(obj) == 2
    assert meta.name({}) == meta.namespace({}) == meta.uid({}) == ""
    assert meta.labels({}) == meta.annotations({}) == {}
    assert meta.key({"metadata": {"name": "a"}}) == "a"
    assert meta.split_key("n/a") == ("n", "a")
    assert meta.split_key("a") == ("", "a")


def test_owners() -> None:
    owner = {"metadata": {"name": "o", "uid": "1"}}
    ref = meta.controller_ref(owner, "apps/v1", "ReplicaSet")
    obj = {"metadata": {"ownerReferences": [{"uid": "2"}, ref]}}
    assert meta.controller_of(obj) == ref
    assert meta.is_controlled_by(obj, owner)
    assert not meta.is_controlled_by({}, owner)


def test_conditions_keep_their_transition_time() -> None:
    obj: meta.Object = {}
    assert meta.set_condition(obj, "Ready", "False", now=NOW, reason="R", message="m")
    first = meta.get_condition(obj, "Ready")
    assert first is not None
    assert first["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    later = NOW + timedelta(minutes=1)
    assert not meta.set_condition(obj, "Ready", "False", now=later, reason="R", message="m")
    assert meta.set_condition(obj, "Ready", "False", now=later, reason="S", message="m")
    changed = meta.get_condition(obj, "Ready")
    assert changed is not None
    assert changed["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert meta.set_condition(obj, "Ready", "True", now=later)
    assert meta.is_condition_true(obj, "Ready")
    assert obj["status"]["conditions"] == [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T12:01:00Z"}
    ]


def test_finalizers_are_removed() -> None:
    obj: meta.Object = {"metadata": {"finalizers": ["a/b", "c/d"]}}
    assert meta.remove_finalizer(obj, "a/b")
    assert not meta.remove_finalizer(obj, "a/b")
    assert meta.remove_finalizer(obj, "c/d")
    assert "finalizers" not in obj["metadata"]


def test_times() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=2)))
    assert meta.now_rfc3339(east) == "2026-01-01T12:00:00Z"
    assert meta.now_rfc3339_micro(NOW) == "2026-01-01T12:00:00.000000Z"
    assert meta.parse_time("2026-01-01T14:00:00+02:00") == NOW
    assert meta.parse_time("2026-01-01T12:00:00.5Z").microsecond == 500000
    assert meta.newest([None, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+02:00"]) == "2026-01-01T00:00:00Z"
    for bad in ("", "2026-01-01", "2026-01-01 12:00:00Z", "2026-01-01T12:00:00", "2026-13-01T12:00:00Z"):
        with pytest.raises(ValueError):
            meta.parse_time(bad)


def test_int_or_string() -> None:
    assert intstr.scaled(3, 10, round_up=True) == 3
    assert intstr.scaled("25%", 10, round_up=True) == 3
    assert intstr.scaled("25%", 10, round_up=False) == 2
    with pytest.raises(ValueError):
        intstr.scaled("25", 10, round_up=True)
