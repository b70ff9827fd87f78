"""What the leader knows about one member's log (etcd-io/raft, tracker/progress.go)."""

from __future__ import annotations

from collections import deque
from enum import IntEnum


class ProgressState(IntEnum):
    PROBE = 0
    """Not known where the logs agree: one append at a time, until one is confirmed."""
    REPLICATE = 1
    """Appends are sent one after the other without waiting, `max_inflight` at the most."""
    SNAPSHOT = 2
    """Needs entries that the leader has dropped: nothing is sent until `report_snapshot`, or until it has caught up."""


class Progress:
    """`match`: on its disk, as it confirmed. `next`: the first entry to send. `recent_active`: heard since the last
    check of the quorum. `paused`: a probe is under way. `inflight`: the last index of each append that is.
    `commit_sent`: what it was last told as committed. `read_round`: the last one it answered. `moved`: `match` grew
    since its last heartbeat.

    Read-only for everybody but the leader's code.
    """

    __slots__ = (
        "commit_sent",
        "inflight",
        "match",
        "moved",
        "next",
        "paused",
        "read_round",
        "recent_active",
        "state",
    )

    def __init__(self, next_index: int) -> None:
        self.match = 0
        self.next = next_index
        self.state = ProgressState.PROBE
        self.recent_active = False
        self.paused = False
        self.inflight: deque[int] = deque()
        self.commit_sent = 0
        self.read_round = 0
        self.moved = False

    def probe(self, next_index: int) -> None:
        self.state = ProgressState.PROBE
        self.next = max(next_index, self.match + 1)
        self.paused = False
        self.inflight.clear()
        self.commit_sent = 0

    def replicate(self) -> None:
        self.state = ProgressState.REPLICATE
        self.next = self.match + 1
        self.paused = False
        self.inflight.clear()

    def await_snapshot(self) -> None:
        self.state = ProgressState.SNAPSHOT
        self.paused = False
        self.inflight.clear()

    def confirm(self, index: int) -> bool:
        """Everything up to `index` is on its disk. False: that was known."""
        inflight = self.inflight
        while inflight and inflight[0] <= index:
            inflight.popleft()
        if self.next <= index:
            self.next = index + 1
        if index <= self.match:
            return False
        self.match = index
        self.moved = True
        return True

    def refuse(self, rejected: int, probe: int) -> bool:
        """An append after `rejected` did not fit; `probe`: where the logs may agree. False: an old answer, no news."""
        if rejected <= self.match or self.state == ProgressState.SNAPSHOT:
            return False
        if self.state == ProgressState.REPLICATE:
            self.probe(self.match + 1)
            return True
        if self.next - 1 != rejected:
            return False
        self.probe(min(rejected, probe + 1))
        return True
