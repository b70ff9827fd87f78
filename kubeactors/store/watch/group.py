"""Watches that ask for the same share one group, so that events are matched and encoded once for all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import wire
from kubeactors.store.keys import FROM_KEY, contains
from kubeactors.store.mvcc.record import VERSION, Change, Record, size


class Interest(NamedTuple):
    """What a watch wants to see."""

    key: bytes
    range_end: bytes
    puts: bool
    deletes: bool
    prev_kv: bool

    def wants(self, record: Record) -> bool:
        """Whether the kind of change is wanted; the key is not looked at."""
        return self.puts if record[VERSION] else self.deletes

    def select(self, revisions: Iterable[Sequence[Change]]) -> list[Change]:
        key, range_end = self.key, self.range_end
        return [
            change
            for changes in revisions
            for change in changes
            if contains(key, range_end, change[0][0]) and self.wants(change[0])
        ]


class Batch:
    """Events of one interest, in order, covering the revisions `first` to `last`. Encoded at most once."""

    __slots__ = ("_encoded", "_response", "changes", "first", "interest", "last", "size")

    def __init__(self, interest: Interest, changes: list[Change], first: int, last: int) -> None:
        self.interest = interest
        self.changes = changes
        self.first = first
        self.last = last
        total = 0
        for record, previous in changes:
            total += size(record)
            if interest.prev_kv and previous is not None:
                total += size(previous)
        self.size = total
        self._encoded: bytes | None = None
        self._response: tuple[int, bytes] | None = None

    def encoded(self) -> bytes:
        """The `events` field of a WatchResponse, ready to be appended to an encoded head."""
        if self._encoded is None:
            self._encoded = encode_events(self.changes, self.interest.prev_kv)
        return self._encoded

    def response(self, watch_id: int, header: Callable[[], rpc_pb2.ResponseHeader]) -> bytes:
        """The whole WatchResponse. Most streams have one watch, with the same number: made once for all of those."""
        kept = self._response
        if kept is not None and kept[0] == watch_id:
            return kept[1]
        # Encoded messages put one after the other are their union: the events are encoded once for all watches.
        encoded = rpc_pb2.WatchResponse(header=header(), watch_id=watch_id).SerializeToString() + self.encoded()
        self._response = (watch_id, encoded)
        return encoded


def encode_events(changes: Iterable[Change], prev_kv: bool) -> bytes:
    response = rpc_pb2.WatchResponse()
    add = response.events.add
    for change in changes:
        wire.fill_event(add(), change, prev_kv)
    return response.SerializeToString()


class InterestIndex:
    """Which interests a key concerns. Looking one up costs a dictionary access and a bisection, however many there are:
    the key space is cut at the bounds of all ranges, and each piece knows its interests."""

    def __init__(self) -> None:
        self._counts: dict[Interest, int] = {}
        self._exact: dict[bytes, list[Interest]] = {}
        self._bounds: list[bytes] | None = None
        self._pieces: list[list[Interest]] = []

    def add(self, interest: Interest) -> None:
        count = self._counts.get(interest, 0)
        self._counts[interest] = count + 1
        if not count:
            if interest.range_end:
                self._bounds = None
            else:
                self._exact.setdefault(interest.key, []).append(interest)

    def remove(self, interest: Interest) -> None:
        self._counts[interest] -= 1
        if not self._counts[interest]:
            del self._counts[interest]
            if interest.range_end:
                self._bounds = None
            else:
                same = self._exact[interest.key]
                same.remove(interest)
                if not same:
                    del self._exact[interest.key]

    def concerned(self, key: bytes) -> list[Interest]:
        if self._bounds is None:
            self._cut()
        assert self._bounds is not None
        ranges = self._pieces[bisect_right(self._bounds, key)]
        exact = self._exact.get(key)
        return ranges + exact if exact else ranges

    def _cut(self) -> None:
        ranges = [i for i in self._counts if i.range_end and (i.range_end == FROM_KEY or i.range_end > i.key)]
        cuts = {i.key for i in ranges} | {i.range_end for i in ranges if i.range_end != FROM_KEY}
        bounds = sorted(cuts)
        pieces: list[list[Interest]] = [[] for _ in range(len(bounds) + 1)]
        for interest in ranges:
            start = bisect_right(bounds, interest.key)
            stop = len(pieces) if interest.range_end == FROM_KEY else bisect_left(bounds, interest.range_end) + 1
            for piece in pieces[start:stop]:
                piece.append(interest)
        self._bounds, self._pieces = bounds, pieces
