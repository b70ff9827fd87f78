"""run_workers: retries, requeues, concurrency, shutdown."""

from __future__ import annotations

import asyncio
import itertools
import logging

import pytest

from kubeactors.api import errors
from kubeactors.client import WorkQueue, run_workers
from tests.support.eventually import eventually


@pytest.mark.looptime
async def test_failures_come_back_with_growing_delay_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    queue: WorkQueue[str] = WorkQueue("deployments")
    times: list[float] = []

    async def reconcile(key: str) -> None:
        times.append(round(asyncio.get_running_loop().time(), 4))
        if len(times) < 4:
            raise errors.conflict("pods", key) if len(times) == 1 else RuntimeError("boom")
        queue.shut_down()

    queue.add("a/b")
    start = round(asyncio.get_running_loop().time(), 4)
    with caplog.at_level(logging.DEBUG):
        await run_workers(queue, reconcile)
    assert [round(t - start, 4) for t in times] == [0, 0.005, 0.015, 0.035]
    assert queue.num_requeues("a/b") == 0
    messages = [record.getMessage() for record in caplog.records if record.name == "kubeactors.client.workers"]
    assert messages[0].startswith("deployments: cannot reconcile a/b (try 1): Operation cannot be fulfilled")
    assert messages[1:] == ["deployments: cannot reconcile a/b (try 2)", "deployments: cannot reconcile a/b (try 3)"]


@pytest.mark.looptime
async def test_a_returned_delay_brings_the_key_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    times: list[float] = []

    async def reconcile(key: str) -> float | None:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 3:
            queue.shut_down()
        return 30.0

    queue.add("a")
    await run_workers(queue, reconcile, workers=2)
    assert [round(later - earlier) for earlier, later in itertools.pairwise(times)] == [30, 30]


async def test_workers_run_side_by_side_but_never_on_one_key() -> None:
    queue: WorkQueue[int] = WorkQueue()
    active: set[int] = set()
    most = 0

    async def reconcile(key: int) -> None:
        nonlocal most
        assert key not in active
        active.add(key)
        most = max(most, len(active))
        queue.add(key) if key == 0 and not queue.is_shut_down and len(queue) else None
        await asyncio.sleep(0.001)
        active.discard(key)

    for number in range(20):
        queue.add(number)
    running = asyncio.create_task(run_workers(queue, reconcile, workers=4))
    await eventually(lambda: not len(queue) and not active)
    queue.shut_down()
    await running
    assert most == 4


async def test_cancelling_the_workers_cancels_the_handling() -> None:
    queue: WorkQueue[str] = WorkQueue()
    cancelled = asyncio.Event()

    async def reconcile(key: str) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    queue.add("a")
    running = asyncio.create_task(run_workers(queue, reconcile))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cancelled.is_set()
