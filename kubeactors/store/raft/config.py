"""How long, how much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RaftConfig:
    """Times are in ticks; the host makes one every 50 ms or so.

    `election_ticks`: a follower that hears nothing campaigns after a random time of one to two of these; a leader that
    hears of no majority for one of these steps down. `heartbeat_ticks`: between heartbeats of an idle leader.
    `max_append_bytes`: entries' data in one APPEND (a single larger entry goes alone). `max_inflight`: APPENDs with
    entries that a follower may have unconfirmed. `max_write_bytes`: entries' data in one Ready to be written, so that
    one sync stays short. `max_committed`: entries in one Ready to be applied.
    """

    member_id: int
    election_ticks: int = 20
    heartbeat_ticks: int = 2
    max_append_bytes: int = 1024 * 1024
    max_inflight: int = 64
    max_write_bytes: int = 8 * 1024 * 1024
    max_committed: int = 4096

    def __post_init__(self) -> None:
        if self.member_id <= 0:
            raise ValueError(f"{self.member_id} is no member id")
        if not 0 < self.heartbeat_ticks < self.election_ticks:
            raise ValueError("heartbeats must be more frequent than elections, and at least a tick apart")
