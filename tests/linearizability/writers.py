"""Load for the trials: many writers at once, and a ledger of what was acknowledged, held against the store's own log.

The writers share a few clients that know every member, as API servers do. Every value is written once; a writer does
not repeat a write whose outcome it does not know.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from kubeactors.store.client import StoreClient, StoreError, TlsFiles

PREFIX = "t/"


class Ack(NamedTuple):
    """One acknowledged write; `at` and `called` on time.monotonic's clock."""

    at: float
    called: float
    writer: int
    revision: int


@dataclass(slots=True)
class Ledger:
    """What was answered. `check` holds it against what the store says to have happened; `verified`: up to where."""

    acks: list[Ack] = field(default_factory=list)
    acknowledged: dict[int, tuple[str, str]] = field(default_factory=dict)  # revision: key, value
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    verified: int = 1  # nothing is written before revision 2
    _found: set[str] = field(default_factory=set)

    def check(self, log: Iterable[tuple[int, str, str]], first: int, last: int) -> None:
        """`log`: every change of revisions first to last, as (revision, key, value). Raises AssertionError."""
        found: dict[int, tuple[str, str]] = {}
        values: set[str] = set()
        for revision, key, value in log:
            assert value not in values, f"{value} was applied twice, the second time at revision {revision}"
            assert value not in self.refused, f"{value} was refused, and yet applied at revision {revision}"
            values.add(value)
            found[revision] = key, value
        for revision, write in self.acknowledged.items():
            if first <= revision:
                assert found.get(revision) == write, f"acknowledged {write} at {revision}, found {found.get(revision)}"
        for revision, write in found.items():
            known = self.acknowledged.get(revision) == write or write[1] in self.unknown
            assert known, f"nobody wrote {write}, found at revision {revision}"
        self._found = values
        missing = set(range(first, last + 1)) - set(found)
        assert not missing, f"{len(missing)} revisions of {first} to {last} are missing from the log: {min(missing)}…"

    def settle(self, last: int) -> None:
        """What was checked up to revision `last` is done with: none of it may come again."""
        self.unknown -= self._found
        self.acknowledged = {revision: write for revision, write in self.acknowledged.items() if revision > last}
        self.verified = last

    def rate(self, begin: float, end: float) -> float:
        """Acknowledged writes a second between two moments."""
        acks = bisect_left(self.acks, (end,)) - bisect_left(self.acks, (begin,))
        return acks / (end - begin)

    def longest_gap(self, begin: float, end: float) -> float:
        """The longest time without an acknowledged write."""
        times = [ack.at for ack in self.acks if begin <= ack.at <= end]
        return max(b - a for a, b in itertools.pairwise([begin, *times, end]))

    def first_after(self, moment: float) -> float | None:
        """How long after `moment` the first write that was called then or later was acknowledged."""
        return next((ack.at - moment for ack in self._after(moment)), None)

    def all_after(self, moment: float, writers: int) -> float | None:
        """How long after `moment` each writer had a write that was called then or later acknowledged."""
        back: set[int] = set()
        for ack in self._after(moment):
            back.add(ack.writer)
            if len(back) == writers:
                return ack.at - moment
        return None

    def _after(self, moment: float) -> Iterable[Ack]:
        place = bisect_left(self.acks, (moment,))
        return (ack for ack in itertools.islice(self.acks, place, None) if ack.called >= moment)


class Writers:
    """`count` writers over `endpoints`, each to a few keys of its own. Use as an async context manager."""

    def __init__(
        self,
        endpoints: Sequence[str],
        tls: TlsFiles | None,
        count: int = 64,
        *,
        clients: int = 3,
        value_bytes: int = 512,
        timeout: float = 10.0,
    ) -> None:
        turned = [list(endpoints[n % len(endpoints) :]) + list(endpoints[: n % len(endpoints)]) for n in range(clients)]
        self.clients = [StoreClient(order, tls, timeout=timeout) for order in turned]
        self.count = count
        self.ledger = Ledger()
        self.errors: dict[str, int] = {}
        self._padding = b" " + b"x" * value_bytes
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._acked = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._writing = 0
        self._quiet = asyncio.Condition()
        self.unknown = 0

    async def __aenter__(self) -> Writers:
        self._tasks = [asyncio.create_task(self._write(n), name=f"writer-{n}") for n in range(self.count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            for client in self.clients:
                await client.close()

    async def stop(self) -> None:
        """Returns when every write was answered or given up."""
        self._stop.set()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No write is under way."""
        self._may_write.clear()
        try:
            async with self._quiet:
                await self._quiet.wait_for(lambda: not self._writing)
            yield
        finally:
            self._may_write.set()

    async def until_acknowledged(self, writes: int, patience: float) -> None:
        """Until that many more writes are acknowledged. Raises TimeoutError."""
        wanted = len(self.ledger.acks) + writes
        async with asyncio.timeout(patience):
            while len(self.ledger.acks) < wanted:
                self._acked.clear()
                await self._acked.wait()

    async def until_all_write(self, since: float, patience: float) -> None:
        """Until each writer has had a write acknowledged that it called after `since`. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while self.ledger.all_after(since, self.count) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _write(self, writer: int) -> None:
        client = self.clients[writer % len(self.clients)]
        for number in itertools.count():
            await self._may_write.wait()
            if self._stop.is_set():
                return
            self._writing += 1
            try:
                written = await self._one(client, writer, f"{PREFIX}{writer}/{number % 20}", f"{writer}.{number}")
            finally:
                self._writing -= 1
            if not self._writing:
                async with self._quiet:
                    self._quiet.notify_all()
            if not written:
                await asyncio.sleep(0.01)

    async def _one(self, client: StoreClient, writer: int, key: str, value: str) -> bool:
        ledger = self.ledger
        called = time.monotonic()
        try:
            answer = await client.put(key.encode(), value.encode() + self._padding)
        except StoreError as error:
            (ledger.unknown if error.outcome_unknown else ledger.refused).add(value)
            self.unknown += error.outcome_unknown
            kind = ("unknown: " if error.outcome_unknown else "refused: ") + str(error).partition("(")[0]
            self.errors[kind] = self.errors.get(kind, 0) + 1
            return False
        ledger.acks.append(Ack(time.monotonic(), called, writer, answer.revision))
        ledger.acknowledged[answer.revision] = key, value
        self._acked.set()
        return True


async def read_log(endpoint: str, tls: TlsFiles | None, first: int, last: int) -> list[tuple[int, str, str]]:
    """Every change of the writers' keys from revision `first` to `last`, as one member tells it to a new watch."""
    client = StoreClient([endpoint], tls)
    log: list[tuple[int, str, str]] = []
    try:
        async with asyncio.timeout(120), client.watch(PREFIX.encode(), first) as watch:
            while not log or log[-1][0] < last:
                batch = await anext(watch)
                for event in batch.events:
                    kv = event.kv
                    log.append((kv.mod_revision, kv.key.decode(), kv.value.partition(b" ")[0].decode()))
                if not batch.events and batch.revision >= last:
                    break
    finally:
        await client.close()
    return [entry for entry in log if entry[0] <= last]
