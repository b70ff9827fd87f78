"""The one thread that writes and syncs the log, and its face towards the event loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence

from kubeactors.store.wal.log import Log


class LogFailed(Exception):
    """The log could not be written or synced. Nothing may be acknowledged any more; the member must stop."""


Reported = Callable[[LogFailed | None], None]
"""Called on the loop when a job is done, with what has gone wrong."""


class LogWriter:
    """Jobs are done one after the other, each reported to the loop. After the first failure every job fails."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], Reported] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: LogFailed | None = None

    def start(self) -> None:
        """On the loop that the jobs are to be reported to."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="store-log-sync", daemon=True)
        self._thread.start()

    def append(self, records: Sequence[bytes], next_index: int, done: Reported) -> None:
        """`done` is called when the records are on the disk, or surely will not be trusted to be."""
        self._jobs.put((lambda: self._log.append(records, next_index), done))

    def append_mark(self, record: bytes) -> asyncio.Future[None]:
        """A record that belongs to no entry; done when it is on the disk. Fails with LogFailed."""
        return self._submit(lambda: self._log.append((record,), None))

    def trim(self, index: int) -> asyncio.Future[None]:
        return self._submit(lambda: self._log.trim(index))

    @property
    def size(self) -> int:
        return self._log.size

    async def stop(self) -> None:
        """What was submitted is finished first."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._log.close()

    def _submit(self, job: Callable[[], None]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(failure: LogFailed | None) -> None:
            if not future.done():
                if failure is None:
                    future.set_result(None)
                else:
                    future.set_exception(failure)

        self._jobs.put((job, done))
        return future

    def _work(self) -> None:
        loop = self._loop
        assert loop is not None
        while (item := self._jobs.get()) is not None:
            job, done = item
            if self._failure is None:
                try:
                    job()
                except Exception as error:  # noqa: BLE001 - reported to the loop, which stops the member
                    self._failure = LogFailed(f"the log cannot be written: {error}")
            loop.call_soon_threadsafe(done, self._failure)
