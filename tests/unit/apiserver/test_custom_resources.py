"""Custom resources through whole server cores, one or several on the same store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import get_condition
from kubeactors.apiserver.discovery.documents import api_resource_list
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
CRDS = "customresourcedefinitions"


def definition(plural: str = "widgets", kind: str = "Widget", **more: Any) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": ANYTHING}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
            **more,
        },
    }


def widget(name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": f"example.com/{version}", "kind": "Widget", "metadata": {"name": name}, **more}


async def status(api: Api, type: str, value: str, name: str = "widgets.example.com") -> dict[str, Any]:
    """Wait until a condition has a value."""
    async with asyncio.timeout(30):
        while True:
            await api.core.settle()
            found = get_condition(await api.get(CRDS, name), type)
            if found is not None and found["status"] == value:
                return found


async def test_a_kind_is_served_by_every_server_and_goes_with_its_definition() -> None:
    store = FakeStore()
    async with running_core(store) as one, running_core(store) as other:
        await one.create(CRDS, definition())
        await status(one, "Established", "True")
        await other.core.settle()
        assert api_resource_list(other.kinds, "example.com", "v1") is not None
        await other.create("widgets.v1.example.com", widget("a", spec={"x": 1}), "ns")
        found = await one.list("widgets.v1.example.com", "ns")
        assert found["kind"] == "WidgetList"
        assert found["metadata"]["continue"] == ""
        assert found["items"][0] | {"metadata": None} == widget("a", spec={"x": 1}) | {"metadata": None}
        watch = await other.watch("widgets.v1.example.com", "ns", resource_version=found["metadata"]["resourceVersion"])
        await one.delete(CRDS, "widgets.example.com")
        event = await watch.next()
        assert (event["type"], event["object"]["apiVersion"]) == ("DELETED", "example.com/v1")
        await watch.ended()
        async with asyncio.timeout(30):
            while other.kinds.by_resource("example.com", "v1", "widgets") is not None:
                await other.core.settle()
        with pytest.raises(StatusError, match="not found"):
            await one.get(CRDS, "widgets.example.com")


async def test_a_server_that_starts_serves_what_is_there() -> None:
    store = FakeStore()
    async with running_core(store) as api:
        await api.create(CRDS, definition())
        await status(api, "Established", "True")
        await api.create("widgets.v1.example.com", widget("a"), "ns")
    async with running_core(store) as api:
        assert await api.names("widgets.v1.example.com", "ns") == ["a"]


async def test_of_two_definitions_of_a_kind_one_is_established_whoever_decides() -> None:
    store = FakeStore()
    async with running_core(store) as one, running_core(store) as other:
        await asyncio.gather(one.create(CRDS, definition()), other.create(CRDS, definition("gadgets")))
        async with asyncio.timeout(30):
            while True:
                await asyncio.gather(one.core.settle(), other.core.settle())
                found = [await one.get(CRDS, f"{name}.example.com") for name in ("widgets", "gadgets")]
                granted = [get_condition(crd, "NamesAccepted") for crd in found]
                if all(granted):
                    break
        assert sorted(each["status"] for each in granted if each) == ["False", "True"]


async def test_objects_with_finalizers_hold_the_definition() -> None:
    async with running_core(FakeStore()) as api:
        await api.create(CRDS, definition())
        await status(api, "Established", "True")
        held = widget("a")
        held["metadata"]["finalizers"] = ["example.com/f"]
        await api.create("widgets.v1.example.com", held, "ns")
        gone = await api.delete(CRDS, "widgets.example.com")
        assert gone["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        await api.core.settle()
        with pytest.raises(StatusError, match="create not allowed while custom resource definition is terminating"):
            await api.create("widgets.v1.example.com", widget("b"), "ns")
        watch = await api.watch(CRDS)
        reasons = []
        while "InstanceDeletionInProgress" not in reasons:
            reasons.append((get_condition((await watch.next())["object"], "Terminating") or {}).get("reason"))
        await api.patch("widgets.v1.example.com", "a", {"metadata": {"finalizers": None}}, "ns")
        while (await watch.next())["type"] != "DELETED":
            pass


async def test_each_version_prunes_what_it_does_not_know() -> None:
    def schema(**fields: Any) -> dict[str, Any]:
        return {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "properties": fields}},
            }
        }

    number = {"type": "integer"}
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": schema(a=number, b=number)},
        {"name": "v1beta1", "served": True, "storage": False, "schema": schema(a=number, c={**number, "default": 7})},
    ]
    async with running_core(FakeStore()) as api:
        await api.create(CRDS, definition(versions=versions))
        await status(api, "Established", "True")
        await api.create("widgets.v1.example.com", widget("a", spec={"a": 1, "b": 2}), "ns")
        read = await api.get("widgets.v1beta1.example.com", "a", "ns")
        assert (read["apiVersion"], read["spec"]) == ("example.com/v1beta1", {"a": 1})
        made = await api.create("widgets.v1beta1.example.com", widget("b", "v1beta1", spec={"a": 1}), "ns")
        assert made["spec"] == {"a": 1}


async def test_a_changed_schema_applies_to_what_is_stored() -> None:
    def with_default(value: int) -> dict[str, Any]:
        field = {"type": "integer", "default": value}
        spec = {"type": "object", "properties": {"a": {"type": "integer"}, "n": field}}
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
        return {"versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]}

    async with running_core(FakeStore()) as api:
        await api.create(CRDS, definition())
        await status(api, "Established", "True")
        await api.create("widgets.v1.example.com", widget("a", spec={"a": 1, "old": True}), "ns")
        watch = await api.watch("widgets.v1.example.com", "ns", resource_version="0")
        assert await watch.names(1) == [("ADDED", "a")]
        await api.patch(CRDS, "widgets.example.com", {"spec": with_default(5)})
        await watch.ended()
        assert (await api.get("widgets.v1.example.com", "a", "ns"))["spec"] == {"a": 1, "n": 5}


async def test_generation_and_status() -> None:
    versions = [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": ANYTHING, "status": ANYTHING}}},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
        }
    ]
    async with running_core(FakeStore()) as api:
        await api.create(CRDS, definition(versions=versions))
        await status(api, "Established", "True")
        kind = "widgets.v1.example.com"
        made = await api.create(kind, widget("a", spec={"n": 1}, status={"n": 9}), "ns")
        assert (made["metadata"]["generation"], "status" in made) == (1, False)
        made = await api.patch(kind, "a", {"spec": {"n": 7}, "status": {"n": 3}}, "ns", subresource="status")
        assert (made["metadata"]["generation"], made["spec"], made["status"]) == (1, {"n": 1}, {"n": 3})
        scale = await api.patch(kind, "a", {"spec": {"replicas": 5}}, "ns", subresource="scale")
        assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 5}, {"replicas": 3})
        assert (await api.get(kind, "a", "ns"))["metadata"]["generation"] == 2
        with pytest.raises(StatusError, match=r"\.spec\.n: Invalid value: -1: should be a non-negative integer"):
            await api.patch(kind, "a", {"spec": {"replicas": -1}}, "ns", subresource="scale")


async def test_a_definition_of_a_built_in_kind_changes_nothing() -> None:
    async with running_core(FakeStore()) as api:
        for plural, group in (("ingresses", "networking.k8s.io"), (CRDS, "apiextensions.k8s.io")):
            made = definition(plural, "Impostor", group=group)
            made["metadata"] = {
                "name": f"{plural}.{group}",
                "annotations": {"api-approved.kubernetes.io": "unapproved"},
            }
            await api.create(CRDS, made)
        await api.core.settle()
        assert api.kinds.lookup("ingresses").kind == "Ingress"
        assert sorted(await api.names(CRDS)) == [f"{CRDS}.apiextensions.k8s.io", "ingresses.networking.k8s.io"]
        watch = await api.watch(CRDS)
        await api.delete(CRDS, "ingresses.networking.k8s.io")
        while (await watch.next())["type"] != "DELETED":
            pass


async def test_the_status_of_a_definition_is_checked() -> None:
    async with running_core(FakeStore()) as api:
        await api.create(CRDS, definition())
        await status(api, "Established", "True")
        with pytest.raises(StatusError, match=r"status\.acceptedNames\.plural: Invalid value"):
            patch = {"status": {"acceptedNames": {"plural": "Bad_"}}}
            await api.patch(CRDS, "widgets.example.com", patch, subresource="status")
