"""The work queue's promises, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from kubeactors.client.rate_limit import ControllerRateLimiter, ItemExponential, TokenBucket
from kubeactors.client.work_queue import QueueShutDown, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_added_twice_is_handled_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("b")
    queue.add("a")
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_added_while_it_is_handled_comes_back_once_and_only_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done("a")
    assert await waiting == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_each_waiting_worker_gets_one_key() -> None:
    queue: WorkQueue[int] = WorkQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        queue.add(number)
    assert sorted(await asyncio.gather(*workers)) == [0, 1, 2]


async def test_a_cancelled_worker_loses_no_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")  # wakes the first
    first.cancel()
    assert await asyncio.wait_for(second, 30) == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.looptime
async def test_delays_are_kept_and_the_shortest_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    now = asyncio.get_running_loop().time
    start = now()
    queue.add_after("late", 100)
    queue.add_after("soon", 5)
    queue.add_after("late", 10)
    queue.add_after("late", 50)
    queue.add_after("now", 0)
    assert queue.delayed == 2
    seen = []
    for _ in range(3):
        key = await queue.get()
        seen.append((key, round(now() - start, 3)))
        queue.done(key)
    assert seen == [("now", 0), ("soon", 5), ("late", 10)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 200)
    assert queue.delayed == 0


@pytest.mark.looptime
async def test_rate_limited_retries_grow_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue()
    now = asyncio.get_running_loop().time
    delays = []
    for _ in range(5):
        before = now()
        queue.add_rate_limited("a")
        key = await queue.get()
        delays.append(round(now() - before, 4))
        queue.done(key)
    assert delays == [0.005, 0.01, 0.02, 0.04, 0.08]
    assert queue.num_requeues("a") == 5
    queue.forget("a")
    assert queue.num_requeues("a") == 0


@pytest.mark.looptime
async def test_an_injected_clock_decides_when_a_key_is_due() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    queue.add_after("a", 10)
    await asyncio.sleep(10)
    assert len(queue) == 0  # the loop's timer fired, but the clock stands
    clock.now += 10
    await asyncio.sleep(10)
    assert len(queue) == 1


async def test_shut_down_hands_out_the_rest_and_then_ends_every_worker() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add_after("b", 0.01)
    queue.shut_down()
    queue.add("c")
    assert await queue.get() == "a"
    with pytest.raises(QueueShutDown):
        await queue.get()
    other: WorkQueue[str] = WorkQueue()
    workers = [asyncio.create_task(other.get()) for _ in range(3)]
    await asyncio.sleep(0)
    other.shut_down()
    for result in await asyncio.gather(*workers, return_exceptions=True):
        assert isinstance(result, QueueShutDown)


def test_exponential_delay_has_a_cap() -> None:
    limiter: ItemExponential[str] = ItemExponential()
    delays = [limiter.when("a") for _ in range(200)]
    assert delays[:3] == [0.005, 0.01, 0.02]
    assert delays[17] == pytest.approx(655.36)
    assert delays[18] == delays[199] == 1000.0
    assert limiter.when("b") == 0.005


def test_token_bucket_lends_and_refills() -> None:
    clock = Clock()
    bucket = TokenBucket(10.0, 2, clock)
    assert [bucket.reserve() for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
    clock.now += 100
    assert bucket.reserve() == 0
    assert bucket.try_take()
    assert not bucket.try_take()


def test_the_overall_bucket_slows_many_keys() -> None:
    limiter: ControllerRateLimiter[int] = ControllerRateLimiter(Clock())
    delays = [limiter.when(number) for number in range(102)]
    assert delays[0] == delays[99] == 0.005
    assert delays[100:] == pytest.approx([0.1, 0.2])
