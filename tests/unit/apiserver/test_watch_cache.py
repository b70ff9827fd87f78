"""Lists, watches and their consistency, on a store that tests control."""

import asyncio
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.request import JSON_LINES, Form, WatchEncoding
from kubeactors.apiserver.watchcache.record import Record
from kubeactors.store.errors import StoreUnavailable
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore


@pytest.fixture
async def store() -> FakeStore:
    return FakeStore(revision=100)


async def labelled(api: Api, name: str, **labels: str) -> None:
    await api.config_map(name, labels=labels)


async def test_lists_are_in_order_of_keys_and_say_the_store_s_version(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.namespace("ns-b")
        await api.config_map("b", "ns")
        await api.config_map("a", "ns")
        await api.config_map("z", "ns-b")
        found = await api.list("configmaps")
        # A slash comes after a dash, so ns-b is before ns, as in etcd.
        assert [item["metadata"]["name"] for item in found["items"]] == ["z", "a", "b"]
        assert found["metadata"]["resourceVersion"] == str(store.current)
        assert found["kind"] == "ConfigMapList"
        assert "kind" not in found["items"][0]
        assert await api.names("configmaps", "ns") == ["a", "b"]
        assert await api.names("configmaps", "nowhere") == []


async def test_reads_reflect_writes_of_other_servers(store: FakeStore) -> None:
    async with running_core(store) as one, running_core(store) as other:
        await one.config_map("a")
        assert (await other.get("configmaps", "a", "ns"))["data"] == {"k": "v"}
        assert await other.names("configmaps", "ns") == ["a"]
        await other.delete("configmaps", "a", "ns")
        with pytest.raises(StatusError, match='configmaps "a" not found'):
            await one.get("configmaps", "a", "ns")


async def test_reads_go_to_the_store_while_the_cache_lags(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubeactors.apiserver.registry.versions.WAIT", 0.05)
    async with running_core(store) as api:
        await api.config_map("old")
        await api.get("configmaps", "old", "ns")
        store.hold_watches = True
        await api.config_map("new")
        assert (await api.get("configmaps", "new", "ns"))["metadata"]["name"] == "new"
        assert await api.names("configmaps", "ns") == ["new", "old"]
        assert await api.names("configmaps", "ns", resource_version="0") == ["old"], "version 0 does not wait"
        with pytest.raises(StatusError) as raised:
            await api.names("configmaps", "ns", resource_version=str(store.current))
        assert raised.value.code == 504
        assert raised.value.causes[0]["reason"] == "ResourceVersionTooLarge"
        store.release_watches()
        assert await api.names("configmaps", "ns", resource_version=str(store.current)) == ["new", "old"]


async def test_reads_that_come_together_ask_the_store_once(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a")
        store.calls.clear()
        await asyncio.gather(*(api.get("configmaps", "a", "ns") for _ in range(50)))
        assert store.calls.count("revision") <= 2


async def test_reads_answer_503_when_the_store_is_away_but_version_0_is_served(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a")
        await api.get("configmaps", "a", "ns")
        store.fail_next(StoreUnavailable("down", outcome_unknown=False))
        with pytest.raises(StatusError) as raised:
            await api.get("configmaps", "a", "ns")
        assert raised.value.code == 503
        store.fail_next(StoreUnavailable("down", outcome_unknown=False))
        assert await api.get("configmaps", "a", "ns", resource_version="0")


async def test_pages_show_one_version(store: FakeStore) -> None:
    async with running_core(store) as api:
        for name in "abcde":
            await api.config_map(name)
        first = await api.list("configmaps", "ns", limit=2)
        assert [i["metadata"]["name"] for i in first["items"]] == ["a", "b"]
        assert first["metadata"]["remainingItemCount"] == 3
        await api.delete("configmaps", "c", "ns")
        await api.config_map("bb")
        token = first["metadata"]["continue"]
        second = await api.list("configmaps", "ns", limit=2, continue_=token)
        assert [i["metadata"]["name"] for i in second["items"]] == ["c", "d"]
        assert second["metadata"]["remainingItemCount"] == 1
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        rest = await api.list("configmaps", "ns", continue_=second["metadata"]["continue"])
        assert [i["metadata"]["name"] for i in rest["items"]] == ["e"]
        assert "continue" not in rest["metadata"]


async def test_pages_by_selector_go_on_behind_what_was_left_out(store: FakeStore) -> None:
    async with running_core(store) as api:
        for index in range(8):
            await labelled(api, f"c{index}", odd=str(index % 2))
        names, token = [], ""
        while True:
            page = await api.list("configmaps", label_selector="odd=1", limit=1, continue_=token)
            names += [i["metadata"]["name"] for i in page["items"]]
            assert "remainingItemCount" not in page["metadata"]
            token = page["metadata"].get("continue", "")
            if not token:
                break
        assert names == ["c1", "c3", "c5", "c7"]


async def test_expired_page_offers_to_go_on_from_the_present(store: FakeStore) -> None:
    async with running_core(store) as api:
        for name in "abc":
            await api.config_map(name)
        token = (await api.list("configmaps", "ns", limit=1))["metadata"]["continue"]
        await api.config_map("bb")
        await store.compact(store.current)
        with pytest.raises(StatusError) as raised:
            await api.list("configmaps", "ns", limit=1, continue_=token)
        assert (raised.value.code, raised.value.reason) == (410, "Expired")
        token = raised.value.status["metadata"]["continue"]
        assert await api.names("configmaps", "ns", continue_=token) == ["b", "bb", "c"]


async def test_exact_versions_come_from_the_store(store: FakeStore) -> None:
    async with running_core(store) as api:
        version = (await api.config_map("a"))["metadata"]["resourceVersion"]
        await api.delete("configmaps", "a", "ns")
        exact = {"resource_version": version, "resource_version_match": "Exact"}
        assert await api.names("configmaps", "ns", **exact) == ["a"]
        await store.compact(store.current)
        with pytest.raises(StatusError) as raised:
            await api.names("configmaps", "ns", **exact)
        assert raised.value.reason == "Expired"


async def test_watch_from_unset_begins_with_what_is_there(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a")
        watch = await api.watch("configmaps", "ns")
        assert await watch.names(1) == [("ADDED", "a")]
        await api.patch("configmaps", "a", {"data": {"k": "2"}}, "ns")
        await api.delete("configmaps", "a", "ns")
        events = [await watch.next(), await watch.next()]
        assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
        assert events[0]["object"]["kind"] == "ConfigMap"
        assert events[1]["object"]["data"] == {"k": "2"}, "a deletion carries the last state"
        assert events[1]["object"]["metadata"]["resourceVersion"] == str(store.current), "under its own version"


async def test_watch_resumes_and_expires(store: FakeStore) -> None:
    async with running_core(store) as api:
        version = (await api.config_map("a"))["metadata"]["resourceVersion"]
        await api.config_map("b")
        await api.get("configmaps", "b", "ns")
        watch = await api.watch("configmaps", "ns", resource_version=version)
        assert await watch.names(1) == [("ADDED", "b")]
        expired = await api.watch("configmaps", "ns", resource_version="5")
        event = await expired.next()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        await expired.ended()


async def test_watch_from_a_version_to_come_is_silent_until_then(store: FakeStore) -> None:
    async with running_core(store) as api:
        watch = await api.watch("configmaps", resource_version=str(store.current + 2))
        await api.config_map("a")
        await api.config_map("b")
        await api.config_map("c")
        assert await watch.names(1) == [("ADDED", "c")]


async def test_objects_move_in_and_out_of_a_selector(store: FakeStore) -> None:
    async with running_core(store) as api:
        await labelled(api, "a", g="1")
        await labelled(api, "b", g="2")
        watch = await api.watch("configmaps", "ns", label_selector="g=1")
        assert await watch.names(1) == [("ADDED", "a")]
        await api.patch("configmaps", "b", {"metadata": {"labels": {"g": "1"}}}, "ns")
        await api.patch("configmaps", "b", {"data": {"x": "y"}}, "ns")
        await api.patch("configmaps", "b", {"metadata": {"labels": {"g": "2"}}}, "ns")
        await api.delete("configmaps", "b", "ns")
        await api.delete("configmaps", "a", "ns")
        events = [await watch.next() for _ in range(4)]
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [
            ("ADDED", "b"),
            ("MODIFIED", "b"),
            ("DELETED", "b"),
            ("DELETED", "a"),
        ]
        assert events[2]["object"]["metadata"]["labels"] == {"g": "1"}, "the state it last had inside"
        assert await watch.idle()


async def test_pods_are_watched_by_node(store: FakeStore) -> None:
    async with running_core(store) as api:
        mine = await api.watch("pods", field_selector="spec.nodeName=n1", resource_version="0")
        unbound = await api.watch("pods", field_selector="spec.nodeName=", resource_version="0")
        await api.pod("p")
        await api.create(
            "pods",
            {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}},
            "ns",
            name="p",
            subresource="binding",
        )
        await api.pod("q", nodeName="n2")
        assert await mine.names(1) == [("ADDED", "p")]
        assert await unbound.names(2) == [("ADDED", "p"), ("DELETED", "p")]
        assert await mine.idle()
        assert await unbound.idle()
        assert await api.names("pods", field_selector="spec.nodeName=n1") == ["p"]
        assert await api.names("pods", "ns", field_selector="spec.nodeName=n2,metadata.name!=q") == []
        assert await api.names("pods", "other", field_selector="spec.nodeName=n2") == []
        await api.delete("pods", "p", "ns", grace_period_seconds=0)
        assert await api.names("pods", field_selector="spec.nodeName=n1") == []


async def test_one_object_is_watched_by_name(store: FakeStore) -> None:
    async with running_core(store) as api:
        one = await api.watch("configmaps", "ns", field_selector="metadata.name=a")
        everywhere = await api.watch("configmaps", field_selector="metadata.name=a")
        nowhere = await api.watch("configmaps", "ns", field_selector="metadata.namespace=other")
        node = await api.watch("nodes", field_selector="metadata.name=a")
        for name in "ab":
            await api.config_map(name)
            await api.create("nodes", {"metadata": {"name": name}})
        for watch in (one, everywhere, node):
            assert await watch.names(1) == [("ADDED", "a")]
            assert await watch.idle()
        assert await nowhere.idle()


async def test_an_event_is_encoded_and_framed_once_for_all(store: FakeStore) -> None:
    encoded: list[str] = []
    framed: list[int] = []

    def encode(type_: str, obj: bytes) -> bytes:
        encoded.append(type_)
        return JSON_LINES.encode(type_, obj)

    def frame(events: object) -> bytes:
        framed.append(1)
        return b"".join(events)  # type: ignore[arg-type]

    encoding = WatchEncoding("counted", encode, frame)
    async with running_core(store) as api:
        version = (await api.list("configmaps"))["metadata"]["resourceVersion"]
        watches = [
            await api.watch("configmaps", "ns", resource_version=version, watch_encoding=encoding) for _ in range(20)
        ]
        await labelled(api, "a", g="1")
        for watch in watches:
            await watch.sink.arrival()
        assert (encoded, framed) == (["ADDED"], [1])
        assert len({id(watch.sink.frames[0]) for watch in watches}) == 1, "all got the same bytes"


async def test_a_slow_watcher_is_closed_and_the_others_go_on(store: FakeStore) -> None:
    async with running_core(store) as api:
        slow = await api.watch("configmaps", "ns")
        quick = await api.watch("configmaps", "ns")
        slow.sink.full = True
        await api.config_map("a")
        await slow.ended()
        assert await quick.names(1) == [("ADDED", "a")]


async def test_a_faulty_watcher_does_not_stop_the_others(store: FakeStore) -> None:
    async with running_core(store) as api:
        faulty = await api.watch("configmaps", "ns")
        good = await api.watch("configmaps", "ns")

        def deliver(frame: bytes) -> bool:
            raise RuntimeError("broken front")

        faulty.sink.deliver = deliver  # type: ignore[method-assign]
        await api.config_map("a")
        assert await good.names(1) == [("ADDED", "a")]
        await faulty.ended()


async def test_changes_during_the_initial_events_come_after_them(store: FakeStore) -> None:
    async with running_core(store) as api:
        for index in range(450):
            await api.config_map(f"c{index:03}")
        await api.get("configmaps", "c449", "ns")
        watch = await api.watch("configmaps", "ns")
        await watch.sink.arrival()
        await api.delete("configmaps", "c000", "ns")
        events = await watch.names(451)
        assert events[:450] == [("ADDED", f"c{index:03}") for index in range(450)]
        assert events[450] == ("DELETED", "c000")
        assert watch.sink.drains >= 2


async def test_initial_events_end_with_a_bookmark(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a")
        watch = await api.watch(
            "configmaps",
            "ns",
            send_initial_events=True,
            allow_watch_bookmarks=True,
            resource_version_match="NotOlderThan",
        )
        assert await watch.names(1) == [("ADDED", "a")]
        bookmark = await watch.next()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"] == {
            "resourceVersion": str(store.current),
            "annotations": {"k8s.io/initial-events-end": "true"},
        }


async def test_bookmarks_come_to_those_who_want_them(store: FakeStore) -> None:
    async with running_core(store, bookmark_interval=0.01) as api:
        version = str(store.current)
        told = await api.watch("configmaps", resource_version=version, allow_watch_bookmarks=True)
        untold = await api.watch("configmaps", resource_version=version)
        await api.create("nodes", {"metadata": {"name": "n"}})
        await api.get("nodes", "n")
        while (event := await told.next())["object"]["metadata"]["resourceVersion"] != str(store.current):
            assert event["type"] == "BOOKMARK"
        assert event["object"]["kind"] == "ConfigMap"
        assert await untold.idle()


async def test_partial_and_table_watches(store: FakeStore) -> None:
    async with running_core(store) as api:
        partial = await api.watch("configmaps", "ns", form=Form.PARTIAL)
        table = await api.watch("configmaps", "ns", form=Form.TABLE)
        await api.config_map("a")
        await api.config_map("b")
        event = await partial.next()
        assert event["object"]["kind"] == "PartialObjectMetadata"
        assert "data" not in event["object"]
        first, second = await table.next(), await table.next()
        assert first["object"]["columnDefinitions"]
        assert not second["object"]["columnDefinitions"], "columns are told once"
        assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_watchers_survive_a_store_that_forgot_their_changes(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("changed")
        await api.config_map("deleted")
        watch = await api.watch("configmaps", "ns")
        assert len(await watch.names(2)) == 2
        store.hold_watches = True
        before = str(store.current)
        await api.patch("configmaps", "changed", {"data": {"k": "2"}}, "ns")
        await api.delete("configmaps", "deleted", "ns")
        await api.config_map("new")
        await store.compact(store.current)
        store.release_watches()
        assert sorted(await watch.names(3)) == [("ADDED", "new"), ("DELETED", "deleted"), ("MODIFIED", "changed")]
        await api.config_map("later")
        assert await watch.names(1) == [("ADDED", "later")]
        expired = await api.watch("configmaps", "ns", resource_version=before)
        assert (await expired.next())["type"] == "ERROR", "what was not seen cannot be resumed from"


async def test_watch_goes_on_after_the_store_s_watch_broke(store: FakeStore) -> None:
    async with running_core(store) as api:
        watch = await api.watch("configmaps", "ns")
        store.break_watches(StoreUnavailable("gone", outcome_unknown=False))
        await api.config_map("a")
        assert await watch.names(1) == [("ADDED", "a")]


async def test_watches_end_when_the_store_went_back_in_time(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("lost")
        watch = await api.watch("configmaps", "ns")
        assert await watch.names(1) == [("ADDED", "lost")]
        # A store that was restored from an older copy.
        for key in store.keys(b"/registry/configmaps/"):
            del store._live[key]
        store.current -= 1
        with pytest.raises(StatusError):
            await api.get("configmaps", "lost", "ns")
        await watch.ended()
        assert await api.names("configmaps", "ns") == []


async def test_foreign_bytes_under_a_prefix_do_no_harm(store: FakeStore) -> None:
    store.put(b"/registry/configmaps/ns/broken", b"k8s\0\n\x02v1")
    store.put(b"/registry/configmaps/ns/worse", b'{"metadata":{"name":')
    async with running_core(store) as api:
        watch = await api.watch("configmaps", "ns", label_selector="a=b", resource_version="0")
        store.put(b"/registry/configmaps/ns/worse", b'{"metadata":{"name')
        await labelled(api, "good", a="b")
        assert await watch.names(1) == [("ADDED", "good")]
        assert await api.names("configmaps", "ns", label_selector="a=b") == ["good"]


def test_a_field_that_an_object_does_not_name_needs_no_decoding() -> None:
    decoded: list[object] = []

    def fields_of(obj: dict[str, Any]) -> dict[str, str]:
        decoded.append(obj)
        return {"spec.nodeName": obj["spec"].get("nodeName", "")}

    def of(text: bytes) -> str:
        return Record("ns", "a", 1, text, fields_of).field("spec.nodeName")

    assert of(b'{"metadata":{"name":"a"},"spec":{"hostname":"n"}}') == ""
    assert not decoded
    assert of(b'{"metadata":{"name":"a"},"spec":{"nodeName":"n"}}') == "n"
    assert of(b'{"metadata":{"annotations":{"nodeName":"x"}},"spec":{}}') == ""
    assert len(decoded) == 2
