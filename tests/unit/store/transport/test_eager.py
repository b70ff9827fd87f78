"""A coroutine whose first step runs in the caller's turn behaves as a task otherwise."""

from __future__ import annotations

import asyncio

import pytest

from kubeactors.store.transport.eager import start_now


async def test_what_needs_no_wait_is_done_at_once() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    assert start_now(work(), "test") is None
    assert done == [1]


async def test_the_first_step_is_taken_now_and_the_rest_when_it_can() -> None:
    steps: list[str] = []
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        steps.append("first")
        steps.append(await future)
        await asyncio.sleep(0)
        steps.append("last")

    task = start_now(work(), "test")
    assert steps == ["first"]
    assert task is not None
    future.set_result("second")
    await task
    assert steps == ["first", "second", "last"]


async def test_errors_and_cancellation_reach_it() -> None:
    seen: list[str] = []

    async def work(future: asyncio.Future[None]) -> None:
        try:
            await future
        except ValueError:
            seen.append("error")
            raise
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("left")

    loop = asyncio.get_running_loop()
    failing: asyncio.Future[None] = loop.create_future()
    task = start_now(work(failing), "test")
    assert task is not None
    failing.set_exception(ValueError())
    with pytest.raises(ValueError):
        await task
    task = start_now(work(loop.create_future()), "test")
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    at_once = start_now(work(loop.create_future()), "test")
    assert at_once is not None
    at_once.cancel()
    with pytest.raises(asyncio.CancelledError):
        await at_once
    await asyncio.sleep(0)
    assert seen == ["error", "left", "cancelled", "left", "left"]


async def test_an_error_of_the_first_step_is_the_callers() -> None:
    async def work() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        start_now(work(), "test")
