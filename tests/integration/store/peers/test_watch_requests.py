"""Odd and wrong requests on a Watch stream, sent to both stores: the same responses, in the same order."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from kubeactors.pb.etcd import rpc_pb2 as rpc
from kubeactors.pb.etcd import rpc_pb2_grpc
from tests.integration.store.peers.sides import Pair

pytestmark = pytest.mark.timeout(120)

Step = rpc.WatchCreateRequest | rpc.WatchCancelRequest | rpc.WatchProgressRequest | rpc.PutRequest | rpc.TxnRequest
NOPUT, NODELETE = rpc.WatchCreateRequest.NOPUT, rpc.WatchCreateRequest.NODELETE


class Stream:
    """One Watch stream of one side, beside its KV service."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._kv = rpc_pb2_grpc.KVStub(channel)
        self._requests: queue.SimpleQueue[rpc.WatchRequest | None] = queue.SimpleQueue()
        requests: Iterator[rpc.WatchRequest] = iter(self._requests.get, None)  # type: ignore[arg-type]
        self._responses = rpc_pb2_grpc.WatchStub(channel).Watch(requests, timeout=30)

    def do(self, step: Any) -> list[Any]:
        """Typed as Any: a request of any kind. Returns what else than a watch response it brought."""
        match step:
            case rpc.WatchCreateRequest():
                self._requests.put(rpc.WatchRequest(create_request=step))
            case rpc.WatchCancelRequest():
                self._requests.put(rpc.WatchRequest(cancel_request=step))
            case rpc.WatchProgressRequest():
                self._requests.put(rpc.WatchRequest(progress_request=step))
            case rpc.PutRequest():
                self._kv.Put(step, timeout=30)
            case rpc.TxnRequest():
                self._kv.Txn(step, timeout=30)
            case rpc.DeleteRangeRequest():
                self._kv.DeleteRange(step, timeout=30)
            case rpc.CompactionRequest():
                self._kv.Compact(step, timeout=30)
        return []

    def take(self, count: int) -> list[Any]:
        """The next responses."""
        found = []
        for _ in range(count):
            response = next(self._responses)
            content = json_format.MessageToDict(response)
            content["header"] = {"revision": content["header"].get("revision")}
            found.append(content)
        return found

    def end(self) -> None:
        self._requests.put(None)
        self._responses.cancel()


Play = Callable[[Stream, int], list[Any]]


def both(pair: Pair, play: Play) -> list[Any]:
    """What came of `play(stream, the present revision)`, which is the same on both."""
    outcomes = []
    for side in pair.sides:
        with side.channel() as channel:
            stream = Stream(channel)
            try:
                present = rpc_pb2_grpc.KVStub(channel).Range(rpc.RangeRequest(key=b"x"), timeout=30).header.revision
                outcomes.append(play(stream, present))
            finally:
                stream.end()
    theirs, ours = outcomes
    assert ours == theirs
    return ours


def create(key: bytes = b"w", **options: Any) -> rpc.WatchCreateRequest:
    return rpc.WatchCreateRequest(key=key, **options)


def put(key: bytes = b"w", value: bytes = b"v", **options: Any) -> rpc.PutRequest:
    return rpc.PutRequest(key=key, value=value, **options)


def test_creating(pair: Pair) -> None:
    def play(stream: Stream, present: int) -> list[Any]:
        stream.do(create())
        found = stream.take(1)
        stream.do(create(watch_id=7))
        found += stream.take(1)
        stream.do(create(watch_id=7))
        found += stream.take(1)
        stream.do(create(b""))
        found += stream.take(1)
        stream.do(create(b"", range_end=b"\0"))
        found += stream.take(1)
        stream.do(create(b"z", range_end=b"a"))
        found += stream.take(1)
        stream.do(create(watch_id=-4))
        found += stream.take(1)
        stream.do(create(start_revision=-3))
        found += stream.take(2)  # created and then cancelled: before -1 all counts as compacted
        stream.do(create())
        return found + stream.take(1)

    both(pair, play)


def test_events(pair: Pair) -> None:
    def play(stream: Stream, present: int) -> list[Any]:
        found = []
        for options in (
            {},
            {"prev_kv": True},
            {"filters": [NOPUT]},
            {"filters": [NODELETE]},
            {"filters": [NOPUT, NODELETE]},
            {"range_end": b"x"},
            {"start_revision": present + 3},
        ):
            stream.do(create(watch_id=0, **options))
            found += stream.take(1)
        stream.do(put())
        found += ordered(stream.take(4))
        stream.do(put(value=b"again"))
        found += ordered(stream.take(4))
        stream.do(rpc.DeleteRangeRequest(key=b"w"))
        found += ordered(stream.take(5))
        stream.do(
            rpc.TxnRequest(
                success=[rpc.RequestOp(request_put=put(b"w1")), rpc.RequestOp(request_put=put(b"w"))],
            )
        )
        return found + ordered(stream.take(5))

    both(pair, play)


def test_cancelling(pair: Pair) -> None:
    def play(stream: Stream, present: int) -> list[Any]:
        stream.do(create())
        found = stream.take(1)
        stream.do(rpc.WatchCancelRequest(watch_id=0))
        found += stream.take(1)
        stream.do(rpc.WatchCancelRequest(watch_id=0))
        stream.do(rpc.WatchCancelRequest(watch_id=99))
        stream.do(put())  # nobody watches any more
        stream.do(create(b"other"))
        found += stream.take(1)
        stream.do(put(b"other"))
        return found + stream.take(1)

    both(pair, play)


def test_progress(pair: Pair) -> None:
    def play(stream: Stream, present: int) -> list[Any]:
        stream.do(create())
        found = stream.take(1)
        stream.do(put(b"elsewhere"))
        stream.do(rpc.WatchProgressRequest())
        return found + stream.take(1)

    (_, progress) = both(pair, play)
    assert "events" not in progress


def test_the_past_and_the_compacted(pair: Pair) -> None:
    def play(stream: Stream, present: int) -> list[Any]:
        for number in range(6):
            stream.do(put(value=b"%d" % number))
        stream.do(create(start_revision=present + 1, prev_kv=True))
        found = stream.take(1)
        found += events(stream, 6)
        stream.do(rpc.CompactionRequest(revision=present + 4, physical=True))
        stream.do(create(start_revision=present + 4, prev_kv=True))
        found += stream.take(1)
        found += events(stream, 3)
        stream.do(create(start_revision=present + 3))
        return found + stream.take(2)

    *_, refused = both(pair, play)
    assert refused["canceled"] and "compactRevision" in refused


def test_fragments(pair: Pair) -> None:
    """A revision larger than a request may be comes in parts, which together hold what a whole one does."""

    def play(stream: Stream, present: int) -> list[Any]:
        stream.do(create(b"f", range_end=b"g", fragment=True, prev_kv=True))
        found = stream.take(1)
        for round_ in range(2):
            operations = [put(b"f%d" % n, bytes([round_]) * 300_000) for n in range(4)]
            stream.do(rpc.TxnRequest(success=[rpc.RequestOp(request_put=operation) for operation in operations]))
        keys: list[str] = []
        parts = []
        while len(keys) < 8:
            (response,) = stream.take(1)
            parts.append(response.get("fragment", False))
            keys += [event["kv"]["key"] for event in response["events"]]
        assert any(parts) and not parts[-1]
        return [*found, keys]

    both(pair, play)


def events(stream: Stream, count: int) -> list[Any]:
    """So many events, in however many responses: how those are cut is a matter of time."""
    found: list[Any] = []
    while len(found) < count:
        (response,) = stream.take(1)
        found += response["events"]
    assert len(found) == count
    return found


def ordered(responses: list[Any]) -> list[Any]:
    """Which watch of a stream hears of a revision first is not said."""
    return sorted(responses, key=lambda response: int(response.get("watchId", 0)))
