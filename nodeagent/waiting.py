"""Waiting for an event with a deadline, without losing a cancellation."""

import asyncio


async def wait_event(event: asyncio.Event, timeout: float | None) -> bool:
    """Whether the event was set within `timeout` seconds (None: wait for ever).

    Not asyncio.wait_for: before Python 3.12 it swallows a cancellation that comes as the event is set, and a loop
    around it would never end.
    """
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    return True
