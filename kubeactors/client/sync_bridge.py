"""From threads to the loop on which an AsyncClient lives: single calls, and async generators as iterators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from kubeactors.client.async_client import AsyncClient

T = TypeVar("T")

READ_AHEAD = 16
"""Items of a watch or log that wait for the reader."""


def result_of(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on the client's thread and waits. An interrupt (Ctrl-C) cancels it."""
    if loop.is_closed():
        work.close()
        raise RuntimeError("the client is closed")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class SyncBridge:
    """Base of `Client` and its parts."""

    _async: AsyncClient
    _loop: asyncio.AbstractEventLoop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return result_of(self._loop, work)


class SyncIterator(Generic[T]):
    """An iterator over an async generator that runs on the client's thread, in one task from beginning to end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, source: AsyncGenerator[T, None]) -> None:
        self._loop = loop
        self._stream: _Stream[T] | None = _Stream(source)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._stream is None:
            raise StopIteration
        try:
            found = result_of(self._loop, self._stream.next())
        except BaseException:
            self._stream = None
            raise
        if found is None:
            self._stream = None
            raise StopIteration
        return found[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and not self._loop.is_closed():
            # `for` that was left early: end the stream; nobody is left to wait for it.
            asyncio.run_coroutine_threadsafe(stream.close(), self._loop)

    def close(self) -> None:
        """Ends the stream."""
        stream, self._stream = self._stream, None
        if stream is not None and not self._loop.is_closed():
            result_of(self._loop, stream.close())


class _Stream(Generic[T]):
    """Lives on the client's thread. Reads a few items ahead."""

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._items: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(READ_AHEAD)
        self._task: asyncio.Task[None] | None = None

    async def next(self) -> tuple[T] | None:
        """An item, or None at the end. Raises what the generator raised."""
        if self._task is None:
            self._task = asyncio.create_task(self._pump())
        found = await self._items.get()
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._source.aclose()

    async def _pump(self) -> None:
        end: Exception | None = None
        try:
            async with aclosing(self._source):
                async for item in self._source:
                    await self._items.put((item,))
        except Exception as error:  # noqa: BLE001 - it is raised where the item was asked for
            end = error
        await self._items.put(end)
