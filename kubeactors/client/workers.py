"""Runs a reconcile function over a work queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from kubeactors.api.errors import StatusError
from kubeactors.client.work_queue import QueueShutDown, WorkQueue

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
Reconcile = Callable[[K], Awaitable[float | None]]


async def run_workers(queue: WorkQueue[K], reconcile: Reconcile[K], *, workers: int = 1) -> None:
    """Handles keys until the queue is shut down or this is cancelled.

    `reconcile(key)` returns None when all is well, or the seconds after which to look again. When it raises, the cause
    is logged and the key comes back after the queue's growing delay.
    """
    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(_worker(queue, reconcile), name=f"{queue.name or 'queue'} worker {number}")


async def _worker(queue: WorkQueue[K], reconcile: Reconcile[K]) -> None:
    while True:
        try:
            key = await queue.get()
        except QueueShutDown:
            return
        try:
            again = await reconcile(key)
        except StatusError as error:
            # The API server's refusals are everyday (conflicts, throttling): no traceback.
            queue.add_rate_limited(key)
            tries = queue.num_requeues(key)
            level = logging.DEBUG if error.reason == "Conflict" else logging.WARNING
            logger.log(level, "%s: cannot reconcile %s (try %d): %s", queue.name, key, tries, error)
        except Exception:
            queue.add_rate_limited(key)
            logger.exception("%s: cannot reconcile %s (try %d)", queue.name, key, queue.num_requeues(key))
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
