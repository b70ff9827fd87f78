"""A snapshot that comes from the leader, on its way to its place on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.raft.message import SnapshotMeta
from kubeactors.store.snapshot.file import SYNC_BYTES, SnapshotReader, file_name

TEMPORARY = "incoming.snap.tmp"


class IncomingSnapshot:
    """Written under a temporary name; `finish` checks it and gives it its name, durably, and then calls `in_place`.
    `ended` is called once, however it ends. Every call is carried out in `thread`, in order."""

    def __init__(
        self,
        disk: Disk,
        directory: Path,
        thread: ThreadPoolExecutor,
        cluster_id: int,
        meta: SnapshotMeta,
        in_place: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._disk = disk
        self._thread = thread
        self._cluster_id = cluster_id
        self._meta = meta
        self._temporary = directory / TEMPORARY
        self._path = directory / file_name(meta.term, meta.index)
        self._in_place = in_place
        self._ended: Callable[[], None] | None = ended
        self._chunks: list[bytes] = []
        self._waiting = 0
        self._fd = -1
        self._end = 0

    async def write(self, chunk: bytes) -> None:
        """Raises OSError."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        if self._waiting >= SYNC_BYTES:
            await self._flush()

    async def finish(self) -> None:
        """Raises OSError, CorruptData."""
        try:
            await self._flush()
            await self._run(self._put_in_place)
        except BaseException:
            await self.abandon()
            raise
        self._in_place()
        self._end_once()

    async def abandon(self) -> None:
        self._chunks.clear()
        try:
            await asyncio.shield(self._run(self._remove))
        finally:
            self._end_once()

    def _end_once(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()

    async def _flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        self._waiting = 0
        await self._run(lambda: self._append(chunks))

    def _run(self, job: Callable[[], None]) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._thread, job)

    # ---- in the thread ----

    def _append(self, chunks: Sequence[bytes]) -> None:
        if self._fd < 0:
            self._fd = self._disk.open(self._temporary, create=True)
        for chunk in chunks:
            self._disk.write_at(self._fd, chunk, self._end)
            self._end += len(chunk)
        # In small portions, so that the log's own syncs never wait behind a large one.
        self._disk.sync(self._fd)

    def _put_in_place(self) -> None:
        self._disk.sync_all(self._fd)
        self._disk.close(self._fd)
        self._fd = -1
        head = SnapshotReader(self._disk, self._temporary).head
        if (head.cluster_id, head.term, head.index) != (self._cluster_id, self._meta.term, self._meta.index):
            raise CorruptData("a snapshot arrived that is not the one which was announced")
        self._disk.rename(self._temporary, self._path)

    def _remove(self) -> None:
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1
            self._disk.remove(self._temporary)
