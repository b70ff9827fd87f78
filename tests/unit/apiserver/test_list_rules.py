"""Where lists, pages and watches begin: resourceVersion, resourceVersionMatch, sendInitialEvents and continue."""

import base64

import orjson
import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.options import check_list
from kubeactors.apiserver.registry import versions
from kubeactors.apiserver.registry.paging import encode_continue
from kubeactors.apiserver.request import Options
from kubeactors.apiserver.storage.compaction import Compactor
from tests.support.api_core import running_core
from tests.support.fake_store import FakeStore

UNLESS = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
WITH_CONTINUE = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"
FOR_LIST = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"
NEEDS_MATCH = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
FOR_WATCH = (
    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
)
ONLY_NOT_OLDER = 'resourceVersionMatch: Unsupported value: "{}": supported values: "NotOlderThan"'


@pytest.mark.parametrize(
    ("options", "watch", "expected"),
    [
        (Options(resource_version_match="Exact", continue_="x"), False, [UNLESS, WITH_CONTINUE]),
        (
            Options(resource_version_match="exact", continue_="x", send_initial_events=False),
            False,
            [
                UNLESS,
                WITH_CONTINUE,
                'resourceVersionMatch: Unsupported value: "exact": supported values: "Exact", "NotOlderThan", ""',
                FOR_LIST,
            ],
        ),
        (Options(resource_version="5", resource_version_match="Exact"), False, []),
        (Options(resource_version_match="NotOlderThan", continue_="x"), True, [FOR_WATCH, WITH_CONTINUE]),
        (Options(resource_version_match="Exact"), True, [FOR_WATCH, ONLY_NOT_OLDER.format("Exact")]),
        (Options(send_initial_events=False), True, [NEEDS_MATCH]),
        (
            Options(send_initial_events=True, resource_version_match="Y", continue_="x"),
            True,
            [NEEDS_MATCH, ONLY_NOT_OLDER.format("Y"), WITH_CONTINUE],
        ),
        (Options(send_initial_events=True, continue_="x"), True, [NEEDS_MATCH]),
        (Options(send_initial_events=True, resource_version_match="NotOlderThan"), True, []),
    ],
)
def test_combinations_of_options(options: Options, watch: bool, expected: list[str]) -> None:
    if not expected:
        check_list(options, watch=watch)
        return
    with pytest.raises(StatusError) as raised:
        check_list(options, watch=watch)
    causes = raised.value.status["details"]["causes"]
    assert [f"{cause['field']}: {cause['message']}" for cause in causes] == expected
    assert raised.value.code == 422


def _token(version: int, start: str) -> str:
    document = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start})
    return base64.urlsafe_b64encode(document).rstrip(b"=").decode()


async def test_a_full_page_has_more_when_anything_follows_selected_or_not() -> None:
    async with running_core(FakeStore()) as api:
        for name, group in (("a", "1"), ("b", "2"), ("c", "1"), ("d", "2")):
            await api.config_map(name, labels={"g": group})
        page = await api.list("configmaps", "ns", label_selector="g=1", limit=2)
        assert [item["metadata"]["name"] for item in page["items"]] == ["a", "c"]
        assert "remainingItemCount" not in page["metadata"]
        rest = await api.list("configmaps", "ns", label_selector="g=1", limit=2, continue_=page["metadata"]["continue"])
        assert rest["items"] == []
        assert "continue" not in rest["metadata"]
        last = await api.list("configmaps", "ns", label_selector="g=2", limit=2)
        assert "continue" not in last["metadata"], "nothing follows d"
        unselected = await api.list("configmaps", "ns", limit=1)
        assert unselected["metadata"]["remainingItemCount"] == 3
        by_namespace = await api.list("configmaps", limit=1, field_selector="metadata.namespace=ns")
        assert "remainingItemCount" not in by_namespace["metadata"], "a selector was given"


async def test_continue_from_the_present_and_from_a_version_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "WAIT", 0.05)
    async with running_core(FakeStore()) as api:
        for name in ("a", "b", "c"):
            await api.config_map(name)
        for present in (-1, -7):
            found = await api.list("configmaps", "ns", continue_=_token(present, "b"), limit=1)
            assert [item["metadata"]["name"] for item in found["items"]] == ["b"]
            assert found["metadata"]["remainingItemCount"] == 1
        assert await api.names("configmaps", "ns", continue_=_token(-1, "/c")) == ["c"]
        with pytest.raises(StatusError, match="Too large resource version: 99999999") as raised:
            await api.list("configmaps", "ns", continue_=_token(99999999, "b"))
        assert raised.value.code == 504


async def test_a_page_after_compaction_names_a_token_that_goes_on() -> None:
    store = FakeStore()
    async with running_core(store) as api:
        for name in ("a", "b", "c"):
            await api.config_map(name)
        page = await api.list("configmaps", "ns", limit=1)
        await api.config_map("bb")
        await store.compact(store.current)
        with pytest.raises(StatusError) as raised:
            await api.list("configmaps", "ns", limit=1, continue_=page["metadata"]["continue"])
        assert (raised.value.code, raised.value.reason) == (410, "Expired")
        fresh = raised.value.status["metadata"]["continue"]
        assert await api.names("configmaps", "ns", continue_=fresh) == ["b", "bb", "c"]


async def test_versions_from_before_the_first_server_have_expired() -> None:
    async with running_core(FakeStore()) as api:
        with pytest.raises(StatusError) as raised:
            await api.list("configmaps", "ns", continue_=encode_continue("a", 1))
        assert raised.value.code == 410
        watch = await api.watch("configmaps", "ns", resource_version="1")
        event = await watch.next()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert event["object"]["message"].startswith("too old resource version: 1 (")


async def test_a_server_that_joins_forgets_nothing() -> None:
    store = FakeStore()
    await Compactor(store, interval=1).begin()
    compacted = store.compacted
    async with running_core(store):
        assert store.compacted == compacted > 0


async def test_a_collection_is_deleted_page_by_page() -> None:
    async with running_core(FakeStore()) as api:
        for name in ("a", "b", "c", "d"):
            await api.config_map(name)
        gone = await api.call("deletecollection", "configmaps", namespace="ns", options=Options(limit=2))
        assert gone["metadata"]["remainingItemCount"] == 2
        assert await api.names("configmaps", "ns") == ["c", "d"]
        token = gone["metadata"]["continue"]
        await api.call("deletecollection", "configmaps", namespace="ns", options=Options(continue_=token))
        assert await api.names("configmaps", "ns") == []


async def test_selectors_are_read_before_versions_are_checked() -> None:
    async with running_core(FakeStore()) as api:
        with pytest.raises(StatusError, match="unable to parse requirement") as raised:
            await api.list("configmaps", "ns", label_selector="a b", resource_version_match="X")
        assert raised.value.code == 400
        with pytest.raises(StatusError, match="ListOptions") as raised:
            await api.list("configmaps", "ns", field_selector="spec.x=1", resource_version_match="X")
        assert raised.value.code == 422


async def test_a_watch_without_a_version_tells_the_end_of_its_initial_events() -> None:
    async with running_core(FakeStore()) as api:
        await api.config_map("a")
        for version in ("", "0"):
            watch = await api.watch("configmaps", "ns", resource_version=version, allow_watch_bookmarks=True)
            assert await watch.names(1) == [("ADDED", "a")]
            end = await watch.next()
            assert end["type"] == "BOOKMARK"
            assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_initial_events_of_a_version_to_come_are_an_error_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "WAIT", 0.05)
    async with running_core(FakeStore()) as api:
        watch = await api.watch(
            "configmaps",
            "ns",
            resource_version="99999999",
            resource_version_match="NotOlderThan",
            send_initial_events=True,
        )
        event = await watch.next()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 504)
        await watch.ended()
