"""Starting a coroutine in this turn of the loop, where a task would start it in the next (asyncio has it from 3.12)."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any


def start_now(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
    """Runs it up to its first wait; the rest is the task returned. None: it is done.

    Its first step must not ask for the current task. Raises what that step raises. Cancelled in the very turn in which
    it was started, the coroutine is closed (GeneratorExit).
    """
    try:
        waited = coroutine.send(None)
    except StopIteration:
        return None
    task = asyncio.get_running_loop().create_task(_rest(coroutine, waited), name=name)
    task.add_done_callback(lambda _: coroutine.close())
    return task


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, None], waited: Any) -> Generator[Any, Any, None]:
    while True:
        failed: BaseException | None = None
        sent = None
        try:
            sent = yield waited
        except BaseException as error:  # noqa: BLE001  # handed on: it is the coroutine's to handle
            failed = error
        try:
            waited = coroutine.send(sent) if failed is None else coroutine.throw(failed)
        except StopIteration:
            return


async def _rest(coroutine: Coroutine[Any, Any, None], waited: Any) -> None:
    await _resume(coroutine, waited)
