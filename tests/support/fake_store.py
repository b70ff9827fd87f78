"""An in-memory store with the interface of StoreClient that the API server uses: revisions, history, watches.

store = FakeStore()
store.put(b"/registry/pods/ns/a", b"…")        # as another writer would
store.fail_next(StoreUnavailable("down", outcome_unknown=False))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from kubeactors.store import keys
from kubeactors.store.client import ops
from kubeactors.store.client.results import (
    DeleteResult,
    Event,
    KeyValue,
    LeaseGranted,
    OpResult,
    PutResult,
    RangeResult,
    TxnResult,
    WatchBatch,
)
from kubeactors.store.errors import Compacted, FutureRevision, LeaseNotFound, StoreError


class FakeStore:
    """Everything happens at once on the event loop; watches deliver when they are iterated."""

    def __init__(self, revision: int = 1) -> None:
        self.current = revision
        self.compacted = 0
        self.calls: list[str] = []
        self._live: dict[bytes, KeyValue] = {}
        self._log: list[Event] = []
        self._moved = asyncio.Event()
        self._failures: list[StoreError] = []
        self._watches: list[FakeWatch] = []
        self.leases = 0
        self.expired: set[int] = set()
        self.hold_watches = False

    # --- what tests do

    def put(self, key: bytes, value: bytes) -> int:
        """Write as another client would; the revision."""
        return self._commit([ops.put(key, value)])[1]

    def delete(self, key: bytes) -> int:
        return self._commit([ops.delete(key)])[1]

    def value(self, key: bytes) -> bytes | None:
        found = self._live.get(key)
        return found.value if found else None

    def keys(self, prefix: bytes = b"") -> list[bytes]:
        return sorted(key for key in self._live if key.startswith(prefix))

    def expire(self, lease_id: int) -> None:
        """End a lease, with its keys."""
        self.expired.add(lease_id)
        self._commit([ops.delete(key) for key, kv in self._live.items() if kv.lease == lease_id])

    def fail_next(self, error: StoreError) -> None:
        """Let the next request (not watch) fail."""
        self._failures.append(error)

    def break_watches(self, error: StoreError) -> None:
        """Let every open watch raise."""
        for watch in self._watches:
            watch.error = error
        self._wake()

    def release_watches(self) -> None:
        """Deliver what was held back while `hold_watches` was set."""
        self.hold_watches = False
        self._wake()

    # --- StoreApi

    async def range(self, key: bytes, range_end: bytes = b"", *, limit: int = 0, revision: int = 0) -> RangeResult:
        self._call("range")
        return self._range(key, range_end, limit, revision)

    async def scan(self, prefix: bytes, *, page_size: int = 2000, revision: int = 0) -> AsyncIterator[RangeResult]:
        self._call("scan")
        yield self._range(prefix, keys.prefix_end(prefix), 0, revision)

    async def revision(self) -> int:
        self._call("revision")
        await asyncio.sleep(0)
        return self.current

    async def txn(
        self, compare: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        self._call("txn")
        await asyncio.sleep(0)
        holds = all(self._holds(each) for each in compare)
        results, revision = self._commit(success if holds else failure)
        return TxnResult(holds, revision, results)

    def watch(self, key: bytes, start_revision: int = 0) -> FakeWatch:
        self.calls.append("watch")
        watch = FakeWatch(self, key, start_revision or self.current + 1)
        self._watches.append(watch)
        return watch

    async def compact(self, revision: int) -> None:
        self._call("compact")
        if revision <= self.compacted:
            raise Compacted(compact_revision=self.compacted)
        self.compacted = revision

    async def lease_grant(self, ttl: int) -> LeaseGranted:
        self._call("lease_grant")
        self.leases += 1
        return LeaseGranted(self.leases, ttl)

    async def lease_keep_alive(self, lease_id: int) -> int:
        self._call("lease_keep_alive")
        if lease_id in self.expired:
            raise LeaseNotFound
        return 15

    # --- inside

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self._failures:
            raise self._failures.pop(0)

    def _at(self, revision: int) -> dict[bytes, KeyValue]:
        if revision in (0, self.current):
            return self._live
        if revision > self.current:
            raise FutureRevision
        if revision < self.compacted:
            raise Compacted(compact_revision=self.compacted)
        state: dict[bytes, KeyValue] = {}
        for event in self._log:
            if event.kv.mod_revision > revision:
                break
            if event.deleted:
                state.pop(event.kv.key, None)
            else:
                state[event.kv.key] = event.kv
        return state

    def _range(self, key: bytes, range_end: bytes, limit: int, revision: int) -> RangeResult:
        state = self._at(revision)
        found = [state[each] for each in sorted(state) if keys.contains(key, range_end, each)]
        cut = found[:limit] if limit else found
        return RangeResult(cut, len(found), self.current, len(cut) < len(found))

    def _holds(self, compare: ops.Compare) -> bool:
        kv = self._live.get(compare.key)
        target = compare.WhichOneof("target_union")
        if target == "mod_revision":
            actual, wanted = (kv.mod_revision if kv else 0), compare.mod_revision
        elif target == "version":
            actual, wanted = (kv.version if kv else 0), compare.version
        else:
            raise NotImplementedError(target)
        assert compare.result == ops.Compare.EQUAL
        return actual == wanted

    def _commit(self, operations: Sequence[ops.Op]) -> tuple[list[OpResult], int]:
        results: list[OpResult] = []
        events: list[Event] = []
        revision = self.current + 1
        touched: set[bytes] = set()
        for operation in operations:
            if operation.HasField("request_put"):
                put = operation.request_put
                assert put.key not in touched, "a transaction may write a key once"
                touched.add(put.key)
                old = self._live.get(put.key)
                created, version = (old.create_revision, old.version + 1) if old else (revision, 1)
                kv = KeyValue(put.key, put.value, created, revision, version, put.lease)
                events.append(Event(False, kv, old))
                results.append(PutResult(revision, None))
            elif operation.HasField("request_delete_range"):
                key = operation.request_delete_range.key
                assert key not in touched, "a transaction may write a key once"
                touched.add(key)
                if key in self._live:
                    events.append(Event(True, KeyValue(key, b"", 0, revision, 0, 0), self._live[key]))
                results.append(DeleteResult(int(key in self._live), revision, []))
            else:
                read = operation.request_range
                results.append(self._range(read.key, read.range_end, read.limit, read.revision))
        if events:
            self.current = revision
            for event in events:
                if event.deleted:
                    del self._live[event.kv.key]
                else:
                    self._live[event.kv.key] = event.kv
            self._log += events
            self._wake()
        return results, self.current

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


class FakeWatch:
    """See kubeactors.store.client.watch.Watch."""

    def __init__(self, store: FakeStore, prefix: bytes, start: int) -> None:
        self._store = store
        self._prefix = prefix
        self._next = start
        self.error: StoreError | None = None

    async def __anext__(self) -> WatchBatch:
        store = self._store
        while True:
            if self.error is not None:
                raise self.error
            if self._next <= store.compacted:
                raise Compacted(compact_revision=store.compacted)
            if store.current >= self._next and not store.hold_watches:
                events = [
                    each
                    for each in store._log
                    if each.kv.mod_revision >= self._next and each.kv.key.startswith(self._prefix)
                ]
                self._next = store.current + 1
                return WatchBatch(events, store.current)
            await store._moved.wait()

    async def close(self) -> None:
        if self in self._store._watches:
            self._store._watches.remove(self)
