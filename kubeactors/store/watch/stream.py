"""One Watch stream: its watches, and the responses that are due, one at a time as the receiver takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import Compacted, StoreError
from kubeactors.store.keys import FROM_KEY
from kubeactors.store.mvcc.record import Change, size
from kubeactors.store.watch.group import Batch, Interest, encode_events
from kubeactors.store.watch.hub import WatchHub
from kubeactors.store.watch.watcher import Watcher

RESPONSE_BYTES = 1024 * 1024
FRAGMENT_BYTES = 2 * 1024 * 1024
"""What a response may hold for a watch that takes fragments: what etcd's clients take by default."""
HISTORY_REVISIONS = 2000
"""How many revisions a watch that catches up looks at in one step."""


class Outlet(Protocol):
    """Where responses go that need not wait for anything."""

    @property
    def writable(self) -> bool: ...

    def put(self, response: bytes) -> None:
        """While `writable`."""


class WatchStream:
    """`header` gives a response header of the present; `clock` seconds, as time.monotonic does.

    `notify_after`: seconds without events after which a watch that asked for it is told how far it has come.
    `outlet`: takes events as they are applied while whoever calls `next` waits for them, which spares waking it.
    """

    def __init__(
        self,
        hub: WatchHub,
        header: Callable[[], rpc_pb2.ResponseHeader],
        clock: Callable[[], float],
        notify_after: float,
        outlet: Outlet | None = None,
    ) -> None:
        self._hub = hub
        self._header = header
        self._clock = clock
        self._notify_after = notify_after
        self._outlet = outlet
        self._waiting = False  # everything that was due has been written
        self._watchers: dict[int, Watcher] = {}
        self._behind: dict[Watcher, None] = {}
        self._ready: dict[Watcher, None] = {}
        self._control: list[rpc_pb2.WatchResponse] = []
        self._next_id = 0
        self._progress_asked = False
        self._wake = asyncio.Event()
        self._error: StoreError | None = None
        hub.open(self)

    # ---- what the client asks ----

    def handle(self, request: rpc_pb2.WatchRequest) -> None:
        which = request.WhichOneof("request_union")
        if which == "create_request":
            self._create(request.create_request)
        elif which == "cancel_request":
            self._cancel(request.cancel_request.watch_id)
        elif which == "progress_request":
            self._progress_asked = True
        self._wake.set()

    def interrupt(self, error: StoreError) -> None:
        self._error = error
        self._wake.set()

    def close(self) -> None:
        self._hub.close(self)
        for watcher in self._watchers.values():
            self._hub.remove(watcher)
        self._watchers.clear()
        self._behind.clear()
        self._ready.clear()

    def _create(self, request: rpc_pb2.WatchCreateRequest) -> None:
        key = request.key or b"\0"  # the first key that there can be, as etcd reads it
        if request.range_end and request.range_end != FROM_KEY and key >= request.range_end:
            self._refuse(-1, "mvcc: watcher range is empty")
            return
        watch_id = request.watch_id
        if watch_id and watch_id in self._watchers:
            self._refuse(-1, "mvcc: duplicate watch ID provided on the WatchStream")
            return
        if not watch_id:
            while self._next_id in self._watchers:
                self._next_id += 1
            watch_id = self._next_id
            self._next_id += 1
        filters = request.filters
        interest = Interest(
            key,
            request.range_end,
            rpc_pb2.WatchCreateRequest.NOPUT not in filters,
            rpc_pb2.WatchCreateRequest.NODELETE not in filters,
            request.prev_kv,
        )
        present = self._hub.mvcc.revision
        start = request.start_revision or present + 1
        watcher = Watcher(
            watch_id,
            interest,
            start,
            fragment=request.fragment,
            progress_notify=request.progress_notify,
            wake=self._mark_ready,
            behind=self._fell_behind,
        )
        watcher.last_sent = self._clock()
        self._watchers[watch_id] = watcher
        self._control.append(rpc_pb2.WatchResponse(header=self._header(), watch_id=watch_id, created=True))
        if start > present:
            self._sync(watcher)
        else:
            self._behind[watcher] = None

    def _refuse(self, watch_id: int, reason: str) -> None:
        self._control.append(
            rpc_pb2.WatchResponse(
                header=self._header(), watch_id=watch_id, created=True, canceled=True, cancel_reason=reason
            )
        )

    def _cancel(self, watch_id: int) -> None:
        watcher = self._watchers.get(watch_id)
        if watcher is not None:
            self._drop(watcher)
            self._control.append(rpc_pb2.WatchResponse(header=self._header(), watch_id=watch_id, canceled=True))

    def _drop(self, watcher: Watcher) -> None:
        self._hub.remove(watcher)
        self._watchers.pop(watcher.id, None)
        self._behind.pop(watcher, None)
        self._ready.pop(watcher, None)

    # ---- what the hub tells ----

    def _mark_ready(self, watcher: Watcher) -> None:
        outlet = self._outlet
        if self._waiting and outlet is not None and not self._wake.is_set() and outlet.writable:
            batches = watcher.take(RESPONSE_BYTES)
            for response in self._responses(watcher, batches) if batches else ():
                outlet.put(response)
            if not watcher.waiting:
                return
        self._ready[watcher] = None
        self._wake.set()

    def _fell_behind(self, watcher: Watcher) -> None:
        self._hub.remove(watcher)
        self._behind[watcher] = None

    def _sync(self, watcher: Watcher) -> None:
        watcher.synced = True
        self._behind.pop(watcher, None)
        self._hub.add(watcher)

    # ---- what is due ----

    async def next(self) -> list[bytes]:
        """The next encoded WatchResponses, at least one, waiting for them. Raises what it was interrupted with."""
        while True:
            if self._error is not None:
                raise self._error
            due = self._due()
            if due:
                return due
            if self._behind:
                await asyncio.sleep(0)  # the history is long and nothing in this part of it was wanted
                continue
            self._wake.clear()
            self._waiting = True
            try:
                async with asyncio.timeout(self._until_notify()):
                    await self._wake.wait()
            except TimeoutError:
                continue
            finally:
                self._waiting = False

    def _due(self) -> list[bytes]:
        due = [response.SerializeToString() for response in self._control]
        self._control.clear()
        ready, self._ready = self._ready, {}
        for watcher in ready:
            batches = watcher.take(RESPONSE_BYTES)
            if batches:
                due.extend(self._responses(watcher, batches))
            if watcher.waiting:
                self._ready[watcher] = None
        for watcher in list(self._behind):
            if not watcher.waiting:
                due.extend(self._catch_up(watcher))
        if self._progress_asked and not self._behind and not self._ready:
            # Sent after every event up to this revision, so a client may rely on it for all watches of the stream.
            self._progress_asked = False
            due.append(rpc_pb2.WatchResponse(header=self._header(), watch_id=-1).SerializeToString())
        now = self._clock()
        for watcher in self._watchers.values():
            idle = watcher.progress_notify and watcher.synced and not watcher.waiting
            if idle and now - watcher.last_sent >= self._notify_after:
                watcher.last_sent = now
                due.append(rpc_pb2.WatchResponse(header=self._header(), watch_id=watcher.id).SerializeToString())
        return due

    def _until_notify(self) -> float | None:
        last = [w.last_sent for w in self._watchers.values() if w.progress_notify]
        return max(0.0, min(last) + self._notify_after - self._clock()) if last else None

    def _catch_up(self, watcher: Watcher) -> list[bytes]:
        mvcc = self._hub.mvcc
        first = watcher.next_revision
        last = min(mvcc.revision, first + HISTORY_REVISIONS - 1)
        try:
            revisions = mvcc.changes(first, last)
        except Compacted as error:
            self._drop(watcher)
            header = self._header()
            header.ClearField("revision")  # as in etcd: the watch has seen nothing up to any revision
            response = rpc_pb2.WatchResponse(
                header=header, watch_id=watcher.id, canceled=True, compact_revision=error.compact_revision
            )
            return [response.SerializeToString()]
        wanted: list[Change] = []
        total = 0
        for changes in revisions:
            selected = watcher.interest.select((changes,))
            wanted.extend(selected)
            total += sum(size(record) for record, _ in selected)
            first += 1
            if total > RESPONSE_BYTES:
                break
        else:
            first = last + 1
        start, watcher.next_revision = watcher.next_revision, first
        if watcher.next_revision > mvcc.revision:
            self._sync(watcher)
        if not wanted:
            return []
        return self._responses(watcher, [Batch(watcher.interest, wanted, start, first - 1)])

    def _responses(self, watcher: Watcher, batches: Sequence[Batch]) -> list[bytes]:
        watcher.last_sent = self._clock()
        if len(batches) == 1 and batches[0].size <= FRAGMENT_BYTES:
            return [batches[0].response(watcher.id, self._header)]
        head = rpc_pb2.WatchResponse(header=self._header(), watch_id=watcher.id)
        if watcher.fragment and sum(batch.size for batch in batches) > FRAGMENT_BYTES:
            return self._fragments(watcher, head, [change for batch in batches for change in batch.changes])
        # Encoded messages put one after the other are their union: the events are encoded once for all watches.
        return [b"".join((head.SerializeToString(), *(batch.encoded() for batch in batches)))]

    def _fragments(self, watcher: Watcher, head: rpc_pb2.WatchResponse, changes: list[Change]) -> list[bytes]:
        parts: list[list[Change]] = [[]]
        total = 0
        for change in changes:
            record, previous = change
            more = size(record) + (size(previous) if watcher.interest.prev_kv and previous is not None else 0)
            if parts[-1] and total + more > FRAGMENT_BYTES:
                parts.append([])
                total = 0
            parts[-1].append(change)
            total += more
        responses: list[bytes] = []
        for number, part in enumerate(parts):
            head.fragment = number < len(parts) - 1
            responses.append(head.SerializeToString() + encode_events(part, watcher.interest.prev_kv))
        return responses
