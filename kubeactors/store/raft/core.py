"""Raft's decisions, in the shape of etcd-io/raft: no I/O, no clock, randomness is given.

                   step(message) · tick() · propose(data) · read_index(context) · …
                                           │
    ready(): messages to send, entries and hard state to write, committed entries to apply
                                           │
                   advance(ready), when it is on the disk · applied_to(index), when it is applied

The host calls `ready` after any call that may have made work, until it says None. One Ready with something to write
is outstanding at a time: until it was advanced, `ready` gives only what needs no sync (messages, committed entries,
reads), so that commits go on during a sync. A Ready without anything to write is done when its messages were sent;
`advance` need not be called for it.

Sources: the Raft paper (Ongaro and Ousterhout, 2014), Ongaro's dissertation for what goes beyond, etcd-io/raft for what
practice has taught.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import Message
from kubeactors.store.raft.progress import Progress
from kubeactors.store.raft.ready import Ready
from kubeactors.store.wal.record import HardState


class Role(IntEnum):
    FOLLOWER = 0
    PRE_CANDIDATE = 1
    CANDIDATE = 2
    LEADER = 3


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
            raise ValueError("heartbeats must be shorter than elections, and at least one tick")


class RaftCore:
    """`hard_state`, `log`: what the disk holds. `configuration`: as of entry `applied`, the last one that the state
    machine reflects. Raises InconsistentLog when these cannot belong together.

    A lone voter campaigns at once; its first Ready makes it leader.
    """

    def __init__(
        self,
        config: RaftConfig,
        hard_state: HardState,
        log: RaftLog,
        configuration: Configuration,
        applied: int,
        rng: random.Random,
    ) -> None:
        raise NotImplementedError

    # ---- what it is ----

    @property
    def term(self) -> int:
        raise NotImplementedError

    @property
    def vote(self) -> int:
        """Whom this member voted for in `term`, 0 for nobody."""
        raise NotImplementedError

    @property
    def leader(self) -> int:
        """Member id, 0 when none is known."""
        raise NotImplementedError

    @property
    def role(self) -> Role:
        raise NotImplementedError

    @property
    def commit(self) -> int:
        """The last entry known to be committed; it need not be on this member's disk."""
        raise NotImplementedError

    @property
    def applied(self) -> int:
        """As last told by `applied_to`."""
        raise NotImplementedError

    @property
    def first_index(self) -> int:
        """The first entry in memory."""
        raise NotImplementedError

    @property
    def last_index(self) -> int:
        raise NotImplementedError

    @property
    def configuration(self) -> Configuration:
        raise NotImplementedError

    @property
    def transferring(self) -> int:
        """The member that leadership is being handed to, 0 for none."""
        raise NotImplementedError

    @property
    def progress(self) -> Mapping[int, Progress]:
        """The leader's view of every member, itself included; empty on others."""
        raise NotImplementedError

    def followers_lag(self) -> dict[int, int]:
        """Entries that each other member has not confirmed; empty when this member does not lead."""
        raise NotImplementedError

    def term_at(self, index: int) -> int | None:
        """The term of the entry, None when it is not in memory (`first_index - 1` still is known)."""
        raise NotImplementedError

    # ---- what the host asks ----

    def propose(self, data: bytes) -> int:
        """The index that the entry will have if it is committed in the present term.

        Raises NotLeader, and its subclass TransferRunning: nothing was appended.
        """
        raise NotImplementedError

    def propose_change(self, data: bytes) -> int:
        """As `propose`, an entry of EntryKind.CONFIG; when it is applied the host calls `apply_configuration`.

        Raises ChangePending besides, until everything up to this leader's first entry and the last change is applied.
        """
        raise NotImplementedError

    def read_index(self, context: int) -> None:
        """Ask for an index that a linearizable read must wait for; it comes in Ready.reads with this context.

        It may never come (the leader changed, a message was lost): then ask again. A context must be new, also after a
        restart, as an answer to an earlier one may still be under way. Raises NoLeader.
        """
        raise NotImplementedError

    def transfer(self, to: int) -> None:
        """Hand leadership to a voter. Proposals are refused until that happened or an election timeout has passed.

        Raises NotLeader, ValueError when `to` is no voter.
        """
        raise NotImplementedError

    def campaign(self) -> None:
        """Stand for election at once, if that can be (not a learner, no change waiting to be applied)."""
        raise NotImplementedError

    def compact(self, index: int) -> None:
        """Drop entries up to `index` from memory; not beyond `applied`.

        A follower that needs them will be sent a snapshot. Leave a snapshot that is under way (a progress in
        ProgressState.SNAPSHOT) able to connect: do not drop what follows it.
        """
        raise NotImplementedError

    # ---- what the host tells ----

    def step(self, message: Message) -> None:
        """A message from another member.

        A SNAPSHOT is stepped when its file is in place; if it is wanted the next Ready to be written has `snapshot`.
        Raises InconsistentLog: this member has lost data, and must stop.
        """
        raise NotImplementedError

    def tick(self) -> None:
        raise NotImplementedError

    def ready(self) -> Ready | None:
        """What is to be done now, None when nothing is."""
        raise NotImplementedError

    def advance(self, ready: Ready) -> None:
        """What `ready` asked to write is on the disk."""
        raise NotImplementedError

    def applied_to(self, index: int) -> None:
        """Entries up to `index` are applied (an installed snapshot's too), configurations among them told."""
        raise NotImplementedError

    def apply_configuration(self, configuration: Configuration) -> None:
        """A CONFIG entry was applied; call it before `applied_to` that entry.

        A leader that is no voter any more hands over and steps down.
        """
        raise NotImplementedError

    def report_unreachable(self, member: int) -> None:
        """Messages to this member were lost."""
        raise NotImplementedError

    def report_snapshot(self, member: int, ok: bool) -> None:
        """Sending a snapshot has ended. Must be called for every SNAPSHOT message that a Ready had."""
        raise NotImplementedError
