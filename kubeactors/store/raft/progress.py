"""What the leader knows about one other member's log (etcd-io/raft, tracker/progress.go)."""

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
    """`match`: known to be on its disk. `next`: the first entry to send. `recent_active`: heard since the last check.

    Read-only for everybody but the core.
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

    def __init__(self, match: int, next_index: int) -> None:
        self.match = match
        self.next = next_index
        self.state = ProgressState.PROBE
        self.recent_active = False
        self.paused = False
        self.inflight: deque[int] = deque()
        self.commit_sent = 0
        self.read_round = 0
        self.moved = False
