"""Managers of replicas between an object and its Scale."""

from __future__ import annotations

from typing import Any

import pytest

from kubeactors.api.managedfields.scale import ScaleManagers

REPLICAS = {"f:spec": {"f:replicas": {}}}
BOTH = {"f:spec": {"f:replicas": {}, "f:selector": {}}}
REST = {"f:spec": {"f:selector": {}}}
MANAGERS = ScaleManagers("apps/v1", {"apps/v1": ("f:spec", "f:replicas"), "apps/v1beta1": None})
TIME = "2026-01-01T00:00:00Z"


def entry(
    name: str, operation: str, fields: dict[str, Any], version: str = "apps/v1", subresource: str = "", time: str = ""
) -> dict[str, Any]:
    made = {"manager": name, "operation": operation, "apiVersion": version}
    if time:
        made["time"] = time
    made |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    return made | ({"subresource": subresource} if subresource else {})


def test_only_who_owns_the_replicas_is_a_manager_of_the_scale() -> None:
    entries = [
        entry("other", "Apply", REST),
        entry("owner", "Apply", BOTH, time=TIME),
        entry("scaler", "Update", REPLICAS, subresource="scale"),
        entry("old", "Update", REPLICAS, "apps/v10"),
        entry("older", "Update", REPLICAS, "apps/v1beta1"),
    ]
    assert MANAGERS.to_scale(entries) == [
        entry("owner", "Apply", REPLICAS, "autoscaling/v1", time=TIME),
        entry("scaler", "Update", REPLICAS, "autoscaling/v1", subresource="scale"),
    ]
    assert MANAGERS.to_scale(None) == []


@pytest.mark.parametrize("before", ["Apply", "Update"])
@pytest.mark.parametrize("after", ["Apply", "Update"])
@pytest.mark.parametrize("name", ["one", "two"])
def test_the_scale_takes_the_replicas_from_whoever_had_them(before: str, after: str, name: str) -> None:
    entries = [entry("one", before, BOTH, time=TIME)]
    scale = [entry(name, after, REPLICAS, "autoscaling/v1", subresource="scale", time=TIME)]
    found = MANAGERS.to_parent(entries, scale)
    assert sorted(found, key=str) == sorted(
        [entry("one", before, REST, time=TIME), entry(name, after, REPLICAS, subresource="scale")], key=str
    )


def test_who_keeps_the_replicas_keeps_its_entry() -> None:
    for operation in ("Apply", "Update"):
        entries = [entry("one", operation, BOTH, time=TIME)]
        assert MANAGERS.to_parent(entries, MANAGERS.to_scale(entries)) == entries


def test_two_may_share_the_replicas() -> None:
    entries = [entry("one", "Apply", BOTH, time=TIME)]
    scale = [*MANAGERS.to_scale(entries), entry("two", "Apply", REPLICAS, "autoscaling/v1", subresource="scale")]
    assert MANAGERS.to_parent(entries, scale) == [
        entry("two", "Apply", REPLICAS, subresource="scale"),
        entry("one", "Apply", BOTH, time=TIME),
    ]


def test_an_entry_without_anything_left_goes() -> None:
    scale = [entry("two", "Update", REPLICAS, "autoscaling/v1", subresource="scale")]
    assert MANAGERS.to_parent([entry("one", "Apply", REPLICAS)], scale) == [
        entry("two", "Update", REPLICAS, subresource="scale")
    ]


def test_versions_that_are_not_known_go_and_those_without_a_scale_stay() -> None:
    entries = [entry("old", "Update", BOTH, "apps/v10"), entry("older", "Update", BOTH, "apps/v1beta1")]
    assert MANAGERS.to_parent(entries, []) == [entry("older", "Update", BOTH, "apps/v1beta1")]


def test_other_fields_of_the_scale_are_nobodys_here() -> None:
    scale = [entry("two", "Update", {"f:status": {"f:replicas": {}}}, "autoscaling/v1", subresource="scale")]
    assert MANAGERS.to_parent([entry("one", "Apply", REST)], scale) == [entry("one", "Apply", REST)]
