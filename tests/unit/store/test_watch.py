"""Watch streams without a network: what each response holds, and when it is due."""

from __future__ import annotations

import asyncio

import pytest

from kubeactors.pb.etcd import kv_pb2, rpc_pb2
from kubeactors.store.mvcc.state import Mvcc
from kubeactors.store.watch import stream as stream_module
from kubeactors.store.watch import watcher as watcher_module
from kubeactors.store.watch.group import Interest, InterestIndex
from kubeactors.store.watch.hub import WatchHub
from kubeactors.store.watch.stream import WatchStream


class Bench:
    def __init__(self) -> None:
        self.mvcc = Mvcc()
        self.hub = WatchHub(self.mvcc)
        self.now = 0.0

    def stream(self) -> WatchStream:
        return WatchStream(
            self.hub, lambda: rpc_pb2.ResponseHeader(revision=self.mvcc.revision), lambda: self.now, 10.0
        )

    def put(self, *pairs: tuple[bytes, bytes]) -> None:
        write = self.mvcc.begin()
        for key, value in pairs:
            write.put(key, value, 0)
        self.hub.publish(self.mvcc.revision + 1, write.commit())

    def delete(self, key: bytes, end: bytes = b"") -> None:
        write = self.mvcc.begin()
        write.delete_range(key, end)
        self.hub.publish(self.mvcc.revision + 1, write.commit())


def create(stream: WatchStream, key: bytes, end: bytes = b"", **more: object) -> None:
    stream.handle(
        rpc_pb2.WatchRequest(
            create_request=rpc_pb2.WatchCreateRequest(key=key, range_end=end, **more)  # type: ignore[arg-type]
        )
    )


async def due(stream: WatchStream) -> list[rpc_pb2.WatchResponse]:
    encoded = await asyncio.wait_for(stream.next(), 30)
    return [rpc_pb2.WatchResponse.FromString(data) for data in encoded]


async def nothing_due(stream: WatchStream) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.next(), 0.05)


def seen(*responses: rpc_pb2.WatchResponse) -> list[tuple[str, bytes, int]]:
    return [
        ("DELETE" if e.type == kv_pb2.Event.DELETE else "PUT", e.kv.key, e.kv.mod_revision)
        for r in responses
        for e in r.events
    ]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_from_now_on(bench: Bench) -> None:
    bench.put((b"a", b"before"))
    stream = bench.stream()
    create(stream, b"a", b"c")
    (created,) = await due(stream)
    assert created.created and created.header.revision == 2 and created.watch_id == 0
    bench.put((b"a", b"1"), (b"z", b"elsewhere"))
    bench.put((b"z", b"elsewhere"))
    bench.delete(b"a", b"c")
    (response,) = await due(stream)
    assert seen(response) == [("PUT", b"a", 3), ("DELETE", b"a", 5)]
    assert response.events[1].kv == kv_pb2.KeyValue(key=b"a", mod_revision=5)
    await nothing_due(stream)


async def test_from_a_kept_revision_then_live_without_gap_or_repetition(bench: Bench) -> None:
    for number in range(10):
        bench.put((b"k", b"%d" % number))
    stream = bench.stream()
    create(stream, b"k", start_revision=5)
    created, history = await due(stream)
    assert created.created
    assert [e.kv.mod_revision for e in history.events] == [5, 6, 7, 8, 9, 10, 11]
    bench.put((b"k", b"live"))
    (live,) = await due(stream)
    assert seen(live) == [("PUT", b"k", 12)]


async def test_from_a_future_revision(bench: Bench) -> None:
    stream = bench.stream()
    create(stream, b"k", start_revision=4)
    await due(stream)
    bench.put((b"k", b"2"))
    bench.put((b"k", b"3"))
    await nothing_due(stream)
    bench.put((b"k", b"4"))
    assert seen(*await due(stream)) == [("PUT", b"k", 4)]


async def test_filters_and_previous_values(bench: Bench) -> None:
    bench.put((b"k", b"old"))
    streams = [bench.stream() for _ in range(3)]
    create(streams[0], b"k", filters=[rpc_pb2.WatchCreateRequest.NOPUT])
    create(streams[1], b"k", filters=[rpc_pb2.WatchCreateRequest.NODELETE])
    create(streams[2], b"k", prev_kv=True)
    for stream in streams:
        await due(stream)
    bench.put((b"k", b"new"))
    bench.delete(b"k")
    assert [[kind for kind, _, _ in seen(*await due(stream))] for stream in streams[:2]] == [["DELETE"], ["PUT"]]
    (response,) = await due(streams[2])
    assert [e.prev_kv.value for e in response.events] == [b"old", b"new"]


async def test_a_compacted_start_cancels_and_names_the_first_kept_revision(bench: Bench) -> None:
    for number in range(10):
        bench.put((b"k", b"%d" % number))
    bench.mvcc.compact(6)
    stream = bench.stream()
    create(stream, b"k", start_revision=5)
    created, canceled = await due(stream)
    assert created.created and canceled.canceled and canceled.compact_revision == 6
    bench.put((b"k", b"more"))
    await nothing_due(stream)
    create(stream, b"k", start_revision=6)
    _, history = await due(stream)
    assert len(history.events) == 7


async def test_while_nothing_is_compacted_starts_before_minus_one_cancel_as_in_etcd(bench: Bench) -> None:
    bench.put((b"k", b"1"))
    stream = bench.stream()
    create(stream, b"k", start_revision=-2)
    created, canceled = await due(stream)
    assert created.created and canceled.canceled and canceled.compact_revision == -1
    create(stream, b"k", start_revision=-1)
    _, history = await due(stream)
    assert seen(history) == [("PUT", b"k", 2)]


async def test_a_deletion_at_the_compacted_revision_is_still_told(bench: Bench) -> None:
    bench.put((b"k", b"1"))
    bench.delete(b"k")
    bench.put((b"other", b""))
    bench.mvcc.compact(3)
    assert bench.mvcc.purge(100)
    stream = bench.stream()
    create(stream, b"k", start_revision=3)
    _, history = await due(stream)
    assert seen(history) == [("DELETE", b"k", 3)]


async def test_many_watches_on_one_stream_and_cancelling_one(bench: Bench) -> None:
    stream = bench.stream()
    create(stream, b"a")
    create(stream, b"a", watch_id=7)
    create(stream, b"a", watch_id=7)
    create(stream, b"b", b"a")
    responses = await due(stream)
    assert [(r.watch_id, r.canceled) for r in responses] == [(0, False), (7, False), (-1, True), (-1, True)]
    stream.handle(rpc_pb2.WatchRequest(cancel_request=rpc_pb2.WatchCancelRequest(watch_id=0)))
    (canceled,) = await due(stream)
    assert canceled.canceled and canceled.watch_id == 0
    bench.put((b"a", b""))
    (response,) = await due(stream)
    assert response.watch_id == 7
    stream.close()
    assert len(bench.hub) == 0


async def test_watches_that_ask_the_same_share_one_encoding(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeactors.store.watch import group

    encodings = 0
    encode = group.encode_events

    def counting(*arguments: object) -> bytes:
        nonlocal encodings
        encodings += 1
        return encode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(group, "encode_events", counting)
    streams = [bench.stream() for _ in range(20)]
    for stream in streams:
        create(stream, b"a", b"b")
        await due(stream)
    bench.put((b"a", b"x"))
    for stream in streams:
        assert seen(*await due(stream)) == [("PUT", b"a", 2)]
    assert encodings == 1


async def test_a_slow_receiver_holds_little_and_misses_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "MAX_WAITING_BYTES", 5_000)
    monkeypatch.setattr(stream_module, "RESPONSE_BYTES", 2_000)
    stream = bench.stream()
    create(stream, b"k", b"l")
    await due(stream)
    for number in range(200):
        bench.put((b"k%d" % number, b"x" * 100))
    (watcher,) = stream._watchers.values()
    assert not watcher.synced and watcher.waiting_bytes < 6_000
    events: list[tuple[str, bytes, int]] = []
    while len(events) < 200:
        events += seen(*await due(stream))
    assert [revision for _, _, revision in events] == list(range(2, 202))
    assert watcher.synced
    bench.put((b"k", b"live"))
    assert seen(*await due(stream)) == [("PUT", b"k", 202)]


async def test_a_large_revision_comes_in_fragments_if_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "FRAGMENT_BYTES", 3_000)
    whole, parts = bench.stream(), bench.stream()
    create(whole, b"k", b"l")
    create(parts, b"k", b"l", fragment=True)
    await due(whole), await due(parts)
    bench.put(*((b"k%02d" % number, b"x" * 100) for number in range(40)))
    (response,) = await due(whole)
    assert len(response.events) == 40
    fragments = await due(parts)
    assert len(fragments) > 3
    assert [f.fragment for f in fragments] == [True] * (len(fragments) - 1) + [False]
    assert seen(*fragments) == seen(response)


async def test_progress_is_told_after_all_events_and_when_idle(bench: Bench) -> None:
    stream = bench.stream()
    create(stream, b"k", progress_notify=True)
    await due(stream)
    bench.put((b"k", b""))
    bench.put((b"other", b""))
    stream.handle(rpc_pb2.WatchRequest(progress_request=rpc_pb2.WatchProgressRequest()))
    event, progress = await due(stream)
    assert seen(event) == [("PUT", b"k", 2)]
    assert (progress.watch_id, progress.header.revision, len(progress.events)) == (-1, 3, 0)
    await nothing_due(stream)
    bench.now = 11.0
    (notice,) = await due(stream)
    assert (notice.watch_id, notice.header.revision, len(notice.events)) == (0, 3, 0)


def test_the_index_finds_what_a_plain_search_finds() -> None:
    index = InterestIndex()
    interests = [
        Interest(key, end, True, True, False)
        for key in (b"a", b"b", b"c", b"d")
        for end in (b"", b"\0", b"b", b"c", b"cc", b"d")
    ]
    from kubeactors.store.keys import contains

    for interest in interests:
        index.add(interest)
    keys = [b"", b"a", b"aa", b"b", b"bz", b"c", b"ca", b"cc", b"cd", b"d", b"zz"]
    for removed in [None, *list(interests)]:
        if removed is not None:
            index.remove(removed)
            interests.remove(removed)
        for key in keys:
            expected = {i for i in interests if contains(i.key, i.range_end, key)}
            found = index.concerned(key)
            assert set(found) == expected and len(found) == len(expected), key
        if len(interests) < 2:
            break
