"""Everyday tasks, on an API in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kubeactors import AsyncClient, Conflict, NotFound, Object
from kubeactors.api import errors, meta
from kubeactors.client import rollback
from kubeactors.client.calls import CreateCall, ListCall
from tests.support.fake_api import FakeApi
from tests.support.fake_rest_server import FakeRestServer


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": 1}}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[AsyncClient]:
    async with api.client() as made:
        yield made


async def test_apply_all_and_delete_all(api: FakeApi, client: AsyncClient) -> None:
    objs = [config_map("a"), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}]
    assert [each["kind"] for each in await client.apply_all(objs)] == ["Namespace", "ConfigMap"]
    api.remove("configmaps", "a")
    await client.delete_all(objs)
    assert meta.is_deleting(api.get("namespaces", "n") or {})
    assert api.writes()[-2:] == [("delete", "configmaps default/a"), ("delete", "namespaces n")]


async def test_modify_begins_again_when_somebody_was_faster(api: FakeApi, client: AsyncClient) -> None:
    api.seed(config_map("a", n="0"))
    tries = []

    def count(obj: Object) -> None:
        if not tries:
            api.modify("configmaps", "a", lambda o: o["data"].update(theirs="1"))
        tries.append(obj["data"].get("theirs"))
        obj["data"]["n"] = "1"

    changed = await client.modify("configmaps", "a", count)
    assert tries == [None, "1"] and changed["data"] == {"n": "1", "theirs": "1"}
    written = len(api.writes())
    assert await client.modify("configmaps", "a", lambda o: None) == changed
    assert len(api.writes()) == written, "nothing was changed, nothing is written"
    api.fail(errors.conflict("configmaps", "a"), verb="update", times=10)
    with pytest.raises(Conflict):
        await client.modify("configmaps", "a", lambda o: o["data"].update(n="2"))
    with pytest.raises(NotFound):
        await client.modify("configmaps", "none", count)


async def test_create_or_update_replaces(api: FakeApi, client: AsyncClient) -> None:
    await client.create_or_update("configmaps", config_map("a", x="1"))
    api.modify("configmaps", "a", lambda o: o["data"].update(theirs="1"))
    api.fail(errors.conflict("configmaps", "a"), verb="update")
    await client.create_or_update("configmaps", config_map("a", y="1"))
    assert (api.get("configmaps", "a") or {})["data"] == {"y": "1"}


async def test_labels_annotations_scale_and_restart(api: FakeApi, client: AsyncClient) -> None:
    api.seed(deployment("web"))
    await client.label("deployments", "web", {"a": "1", "b": "2"})
    await client.label("deployments", "web", {"a": None})
    await client.annotate("deployments", "web", {"c": "3"})
    scaled = await client.scale("deployments", "web", 4)
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 4)
    await client.restart("deployments", "web")
    found = api.get("deployments", "web") or {}
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]) == ({"b": "2"}, {"c": "3"})
    assert [*found["spec"]["template"]["metadata"]["annotations"]] == ["kubectl.kubernetes.io/restartedAt"]


def revision(number: int, image: str, of: Object, **annotations: str) -> Object:
    """A ReplicaSet of a deployment."""
    template = {"metadata": {"labels": {"app": "w", "pod-template-hash": str(number)}}, "spec": {"image": image}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"w-{number}",
            "annotations": {rollback.REVISION: str(number), **annotations},
            "ownerReferences": [meta.controller_ref(of, "apps/v1", "Deployment")],
        },
        "spec": {"template": template},
    }


async def test_undo_a_deployment(api: FakeApi, client: AsyncClient) -> None:
    wanted = deployment("w")
    wanted["metadata"]["annotations"] = {rollback.REVISION: "12", "why": "new"}
    wanted["spec"]["template"] = {"metadata": {"labels": {"app": "w"}}, "spec": {"image": "i:3"}}
    (made,) = api.seed(wanted)
    (other,) = api.seed(deployment("other"))
    with pytest.raises(LookupError, match="no rollout history found for Deployment default/w"):
        await client.undo("deployments", "w")
    api.seed(revision(2, "i:1", made), revision(9, "i:2", made, why="old"), revision(12, "i:3", made))
    api.seed({**revision(11, "i:9", other), "metadata": {**revision(11, "i:9", other)["metadata"], "name": "o"}})
    undone = await client.undo("deployments", "w")
    assert undone["spec"]["template"] == {"metadata": {"labels": {"app": "w"}}, "spec": {"image": "i:2"}}
    assert undone["metadata"]["annotations"] == {rollback.REVISION: "12", "why": "old"}
    assert (await client.undo("deploy", "w", to_revision=2))["spec"]["template"]["spec"] == {"image": "i:1"}
    written = len(api.writes())
    assert await client.undo("deploy", "w", to_revision=2) == api.get("deployments", "w"), "it has that template"
    assert len(api.writes()) == written
    with pytest.raises(LookupError, match="has no revision 3, but 2, 9, 12"):
        await client.undo("deploy", "w", to_revision=3)
    await client.patch("deploy", "w", {"spec": {"paused": True}})
    with pytest.raises(ValueError, match="paused"):
        await client.undo("deploy", "w")
    with pytest.raises(ValueError, match="a ReplicaSet has no rollout"):
        await client.undo("rs", "w-2")


async def test_undo_a_stateful_set(api: FakeApi, client: AsyncClient) -> None:
    (made,) = api.seed({**deployment("s"), "kind": "StatefulSet"})
    for number in (1, 2):
        owner = meta.controller_ref(made, "apps/v1", "StatefulSet")
        data = {"spec": {"template": {"spec": {"image": f"i:{number}"}}}}
        name = {"name": f"s-{number}", "ownerReferences": [owner]}
        api.seed(
            {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": name, "revision": number, "data": data}
        )
    assert (await client.undo("sts", "s"))["spec"] == {"replicas": 1, "template": {"spec": {"image": "i:1"}}}


async def test_events_of_an_object(api: FakeApi, client: AsyncClient) -> None:
    def told(name: str, about: str, kind: str = "Pod", **times: object) -> Object:
        metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:05Z"}
        about_it = {"kind": kind, "name": about, "namespace": "default"}
        return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about_it, **times}

    api.seed(
        told("last", "p", series={"lastObservedTime": "2026-01-01T00:00:09.000001Z"}),
        told("middle", "p", lastTimestamp="2026-01-01T00:00:09Z"),
        told("first", "p"),
        told("another", "q"),
        told("of-node", "p", "Node"),
    )
    assert [each["metadata"]["name"] for each in await client.events("po", "p")] == ["first", "middle", "last"]
    assert [each["metadata"]["name"] for each in await client.events("nodes", "p")] == ["of-node"]


async def test_evict_asks_the_pod_s_subresource(api: FakeApi, client: AsyncClient) -> None:
    api.fail(errors.too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0))
    with pytest.raises(errors.StatusError) as refused:
        await client.evict("web", grace_period_seconds=5)
    assert refused.value.reason == "TooManyRequests"
    call = api.calls[-1]
    assert isinstance(call, CreateCall) and (call.target.name, call.target.subresource) == ("web", "eviction")
    assert b'"gracePeriodSeconds":5' in call.body


async def test_iterate_reads_page_after_page(api: FakeApi, client: AsyncClient) -> None:
    api.seed(*(config_map(f"m{number}") for number in range(5)))
    found = []
    async for each in client.iterate("configmaps", page_size=2):
        found.append(each["metadata"]["name"])
        pages = [call for call in api.calls if isinstance(call, ListCall)]
        assert len(pages) == (len(found) + 1) // 2, "a page is read when the one before it is used up"
    assert found == ["m0", "m1", "m2", "m3", "m4"]


async def test_bookmarks_for_those_who_ask(api: FakeApi, client: AsyncClient) -> None:
    api.seed(config_map("a"))
    kinds = []
    async for event in client.watch("configmaps", bookmarks=True):
        kinds.append(event.type)
        if event.type == "BOOKMARK":
            break
        api.bookmark()
    assert kinds == ["ADDED", "BOOKMARK"]


async def test_warnings_go_to_who_asked_for_them() -> None:
    server, told = FakeRestServer(FakeApi()), list[str]()
    await server.start()
    try:
        server.warning = "spec.old is deprecated"
        async with AsyncClient([server.url], on_warning=told.append) as client:
            await client.create("configmaps", config_map("a"))
    finally:
        await server.stop()
    assert told == ["spec.old is deprecated"]
