"""apply(): the three-way patch, checked by applying it with the server's own strategic merge."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api import errors
from kubeactors.api.patch import apply_strategic_patch
from kubeactors.api.schema.types import struct
from kubeactors.client import Resource
from kubeactors.client.apply import LAST_APPLIED, last_applied_document, three_way_merge_patch, three_way_patch
from kubeactors.client.resource import resolve
from kubeactors.client.strategic_diff import three_way_strategic_patch
from tests.support.fake_api import FakeApi

POD = struct("io.k8s.api.core.v1.Pod")
DEPLOYMENT = struct("io.k8s.api.apps.v1.Deployment")

names = st.sampled_from(["a", "b", "c", "d"])
words = st.dictionaries(names, st.sampled_from(["1", "2"]), max_size=3)


def by_key(key: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    item = st.fixed_dictionaries({key: names}, optional=fields)
    return st.lists(item, max_size=4, unique_by=lambda element: element[key])


volumes = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": names, "emptyDir": st.just({})}),
        st.fixed_dictionaries({"name": names, "hostPath": st.just({"path": "/x"})}),
    ),
    max_size=3,
    unique_by=lambda volume: str(volume["name"]),
)
containers = by_key(
    "name",
    image=st.sampled_from(["x", "y"]),
    args=st.lists(names, max_size=3),
    env=by_key("name", value=st.sampled_from(["1", "2"])),
    resources=st.fixed_dictionaries({}, optional={"limits": words, "requests": words}),
)
pods = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"name": st.just("p")},
            optional={"labels": words, "finalizers": st.lists(names, max_size=4, unique=True)},
        ),
        "spec": st.fixed_dictionaries(
            {"containers": containers},
            optional={"volumes": volumes, "nodeSelector": words, "hostNetwork": st.booleans()},
        ),
    }
)


def patched(current: dict[str, Any], patch: dict[str, Any], schema: Any = POD) -> dict[str, Any]:
    return apply_strategic_patch(copy.deepcopy(current), copy.deepcopy(patch), schema)


def without_empty(value: Any) -> Any:
    """The server does not keep apart an empty map or list and none."""
    if isinstance(value, dict):
        return {key: kept for key, inner in value.items() if (kept := without_empty(inner)) not in ({}, [], None)}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(pods, pods)
def test_where_nobody_else_wrote_the_result_is_what_is_wanted(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = three_way_strategic_patch(old, new, old, POD)
    assert without_empty(patched(old, patch)) == without_empty(new)


@settings(max_examples=80, deadline=None)
@given(pods, pods, pods)
def test_a_second_apply_changes_nothing(old: dict[str, Any], new: dict[str, Any], live: dict[str, Any]) -> None:
    result = patched(live, three_way_strategic_patch(old, new, live, POD))
    again = three_way_strategic_patch(new, new, result, POD)
    assert without_empty(patched(result, again)) == without_empty(result)


def test_what_others_set_stays_and_what_was_applied_and_left_out_goes() -> None:
    original = {"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"containers": [{"name": "web", "image": "x"}]}}
    modified = {"metadata": {"labels": {"a": "2"}}, "spec": {"containers": [{"name": "web", "image": "y"}]}}
    current = {
        "metadata": {"labels": {"a": "1", "b": "1", "theirs": "1"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "sidecar"}, {"name": "web", "image": "x", "tty": True}]},
    }
    patch = three_way_strategic_patch(original, modified, current, POD)
    assert patch == {
        "metadata": {"labels": {"a": "2", "b": None}},
        "spec": {
            "$setElementOrder/containers": [{"name": "web"}],
            "containers": [{"name": "web", "image": "y"}],
        },
    }
    result = patched(current, patch)
    assert result["metadata"]["labels"] == {"a": "2", "theirs": "1"}
    assert {"name": "web", "image": "y", "tty": True} in result["spec"]["containers"]
    assert {"name": "sidecar"} in result["spec"]["containers"]


def test_a_changed_strategy_drops_the_fields_of_the_old_one() -> None:
    original: dict[str, Any] = {"spec": {}}
    current = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}}
    modified = {"spec": {"strategy": {"type": "Recreate"}}}
    patch = three_way_strategic_patch(original, modified, current, DEPLOYMENT)
    assert patch == {"spec": {"strategy": {"type": "Recreate", "$retainKeys": ["type"]}}}
    assert patched(current, patch, DEPLOYMENT) == modified


def test_kinds_without_a_schema_get_a_json_merge_patch() -> None:
    assert three_way_merge_patch({"a": 1, "b": {"c": 1}}, {"b": {"d": [1]}}, {"a": 1, "b": {"c": 1}, "x": 1}) == {
        "a": None,
        "b": {"c": None, "d": [1]},
    }
    widget = Resource("example.com", "v1", "widgets", "Widget", True)
    assert three_way_patch({"spec": {"size": 1}}, {"spec": {"size": 2}}, widget) == ("merge", {"spec": {"size": 2}})


def test_the_annotation_is_kubectls() -> None:
    obj = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "v"}}
    expected = '{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a"}}\n'
    assert last_applied_document(obj) == expected
    annotated = {**obj, "metadata": {"name": "a", "annotations": {LAST_APPLIED: "old"}}}
    assert last_applied_document(annotated) == expected


async def test_apply_creates_then_patches_then_leaves_alone() -> None:
    api = FakeApi()
    client = api.client()
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}}
    made = await client.apply(wanted)
    assert orjson.loads(made["metadata"]["annotations"][LAST_APPLIED])["data"] == {"x": "1", "y": "1"}
    api.modify("configmaps", "a", lambda o: o["data"].update(theirs="1"))
    changed = await client.apply({**wanted, "data": {"x": "2"}})
    assert changed["data"] == {"x": "2", "theirs": "1"}
    writes = len(api.writes())
    same = await client.apply({**wanted, "data": {"x": "2"}})
    assert same == changed
    assert len(api.writes()) == writes
    assert "annotations" not in wanted["metadata"]


async def test_apply_survives_a_race_of_creates() -> None:
    api = FakeApi()
    api.fail(errors.already_exists("configmaps", "a"), verb="create")
    made = await api.client().apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    assert made["metadata"]["uid"]


async def test_apply_of_an_unknown_kind_says_so() -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    with pytest.raises(LookupError, match=r"Widget of example\.com/v1"):
        await FakeApi().client().apply(widget)
    assert resolve("deployments.v1.apps").api_version == "apps/v1"
