"""Automatic compaction: what is kept, when, and that only a leader does it."""

from __future__ import annotations

import asyncio

import pytest

from kubeactors.store.compactor import HOUR, REVISION_INTERVAL, Compactor, Retention, parse_retention
from kubeactors.store.errors import Compacted, StoreUnavailable


@pytest.mark.parametrize(
    ("mode", "text", "retention"),
    [
        ("periodic", "0", Retention()),
        ("periodic", "1", Retention(seconds=HOUR)),
        ("periodic", "72", Retention(seconds=72 * HOUR)),
        ("periodic", "5m", Retention(seconds=300)),
        ("periodic", "1h30m", Retention(seconds=1.5 * HOUR)),
        ("periodic", "10s500ms", Retention(seconds=10.5)),
        ("periodic", "500ms", Retention(seconds=0.5)),
        ("revision", "0", Retention()),
        ("revision", "1000", Retention(revisions=1000)),
    ],
)
def test_retentions(mode: str, text: str, retention: Retention) -> None:
    assert parse_retention(mode, text) == retention


@pytest.mark.parametrize(("mode", "text"), [("periodic", ""), ("periodic", "x"), ("revision", "5m"), ("daily", "1")])
def test_retentions_that_are_none(mode: str, text: str) -> None:
    with pytest.raises(ValueError, match="--auto-compaction"):
        parse_retention(mode, text)


class Store:
    """A store that makes `rate` revisions a second, and the time in it."""

    def __init__(self, retention: Retention, rate: float = 1.0) -> None:
        self.time = 0.0
        self.leading = True
        self.failure: Exception | None = None
        self.compacted: list[tuple[float, int]] = []
        self._until = 0.0
        self._rate = rate
        self._compactor = Compactor(retention, self._revision, lambda: self.leading, self._compact, self._sleep)

    def _revision(self) -> int:
        return 1 + int(self.time * self._rate)

    async def _compact(self, revision: int) -> None:
        if self.failure is not None:
            raise self.failure
        self.compacted.append((self.time, revision))

    async def _sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.time > self._until:
            raise asyncio.CancelledError

    async def run(self, seconds: float) -> list[tuple[float, int]]:
        self._until = seconds
        with pytest.raises(asyncio.CancelledError):
            await self._compactor.run()
        return self.compacted


async def test_a_short_history_is_cut_once_a_period() -> None:
    compacted = await Store(Retention(seconds=100)).run(501)
    assert [round(time) for time, _ in compacted] == [100, 200, 300, 400, 500]
    assert all(abs((time - 100) - revision) <= 1.01 for time, revision in compacted)


async def test_a_long_history_is_cut_every_hour() -> None:
    compacted = await Store(Retention(seconds=3 * HOUR)).run(6 * HOUR + 1)
    assert [round(time / HOUR) for time, _ in compacted] == [3, 4, 5, 6]
    assert all(abs((time - 3 * HOUR) - revision) <= 1.01 for time, revision in compacted)


async def test_a_number_of_revisions_is_kept() -> None:
    compacted = await Store(Retention(revisions=1000)).run(4 * REVISION_INTERVAL)
    assert compacted == [(1200.0, 201)]  # nothing before there are as many


async def test_nothing_is_done_twice() -> None:
    assert await Store(Retention(seconds=100), rate=0).run(1000) == [(100.0, 1)]


async def test_only_a_leader_compacts_and_a_new_one_knows_the_history() -> None:
    store = Store(Retention(seconds=100))
    store.leading = False
    original = store._sleep

    async def sleep(seconds: float) -> None:
        await original(seconds)
        if store.time >= 250:
            store.leading = True

    store._compactor._sleep = sleep
    compacted = await store.run(301)
    assert compacted[0][0] <= 260 and abs(compacted[0][0] - 100 - compacted[0][1]) <= 1.01


@pytest.mark.parametrize(
    ("failure", "again"), [(StoreUnavailable("x", outcome_unknown=True), True), (Compacted(), False)]
)
async def test_what_failed_is_tried_again_soon(failure: Exception, again: bool) -> None:
    store = Store(Retention(seconds=100))
    store.failure = failure
    original = store._sleep

    async def sleep(seconds: float) -> None:
        await original(seconds)
        if store.time >= 125:
            store.failure = None

    store._compactor._sleep = sleep
    compacted = await store.run(199)
    assert [round(time) for time, _ in compacted] == ([130] if again else [])


async def test_nothing_to_do_without_a_retention() -> None:
    await asyncio.wait_for(Compactor(Retention(), lambda: 1, lambda: True, lambda _: asyncio.sleep(0)).run(), 30)
