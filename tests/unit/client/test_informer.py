"""Informers against the in-memory API: sync, changes, resume, relist, indexes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeactors.api import errors, meta
from kubeactors.client import AsyncClient, Informer, InformerFactory
from kubeactors.client.calls import ListCall, WatchCall
from kubeactors.client.informer import PAGE
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi


def pod(name: str, namespace: str = "default", node: str = "", **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}}


class Recorder:
    """Handlers that keep what they are told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def add(self, new: dict[str, Any]) -> None:
        self.seen.append(("add", meta.key(new)))

    def update(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        assert meta.uid(old) == meta.uid(new)
        self.seen.append(("update", meta.key(new)))

    def delete(self, last: dict[str, Any]) -> None:
        self.seen.append(("delete", meta.key(last)))


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def client(api: FakeApi) -> AsyncClient:
    return api.client()


@pytest.fixture
async def informer(client: AsyncClient) -> AsyncIterator[Informer]:
    made = Informer(client, "pods", indexers={"node": lambda p: [p["spec"].get("nodeName", "")]}, rand=lambda: 0.0)
    yield made
    await made.stop()


async def test_what_is_there_and_what_changes_reaches_lister_and_handlers(api: FakeApi, informer: Informer) -> None:
    api.seed(pod("a"), pod("b", "other"))
    told = Recorder()
    informer.add_handler(told.add, told.update, told.delete)
    await informer.start()
    await informer.wait_synced(30)
    assert told.seen == [("add", "default/a"), ("add", "other/b")]
    api.modify("pods", "a", lambda p: p["metadata"]["labels"].update(x="y"))
    api.seed(pod("c"))
    api.remove("pods", "b", "other")
    await eventually(lambda: len(told.seen) == 5)
    assert told.seen[2:] == [("update", "default/a"), ("add", "default/c"), ("delete", "other/b")]
    assert [meta.name(p) for p in informer.lister.list()] == ["a", "c"]
    assert [meta.name(p) for p in informer.lister.list("default", "x=y")] == ["a"]
    assert informer.lister.list("other") == []
    assert informer.lister.get("default", "c") is informer.lister.get("default", "c")
    late = Recorder()
    informer.add_handler(late.add)
    assert late.seen == [("add", "default/a"), ("add", "default/c")]


async def test_indexes_follow_the_objects(api: FakeApi, informer: Informer) -> None:
    api.seed(pod("a", node="n1"), pod("b", node="n1"), pod("c"))
    await informer.start()
    await informer.wait_synced(30)
    assert [meta.name(p) for p in informer.lister.by_index("node", "n1")] == ["a", "b"]
    api.modify("pods", "c", lambda p: p["spec"].update(nodeName="n1"))
    api.modify("pods", "a", lambda p: p["spec"].update(nodeName="n2"))
    api.remove("pods", "b")
    await eventually(lambda: [meta.name(p) for p in informer.lister.by_index("node", "n1")] == ["c"])
    assert sorted(informer.lister.index_values("node")) == ["n1", "n2"]
    informer.lister.add_indexer("name", lambda p: [meta.name(p)])
    assert len(informer.lister.by_index("name", "a")) == 1
    with pytest.raises(KeyError):
        informer.lister.by_index("unknown", "x")
    with pytest.raises(ValueError, match="already"):
        informer.lister.add_indexer("name", lambda p: [])


async def test_a_broken_watch_goes_on_where_it_was_without_a_list(api: FakeApi, informer: Informer) -> None:
    api.seed(pod("a"))
    told = Recorder()
    informer.add_handler(told.add, told.update, told.delete)
    await informer.start()
    await informer.wait_synced(30)
    await eventually(lambda: api.watch_count)
    api.bookmark()
    api.break_watches()
    api.seed(pod("b"))
    api.remove("pods", "a")
    await eventually(lambda: len(told.seen) == 3)
    assert told.seen == [("add", "default/a"), ("add", "default/b"), ("delete", "default/a")]
    assert sum(isinstance(call, ListCall) for call in api.calls) == 1


async def test_after_expiry_it_lists_again_and_reports_what_it_missed(api: FakeApi, informer: Informer) -> None:
    api.seed(pod("gone"), pod("kept"), pod("changed"), pod("replaced"))
    told = Recorder()
    informer.add_handler(told.add, told.update, told.delete)
    await informer.start()
    await informer.wait_synced(30)
    await eventually(lambda: api.watch_count)
    told.seen.clear()
    api.down = True
    api.break_watches()
    await eventually(lambda: not api.watch_count)
    api.remove("pods", "gone")
    api.remove("pods", "replaced")
    api.seed(pod("replaced"), pod("new"))
    api.modify("pods", "changed", lambda p: p["metadata"]["labels"].update(x="y"))
    api.compact()
    api.seed({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    api.down = False
    await eventually(lambda: informer.lister.get("default", "new") is not None)
    assert sorted(told.seen) == [
        ("add", "default/new"),
        ("add", "default/replaced"),
        ("delete", "default/gone"),
        ("delete", "default/replaced"),
        ("update", "default/changed"),
    ]
    assert sum(isinstance(call, ListCall) for call in api.calls) == 2


async def test_a_bookmark_moves_the_version_from_which_it_resumes(api: FakeApi, informer: Informer) -> None:
    api.seed(pod("a"))
    await informer.start()
    await informer.wait_synced(30)
    await eventually(lambda: api.watch_count)
    api.seed({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    api.bookmark()
    await asyncio.sleep(0.01)
    api.compact()
    api.break_watches()
    await eventually(lambda: sum(isinstance(call, WatchCall) for call in api.calls) == 2 and api.watch_count)
    assert sum(isinstance(call, ListCall) for call in api.calls) == 1


async def test_long_lists_come_in_pages(api: FakeApi, informer: Informer) -> None:
    api.seed(*(pod(f"p{number}") for number in range(PAGE + 10)))
    await informer.start()
    await informer.wait_synced(30)
    assert len(informer.lister) == PAGE + 10
    assert sum(isinstance(call, ListCall) for call in api.calls) == 2


async def test_selectors_limit_what_is_kept(api: FakeApi, client: AsyncClient) -> None:
    api.seed(pod("a", node="n1", app="web"), pod("b", node="n2", app="web"), pod("c", node="n1"))
    informer = Informer(client, "pods", label_selector="app=web", field_selector="spec.nodeName=n1")
    await informer.start()
    await informer.wait_synced(30)
    assert [meta.name(p) for p in informer.lister.list()] == ["a"]
    await eventually(lambda: api.watch_count)
    api.modify("pods", "b", lambda p: p["spec"].update(nodeName="n1"))
    api.modify("pods", "a", lambda p: p["metadata"].update(labels={}))
    await eventually(lambda: [meta.name(p) for p in informer.lister.list()] == ["b"])
    await informer.stop()


async def test_a_failing_handler_stops_nothing(
    api: FakeApi, informer: Informer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(new: dict[str, Any]) -> None:
        raise RuntimeError("boom")

    told = Recorder()
    informer.add_handler(fail)
    informer.add_handler(told.add)
    api.seed(pod("a"))
    await informer.start()
    await informer.wait_synced(30)
    assert told.seen == [("add", "default/a")]
    assert "a handler of pods failed" in caplog.text


async def test_a_server_that_refuses_is_named_and_tried_again(api: FakeApi, informer: Informer) -> None:
    api.fail(errors.forbidden("pods", "", "not you"), verb="list", times=1)
    await informer.start()
    with pytest.raises(TimeoutError, match=r"pods has no list after 0\.05 s: pods is forbidden: not you"):
        await informer.wait_synced(0.05)
    assert informer.problem
    await informer.wait_synced(30)
    assert informer.problem is None


async def test_the_lister_shares_objects(api: FakeApi, informer: Informer) -> None:
    api.seed(pod("a"))
    await informer.start()
    await informer.wait_synced(30)
    first = informer.lister.get("default", "a")
    assert first is not None
    assert informer.lister.list()[0] is first
    assert copy.deepcopy(first) == first


async def test_a_factory_shares_informers_and_runs_them_together(api: FakeApi, client: AsyncClient) -> None:
    api.seed(pod("a", node="n1"))
    factory = InformerFactory(client)
    pods = factory.informer("pods")
    assert factory.informer("po", indexers={"node": lambda p: [p["spec"]["nodeName"]]}) is pods
    assert factory.informer("pods", namespace="kube-system") is not pods
    assert (await factory.health())["informer pods"] == "not started"
    await factory.start()
    await factory.wait_synced(30)
    assert [meta.name(p) for p in pods.lister.by_index("node", "n1")] == ["a"]
    assert set((await factory.health()).values()) == {"ok"}
    await factory.stop()
    assert api.watch_count == 0
