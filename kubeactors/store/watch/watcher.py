"""One watch of one stream: where it stands, and what waits to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from kubeactors.store.mvcc.record import MOD
from kubeactors.store.watch.group import Batch, Interest

MAX_WAITING_BYTES = 8 * 1024 * 1024
"""What may wait for a slow receiver. Beyond it the watch goes back to reading the history, which is kept anyway."""


class Watcher:
    """`next_revision`: the first one whose events were not taken into `waiting` or sent. `synced`: the hub feeds it."""

    __slots__ = (
        "_behind",
        "_wake",
        "fragment",
        "id",
        "interest",
        "last_sent",
        "next_revision",
        "progress_notify",
        "synced",
        "waiting",
        "waiting_bytes",
    )

    def __init__(
        self,
        watch_id: int,
        interest: Interest,
        start_revision: int,
        *,
        fragment: bool,
        progress_notify: bool,
        wake: Callable[[Watcher], None],
        behind: Callable[[Watcher], None],
    ) -> None:
        self.id = watch_id
        self.interest = interest
        self.next_revision = start_revision
        self.fragment = fragment
        self.progress_notify = progress_notify
        self.synced = False
        self.waiting: deque[Batch] = deque()
        self.waiting_bytes = 0
        self.last_sent = 0.0
        self._wake = wake
        self._behind = behind

    def push(self, batch: Batch) -> None:
        """Called by the hub while `synced`."""
        if self.waiting_bytes > MAX_WAITING_BYTES:
            self.synced = False
            self.next_revision = batch.first
            self._behind(self)
        else:
            if self.next_revision > batch.first:
                # The watch begins in the future or within this batch.
                wanted = [change for change in batch.changes if change[0][MOD] >= self.next_revision]
                batch = Batch(batch.interest, wanted, self.next_revision, batch.last)
            if batch.changes:
                self.waiting.append(batch)
                self.waiting_bytes += batch.size
            self.next_revision = max(self.next_revision, batch.last + 1)
        self._wake(self)

    def take(self, limit: int) -> list[Batch]:
        """What waits, up to about `limit` bytes."""
        taken: list[Batch] = []
        size = 0
        while self.waiting and size < limit:
            batch = self.waiting.popleft()
            self.waiting_bytes -= batch.size
            size += batch.size
            taken.append(batch)
        return taken
