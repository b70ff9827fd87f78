"""What users may give to the client's methods, and what they are told when it cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from kubeactors import AsyncClient, UnknownKindError
from kubeactors.client import arguments
from tests.support.fake_api import FakeApi

NAMED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@pytest.fixture
def client() -> AsyncClient:
    return FakeApi().client()


def test_selectors_are_texts_or_what_must_be_equal() -> None:
    assert arguments.label_selector(None) == arguments.field_selector(None) == ""
    assert arguments.label_selector("app in (a, b)") == "app in (a, b)"
    assert arguments.label_selector({"app": "web", "tier": "front"}) == "app=web,tier=front"
    assert arguments.field_selector({"metadata.name": "a", "spec.odd": "x=1,\\"}) == (
        "metadata.name=a,spec.odd=x\\=1\\,\\\\"
    )


async def test_mappings_select(client: AsyncClient) -> None:
    await client.create("configmaps", {"metadata": {"name": "a", "labels": {"app": "web"}}})
    await client.create("configmaps", {"metadata": {"name": "b", "labels": {"app": "db"}}})
    found = await client.list("configmaps", label_selector={"app": "web"}, field_selector={"metadata.name": "a"})
    assert [item["metadata"]["name"] for item in found] == ["a"]


async def test_an_empty_name_never_means_the_collection(client: AsyncClient) -> None:
    calls: list[Any] = [
        client.get("configmaps", ""),
        client.delete("configmaps", ""),
        client.patch("configmaps", "", {}),
        client.modify("configmaps", "", lambda obj: None),
        client.create("pods", {}, subresource="binding"),
        client.exec("", ["ls"]),
        anext(client.logs("")),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="The name is empty"):
            await call
    for write in (client.apply, lambda obj: client.update("configmaps", obj)):
        for metadata in ({}, {"name": ""}, {"generateName": "a-"}):
            with pytest.raises(ValueError, match=r"no metadata\.name: .*'ConfigMap'"):
                await write({**NAMED, "metadata": metadata})


async def test_objects_that_do_not_say_their_kind(client: AsyncClient) -> None:
    with pytest.raises(ValueError, match=r"does not say its apiVersion and kind: .*name 'a'"):
        await client.apply({"metadata": {"name": "a"}, "data": {"password": "secret"}})


@pytest.mark.parametrize(
    ("patch_type", "patch", "told"),
    [
        ("merge", [{"op": "add"}], "for a list of operations say 'json'"),
        ("json", {"data": {}}, "a list of operations"),
        ("apply", {}, "not one of merge, json, strategic"),
    ],
)
async def test_patches_of_another_form(client: AsyncClient, patch_type: Any, patch: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        await client.patch("configmaps", "a", patch, patch_type=patch_type)


async def test_a_command_is_no_text(client: AsyncClient) -> None:
    with pytest.raises(TypeError, match="a list of arguments"):
        await client.exec("web", "ls -l")
    with pytest.raises(ValueError, match="empty"):
        await client.exec("web", [])


async def test_a_name_that_is_nearly_right(client: AsyncClient) -> None:
    with pytest.raises(UnknownKindError, match=r"no resource 'deploymnts'; did you mean deployments"):
        await client.list("deploymnts")
    with pytest.raises(UnknownKindError, match=r"no resource 'zzzzz'$"):
        await client.list("zzzzz")
