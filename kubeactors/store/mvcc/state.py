"""Revisions, the key index, history until compaction.

A revision is (main, sub): main counts the writing transactions, sub the writes within one. The store begins at main
revision 1, so that the first write has 2, as in etcd.

The index of a key is its newest record, if it lives, in `_current`, and its older ones, tombstones included, in
`_past`, oldest first. A generation in etcd's sense (from a creation to its deletion) is the run of records with one
create_revision; a tombstone ends it. `_log` holds the changes by main revision without gaps: watches read it, and
compaction walks it, so that compacting costs by what is forgotten and not by what is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from sortedcontainers import SortedList

from kubeactors.store.errors import Compacted, FutureRevision
from kubeactors.store.keys import FROM_KEY, contains
from kubeactors.store.mvcc.record import LEASE, MOD, VERSION, Change, Record, size, tombstone

FIRST_REVISION = 1
CLEAR_STEP = 5000
"""Records freed in one step, about a millisecond."""


class Mvcc:
    """The whole key space. Reads and writes are plain calls; nothing here waits or looks at a clock."""

    def __init__(self) -> None:
        self.revision = FIRST_REVISION
        self.compact_revision = 0
        """The first revision that can be read; 0: all."""
        self.bytes_in_use = 0
        self.lease_keys: dict[int, set[bytes]] = {}
        self._current: dict[bytes, Record] = {}
        self._live: SortedList = SortedList()
        self._past: dict[bytes, list[Record]] = {}
        self._past_keys: SortedList = SortedList()
        self._log: list[tuple[Change, ...]] = []
        self._log_start = FIRST_REVISION + 1
        self._holds = 0

    # ---- reads ----

    def __len__(self) -> int:
        """Keys that live now."""
        return len(self._current)

    def get(self, key: bytes) -> Record | None:
        return self._current.get(key)

    def check_revision(self, revision: int) -> None:
        """Raises Compacted or FutureRevision for a revision that cannot be read. 0 and below mean now."""
        if revision > self.revision:
            raise FutureRevision
        if 0 < revision < self.compact_revision:
            raise Compacted(compact_revision=self.compact_revision)

    def count(self, key: bytes, range_end: bytes, revision: int = 0) -> int:
        if 0 < revision < self.revision:
            self.check_revision(revision)
            if self.revision - revision > len(self._live):
                return sum(1 for _ in self._records_at(key, range_end, revision))
            # A page of a list read at one revision: what has changed since is less than what there is.
            later = 0
            for changes in self.kept_changes(revision + 1, self.revision):
                for record, previous in changes:
                    if (previous is None or not record[VERSION]) and contains(key, range_end, record[0]):
                        later += 1 if previous is None else -1
            return self.count(key, range_end) - later
        if not range_end:
            return 1 if key in self._current else 0
        live = self._live
        upper = len(live) if range_end == FROM_KEY else live.bisect_left(range_end)
        return max(0, int(upper - live.bisect_left(key)))

    def records(self, key: bytes, range_end: bytes, revision: int = 0, limit: int = 0) -> list[Record]:
        """The records of the range at `revision` (0: now) by key; at most `limit` (0: all)."""
        if 0 < revision < self.revision:
            self.check_revision(revision)
            found = self._records_at(key, range_end, revision)
            return list(islice(found, limit)) if limit else list(found)
        if revision > self.revision:
            raise FutureRevision
        current = self._current
        if not range_end:
            record = current.get(key)
            return [record] if record is not None else []
        keys = self._between(self._live, key, range_end)
        return [current[k] for k in (islice(keys, limit) if limit else keys)]

    def record_at(self, key: bytes, revision: int) -> Record | None:
        """The key's record at a revision that is kept, None if it did not exist."""
        record = self._current.get(key)
        if record is not None and record[MOD] <= revision:
            return record
        for older in reversed(self._past.get(key, ())):
            if older[MOD] <= revision:
                return older if older[VERSION] else None
        return None

    def changes(self, first: int, last: int) -> Sequence[tuple[Change, ...]]:
        """What each main revision from `first` to `last` changed. Raises Compacted when `first` is no longer kept."""
        if first < self.told_compact_revision:
            raise Compacted(compact_revision=self.told_compact_revision)
        return self.kept_changes(first, last)

    def kept_changes(self, first: int, last: int) -> Sequence[tuple[Change, ...]]:
        """As `changes`, but while the state is held it also reads what has been compacted since."""
        start = self._log_start
        return self._log[max(0, first - start) : max(0, last + 1 - start)]

    @staticmethod
    def _between(keys: SortedList, key: bytes, range_end: bytes) -> Iterator[bytes]:
        if range_end == FROM_KEY:
            found: Iterator[bytes] = keys.irange(key)
        elif range_end <= key:
            found = iter(())
        else:
            found = keys.irange(key, range_end, inclusive=(True, False))
        return found

    def _records_at(self, key: bytes, range_end: bytes, revision: int) -> Iterator[Record]:
        if not range_end:
            keys: Iterable[bytes] = (key,)
        else:
            keys = merge(self._between(self._live, key, range_end), self._between(self._past_keys, key, range_end))
        last: bytes | None = None
        for k in keys:
            if k != last:
                last = k
                record = self.record_at(k, revision)
                if record is not None:
                    yield record

    # ---- writes: between begin() and commit(), each key at most once ----

    def begin(self) -> Write:
        return Write(self)

    # ---- compaction ----

    def compact(self, revision: int) -> None:
        """Make `revision` the first that can be read. Raises Compacted or FutureRevision. `purge` frees the memory."""
        if revision <= self.compact_revision:
            raise Compacted(compact_revision=self.compact_revision)
        if revision > self.revision:
            raise FutureRevision
        self.compact_revision = revision

    @property
    def told_compact_revision(self) -> int:
        """The compact revision as etcd tells it: -1 while nothing was compacted."""
        return self.compact_revision or -1

    @property
    def purge_pending(self) -> bool:
        return self._log_start < self.compact_revision

    @property
    def held(self) -> bool:
        return self._holds > 0

    def hold(self) -> None:
        """Keep purge from freeing anything while someone walks the history in steps. Pair with `release`."""
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1

    def purge(self, limit: int) -> bool:
        """Free about `limit` records that compaction has made unreachable. True: nothing is left to free."""
        if self._holds:
            return not self.purge_pending
        done = 0
        revisions = 0
        last = min(self.compact_revision, self._log_start + len(self._log) - 1)
        position = self._log_start
        # The changes of the compacted revision itself stay for watches that start there; what they replaced goes.
        while position < last and done < limit:
            changes = self._log[position - self._log_start]
            for record, previous in changes:
                self._forget(record, previous)
            done += len(changes)
            position += 1
            revisions += 1
        if position == last and self.purge_pending:
            kept = self._log[position - self._log_start]
            for record, previous in kept:
                self._forget(record, previous)
            self._log[position - self._log_start] = tuple((record, None) for record, _ in kept)
        if revisions:
            del self._log[:revisions]
            self._log_start += revisions
        return not self.purge_pending

    def _forget(self, record: Record, previous: Record | None) -> None:
        key = record[0]
        gone = 0
        past = self._past.get(key)
        if past is None:
            return
        if previous is not None and past and past[0] is previous:
            gone = 1
            self.bytes_in_use -= size(previous)
        if not record[VERSION] and len(past) > gone and past[gone] is record:
            self.bytes_in_use -= size(record)
            gone += 1
        if gone == len(past):
            del self._past[key]
            self._past_keys.remove(key)
        elif gone:
            del past[:gone]

    # ---- the whole state in steps, for snapshots and hashes ----

    def base(self, revision: int, chunk: int) -> Iterator[list[Record]]:
        """Every record that lives at `revision`, in chunks by key. Hold the state while walking it."""
        start = b""
        while True:
            keys = list(islice(self._live.irange(start), chunk))
            keys += islice(self._past_keys.irange(start), chunk)
            keys = sorted(set(keys))[:chunk]
            if not keys:
                return
            found = (self.record_at(k, revision) for k in keys)
            yield [record for record in found if record is not None]
            start = keys[-1] + b"\0"

    def restore(
        self,
        revision: int,
        compact_revision: int,
        base: Iterable[Sequence[Record]],
        boundary: Iterable[Sequence[Record]],
        after: Iterable[Sequence[Record]],
    ) -> Iterator[None]:
        """Become what a snapshot describes, step by step; meanwhile there must be no reads and no writes. What was
        here before is freed first, so that there never are two. Raises ValueError, KeyError when the parts do not fit.

        `base`: the records living at the compacted revision, by key; `boundary`: the compacted revision's own changes,
        which only watches need; `after`: every later change, by revision. All in portions, one for each step.
        """
        yield from self._clear()
        current, live = self._current, self._live
        for portion in base:
            for record in portion:
                current[record[0]] = record
                live.add(record[0])
                self.bytes_in_use += size(record)
                if record[LEASE]:
                    self.lease_keys.setdefault(record[LEASE], set()).add(record[0])
            yield
        if compact_revision:
            self._log_start = compact_revision
            self._log.append(tuple((record, None) for portion in boundary for record in portion))
        self.compact_revision = compact_revision
        changes: list[Change] = []
        main = 0
        for portion in after:
            for record in portion:
                if record[MOD] != main and changes:
                    self._log.append(tuple(changes))
                    changes = []
                main = record[MOD]
                changes.append((record, self._replace(record)))
            yield
        if changes:
            self._log.append(tuple(changes))
        self.revision = revision
        if self._log_start + len(self._log) != revision + 1:
            raise ValueError(f"the changes end before revision {revision}")

    def _clear(self) -> Iterator[None]:
        current, past, log = self._current, self._past, self._log
        self.revision = FIRST_REVISION
        self.compact_revision = 0
        self.bytes_in_use = 0
        self.lease_keys = {}
        self._current, self._past, self._log = {}, {}, []
        self._live, self._past_keys = SortedList(), SortedList()
        self._log_start = FIRST_REVISION + 1
        while log:
            del log[-CLEAR_STEP:]
            yield
        for old in (past, current):
            while old:
                for _ in range(min(CLEAR_STEP, len(old))):
                    old.popitem()
                yield

    def _replace(self, record: Record) -> Record | None:
        """Put a finished record in the place of the key's present one, which is returned."""
        key = record[0]
        current = self._current
        previous = current.get(key)
        if previous is None:
            if record[VERSION]:
                self._live.add(key)
        else:
            past = self._past.get(key)
            if past is None:
                self._past[key] = [previous]
                self._past_keys.add(key)
            else:
                past.append(previous)
        if record[VERSION]:
            current[key] = record
        else:
            del current[key]
            self._live.remove(key)
            self._past[key].append(record)
        old_lease = previous[LEASE] if previous is not None else 0
        lease = record[LEASE]
        if lease != old_lease:
            if old_lease:
                attached = self.lease_keys[old_lease]
                attached.discard(key)
                if not attached:
                    del self.lease_keys[old_lease]
            if lease:
                self.lease_keys.setdefault(lease, set()).add(key)
        self.bytes_in_use += size(record)
        return previous


class Write:
    """One writing transaction: everything in it has the same main revision. Nothing can fail in it."""

    __slots__ = ("_changes", "_mvcc", "main")

    def __init__(self, mvcc: Mvcc) -> None:
        self._mvcc = mvcc
        self._changes: list[Change] = []
        self.main = mvcc.revision + 1

    @property
    def revision(self) -> int:
        """The store's revision as the transaction's own reads see it."""
        return self.main if self._changes else self._mvcc.revision

    def put(self, key: bytes, value: bytes, lease: int) -> Record | None:
        """Returns what was there."""
        mvcc, main = self._mvcc, self.main
        previous = mvcc._current.get(key)
        if previous is None:
            record: Record = (key, value, main, main, 1, lease, len(self._changes))
        else:
            record = (key, value, previous[2], main, previous[4] + 1, lease, len(self._changes))
        mvcc._replace(record)
        self._changes.append((record, previous))
        return previous

    def delete_range(self, key: bytes, range_end: bytes) -> list[Record]:
        """Returns what was deleted, by key."""
        gone = self._mvcc.records(key, range_end)
        for record in gone:
            grave = tombstone(record[0], self.main, len(self._changes))
            self._changes.append((grave, self._mvcc._replace(grave)))
        return gone

    def commit(self) -> int:
        """The store's revision afterwards; unchanged when nothing was written."""
        if self._changes:
            self._mvcc._log.append(tuple(self._changes))
            self._mvcc.revision = self.main
        return self._mvcc.revision
