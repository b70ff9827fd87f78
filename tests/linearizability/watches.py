"""Watch histories: ordered, complete, without duplicates, resumable; and what they say about every answer of a run.

One watcher's record, put together from all its connections, is compared with what must hold of it (`check_watch`). A
record from the first revision on is a log of the whole run: the second, independent proof of linearizability
(`check_log`), across keys, because etcd's answers carry the revision that each operation took place at.
"""

from __future__ import annotations

import asyncio
import bisect
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kubeactors.store.client import Event, StoreClient, TlsFiles, Watch
from tests.linearizability.history import Kind, Operation, Outcome, Unseen


class Change(NamedTuple):
    """One event. `value` None: deleted."""

    revision: int
    key: str
    value: str | None
    version: int = 0
    create_revision: int = 0
    previous: str | Unseen | None = Unseen()


@dataclass(slots=True)
class WatchRecord:
    """What one watcher was told: changes from `first` on, up to and including `last`; `resumed` counts connections."""

    name: str
    first: int
    changes: list[Change] = field(default_factory=list)
    last: int = 0
    resumed: int = 0


class WatchViolation(AssertionError):
    pass


def check_watch(record: WatchRecord, *, every_revision: bool = True) -> None:
    """Order, no duplicates, no gaps, and that each event fits those before it. Raises WatchViolation.

    `every_revision`: each revision is one change of one watched key (nobody else writes), so none may be missing.
    """
    versions: dict[str, tuple[int, int, str | None]] = {}  # version, created at, value; known from the first change on
    whole = record.first <= 2  # etcd's first write has revision 2
    before = record.first - 1
    for change in record.changes:
        where = f"watch {record.name}: {change} after revision {before}"
        if change.revision <= before:
            raise WatchViolation(f"{where}: out of order or a duplicate")
        if every_revision and change.revision != max(before + 1, 2):
            raise WatchViolation(f"{where}: revisions between are missing")
        before = change.revision
        known = versions.get(change.key, (0, 0, None) if whole else None)
        if change.value is None:
            if known is not None and known[0] == 0:
                raise WatchViolation(f"{where}: deletes what is not there")
        elif change.version == 1:
            if known is not None and known[0]:
                raise WatchViolation(f"{where}: creates what is there, version {known[0]}")
            if change.create_revision != change.revision:
                raise WatchViolation(f"{where}: created at {change.create_revision}")
        elif known is not None and (change.version, change.create_revision) != (known[0] + 1, known[1]):
            raise WatchViolation(f"{where}: version and creation do not follow {known[:2]}")
        if known is not None and not isinstance(change.previous, Unseen) and change.previous != known[2]:
            raise WatchViolation(f"{where}: says that {change.previous} was there before, but it was {known[2]}")
        gone = change.value is None
        versions[change.key] = (0, 0, None) if gone else (change.version, change.create_revision, change.value)
    if every_revision and record.last > max(before, 1):
        raise WatchViolation(f"watch {record.name}: told nothing of {before + 1}..{record.last}")


def check_agreement(records: Sequence[WatchRecord]) -> None:
    """All watchers were told the same, where they watched the same. Raises WatchViolation."""
    told: dict[int, tuple[str, Change]] = {}
    for record in records:
        for change in record.changes:
            who, other = told.setdefault(change.revision, (record.name, change))
            if other[:5] != change[:5]:
                raise WatchViolation(f"watch {who} was told {other}, watch {record.name} {change}")


def check_log(operations: Iterable[Operation], log: Sequence[Change]) -> None:
    """Every answer fits the log of all changes, and revisions never go back in time. Raises WatchViolation.

    `log` starts at the run's first change and goes beyond the last answer.
    """
    ops = list(operations)
    at = {change.revision: change for change in log}
    revisions: dict[str, list[int]] = {}
    for change in log:
        revisions.setdefault(change.key, []).append(change.revision)

    def value_at(key: str, revision: int) -> tuple[str | None, int]:
        """The value, and when it was written (0: not there)."""
        of_key = revisions.get(key, [])
        place = bisect.bisect_right(of_key, revision)
        if not place or at[of_key[place - 1]].value is None:
            return None, 0
        return at[of_key[place - 1]].value, of_key[place - 1]

    writers: dict[str, Operation] = {}
    for op in ops:
        if op.value is not None:
            if op.value in writers:
                raise ValueError(f"value {op.value} is written twice in this history")
            writers[op.value] = op
    written: set[str] = set()
    deletions = 0
    for change in log:
        if change.value is None:
            deletions += 1
            continue
        writer = writers.get(change.value)
        if writer is None or writer.key != change.key:
            raise WatchViolation(f"{change}: nobody wrote this")
        if change.value in written:
            raise WatchViolation(f"{change}: applied a second time: {writer}")
        written.add(change.value)
        if writer.outcome is Outcome.FAILED:
            raise WatchViolation(f"{change}: was refused, and yet applied: {writer}")
        if writer.outcome is Outcome.OK and writer.wrote and writer.revision != change.revision:
            raise WatchViolation(f"{change}: was answered with another revision: {writer}")
        if writer.outcome is Outcome.OK and not writer.wrote:
            raise WatchViolation(f"{change}: a swap that was refused wrote: {writer}")
        if writer.kind is Kind.CAS and value_at(change.key, change.revision - 1)[0] != writer.expected:
            raise WatchViolation(f"{change}: swapped another value than it asked for: {writer}")
    wanted = sum(1 for op in ops if op.kind is Kind.DELETE and op.outcome is not Outcome.FAILED)
    if deletions > wanted:
        raise WatchViolation(f"{deletions} deletions, but only {wanted} were asked for")
    for op in ops:
        if op.outcome is not Outcome.OK:
            continue
        if op.wrote:
            change_there = at.get(op.revision)
            if change_there is None or change_there.key != op.key or change_there.value != op.value:
                raise WatchViolation(f"acknowledged, but the log has {change_there} there: {op}")
        if isinstance(op.observed, Unseen):
            continue
        value, mod_revision = value_at(op.key, op.revision - 1 if op.wrote else op.revision)
        if value != op.observed:
            raise WatchViolation(f"the log has {value} at revision {op.revision}: {op}")
        if op.mod_revision and op.mod_revision != mod_revision:
            raise WatchViolation(f"the log has modification revision {mod_revision}, not {op.mod_revision}: {op}")
    _check_time(ops)


def _check_time(ops: Sequence[Operation]) -> None:
    """What was answered before another call began has no later revision than it; a write has a later one."""
    answered = [op for op in ops if op.outcome is Outcome.OK and op.revision and op.returned is not None]
    by_return = sorted(answered, key=lambda op: op.returned or 0)
    newest: Operation | None = None
    place = 0
    for op in sorted(answered, key=lambda op: op.call):
        while place < len(by_return) and (by_return[place].returned or 0) < op.call:
            if newest is None or by_return[place].revision > newest.revision:
                newest = by_return[place]
            place += 1
        if newest is not None and (op.revision < newest.revision or (op.wrote and op.revision == newest.revision)):
            raise WatchViolation(f"went back in time:\n  {newest}\n  was answered before\n  {op}\n  was called")


class Watcher:
    """Watches a prefix from `first` on through `endpoints` in turn, and goes over to the next one now and then.

    Going over is done anew from what was seen (`Watch.next_revision`), as an API server that was restarted would;
    reconnects within one watch are the client's own.
    """

    def __init__(
        self,
        name: str,
        endpoints: Callable[[], Sequence[str]],
        prefix: str,
        *,
        tls: TlsFiles | None = None,
        first: int = 1,
        change_after: tuple[float, float] | None = (0.5, 3.0),
        prev_kv: bool = False,
        seed: int = 0,
    ) -> None:
        self.record = WatchRecord(name, first)
        self._endpoints = endpoints
        self._prefix = prefix.encode()
        self._tls = tls
        self._change_after = change_after
        self._prev_kv = prev_kv
        self._chance = random.Random(f"{seed}/{name}")
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"watch-{self.record.name}")

    async def finish(self, revision: int, patience: float = 30.0) -> None:
        """Returns once everything up to `revision` was told. Raises WatchViolation after `patience` seconds."""
        assert self._task is not None
        try:
            async with asyncio.timeout(patience), self._moved:
                while self.record.last < revision and not self._task.done():
                    await self._moved.wait()
        except TimeoutError:
            raise WatchViolation(
                f"watch {self.record.name}: stands at revision {self.record.last}, {revision} is not told"
            ) from None
        finally:
            self._task.cancel()
            done = (await asyncio.gather(self._task, return_exceptions=True))[0]
        if isinstance(done, Exception):
            raise done

    async def _run(self) -> None:
        turn = self._chance.randrange(100)
        following = self.record.first
        try:
            while True:
                turn += 1
                # Others follow the chosen one, for when it is down: the client goes over to them by itself.
                endpoints = list(self._endpoints())
                at = turn % len(endpoints)
                client = StoreClient(endpoints[at:] + endpoints[:at], self._tls)
                try:
                    watch = client.watch(self._prefix, following, prev_kv=self._prev_kv)
                    await self._follow(watch)
                    following = watch.next_revision
                    self.record.resumed += 1
                finally:
                    await client.close()
        finally:
            async with self._moved:
                self._moved.notify_all()

    async def _follow(self, watch: Watch) -> None:
        seconds = self._chance.uniform(*self._change_after) if self._change_after else None
        try:
            async with asyncio.timeout(seconds):
                async for batch in watch:
                    self.record.changes += [change_of(event) for event in batch.events]
                    async with self._moved:
                        self.record.last = max(self.record.last, batch.revision)
                        self._moved.notify_all()
        except TimeoutError:
            pass
        finally:
            await watch.close()


def change_of(event: Event) -> Change:
    kv = event.kv
    return Change(
        kv.mod_revision,
        kv.key.decode(),
        None if event.deleted else kv.value.decode(),
        kv.version,
        kv.create_revision,
        event.prev_kv.value.decode() if event.prev_kv is not None else Unseen(),
    )
