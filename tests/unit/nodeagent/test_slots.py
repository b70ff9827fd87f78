"""Bounded parallelism with priorities."""

import asyncio

from nodeagent.slots import Slots


async def test_no_more_than_the_count_and_the_urgent_first() -> None:
    slots, order, running, most = Slots(1), [], 0, 0

    async def work(name: str, priority: int) -> None:
        nonlocal running, most
        async with slots.hold(priority):
            running += 1
            most = max(most, running)
            order.append(name)
            await asyncio.sleep(0)
            running -= 1

    names = [("first", 1), ("late-1", 1), ("urgent", 0), ("late-2", 1)]
    await asyncio.gather(*(work(name, priority) for name, priority in names))
    assert order == ["first", "urgent", "late-1", "late-2"]
    assert most == 1


async def test_a_turn_of_one_who_gave_up_is_passed_on() -> None:
    slots = Slots(1)

    async def hold(seconds: float) -> None:
        async with slots.hold():
            await asyncio.sleep(seconds)

    holder = asyncio.create_task(hold(0))
    await asyncio.sleep(0)
    waiters = [asyncio.create_task(hold(10)) for _ in range(2)]
    last = asyncio.create_task(hold(0))
    await asyncio.sleep(0)
    waiters[0].cancel()
    await holder
    waiters[1].cancel()  # its turn has come in this very moment
    await asyncio.wait_for(last, 30)
    await asyncio.wait_for(hold(0), 30)
