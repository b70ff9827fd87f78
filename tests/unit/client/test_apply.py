"""apply(): server-side apply, as the client asks for it."""

from __future__ import annotations

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.client.calls import PatchCall
from kubeactors.client.resource import resolve
from tests.support.fake_api import FakeApi

WANTED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}}


async def test_apply_creates_changes_and_takes_back() -> None:
    api = FakeApi()
    client = api.client()
    await client.apply(WANTED)
    await client.patch("configmaps", "a", {"data": {"theirs": "1"}})
    changed = await client.apply({**WANTED, "data": {"x": "2"}})
    assert changed["data"] == {"x": "2", "theirs": "1"}


async def test_a_conflict_names_the_manager_and_force_takes_over() -> None:
    api = FakeApi()
    await api.client(field_manager="one").apply(WANTED)
    other = api.client(user_agent="two/v1")
    with pytest.raises(StatusError) as conflict:
        await other.apply({**WANTED, "data": {"x": "2"}})
    assert conflict.value.code == 409
    assert conflict.value.causes == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    ]
    made = await other.apply({**WANTED, "data": {"x": "2"}}, force=True)
    assert made["data"] == {"x": "2", "y": "1"}
    managers = [entry["manager"] for entry in made["metadata"]["managedFields"]]
    assert sorted(managers) == ["one", "two"]


async def test_what_was_read_may_be_applied() -> None:
    api = FakeApi()
    client = api.client()
    made = await client.apply(WANTED)
    assert "managedFields" in made["metadata"]
    again = await client.apply(made)
    assert again["data"] == WANTED["data"]
    assert "managedFields" in made["metadata"], "the caller's object is left alone"


async def test_the_request_says_what_is_asked_for() -> None:
    api = FakeApi()
    await api.client().apply(WANTED, field_manager="m", force=True, dry_run=True, field_validation="Strict")
    call = api.calls[-1]
    assert isinstance(call, PatchCall)
    assert call.content_type == "application/apply-patch+yaml"
    options = call.options
    assert (options.field_manager, options.force, options.dry_run, options.field_validation) == (
        "m",
        True,
        True,
        "Strict",
    )


async def test_apply_of_an_unknown_kind_says_so() -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    with pytest.raises(LookupError, match=r"Widget of example\.com/v1"):
        await FakeApi().client().apply(widget)
    assert resolve("deployments.v1.apps").api_version == "apps/v1"
