"""One member of the cluster without disk, network, threads or tasks: proposals, reads, applying, answers.

Node drives it on an event loop, the simulation on simulated time; neither knows anything that the other does not.

What the host owes
------------------
It calls everything from one thread and never from within a call of the replica. After any call that may have made work
(`propose`, `read`, `step`, `forwarded`, `tick`, `synced`, `installed`, …) it asks `work()` until that says None:

    while (work := replica.work()) is not None:
        send(work.messages); forward(work.forwards); for each of work.snapshots: send a snapshot file (below)
        if work.records:
            log.append(work.records, work.next_index)   → when it is on the disk:  send(work.after_sync)
                                                                                   replica.synced(work)

1.  `messages`, `forwards` and `snapshots` may leave at once, before the sync of this very work. `after_sync` (votes,
    answers to appends) leaves only when the records are on the disk. Messages may be lost, doubled and reordered.
2.  At most one work with records is outstanding. `work()` may be asked again meanwhile, and gives only what needs no
    sync; that is how entries are committed and applied while the disk is busy. The order of appends is the order of
    works. A work without records is finished when it was sent: `synced` is not called for it.
3.  If the append or its sync fails, the host calls nothing of this replica any more but `stop(reason)`.
4.  Answers (`done` of `propose` and `read`) come from within any of these calls but `propose`, and `step`; a lone
    voter's `read` answers before it returns. Who is answered may call `propose` and `read`, and nothing else.
    A write is answered after it was applied here; applied after it was committed and is on this disk.
5.  Applying is in bounded batches: `work()` returns after one, though there may be nothing in it for the host to do
    (an empty Work). A host with other work to do lets that have its turn between two calls.

Snapshots
---------
Taking: at any time between two calls, of `replica.machine`. The file, with its directory, must be durable before a
SNAPSHOT mark is appended to the log, the mark before the log is trimmed, both before older snapshot files are removed.

Sending (`Work.snapshots`): a SNAPSHOT message without its `snapshot`. The host takes its newest file of an index of at
least `replica.first_index - 1`, or takes a new one, completes the message (`message._replace(snapshot=...)`)
and sends message and file. However that ends it calls `report_snapshot(to, ok)`.

Receiving: the host writes the file under a temporary name, verifies it, renames and syncs it, and only then calls
`step(message)` with the SNAPSHOT message that came with it. If the replica wants it, a later work has `install` set to
its meta and the records that make the log begin anew after it. When they are on the disk and `synced(work)` was called,
the host drives `replica.install(reader)`: an iterator whose steps rebuild the state in place, each in milliseconds.
Until it ends nothing is applied and reads wait; everything else goes on. A file that the replica does not want (no
work with `install` follows) is left to be removed with the older ones.

What a crash leaves
-------------------
Between any two of these steps the process may end. `storage.load` then finds: an entry or hard state that was appended
and not synced, or only a part of them (never told to anybody, may be there or not); a snapshot file without its mark
(used: it holds only what was committed; the log, if it ends before it or contradicts it, is begun anew after it);
a temporary file (removed); a mark (its file is there, because it was durable first). Forwarded and held proposals are
lost; whoever asked for them is told by the broken connection that the outcome is not known.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message as Request

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import errors
from kubeactors.store.clock import ClusterClock
from kubeactors.store.errors import (
    BadTransferee,
    NotLeaderError,
    StoreError,
    StoreUnavailable,
    TooManyRequests,
)
from kubeactors.store.machine import command
from kubeactors.store.machine.command import Kind
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.pending import Done, Pending, PendingTable
from kubeactors.store.proposals import Proposals
from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.core import RaftCore, Role
from kubeactors.store.raft.errors import NoLeader, NotLeader
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.raft.progress import ProgressState
from kubeactors.store.raft.ready import Ready
from kubeactors.store.reads import ReadDone, Reads
from kubeactors.store.snapshot.file import SnapshotReader
from kubeactors.store.snapshot.restore import restore
from kubeactors.store.storage import Loaded
from kubeactors.store.tail import Tail
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.record import Entry, EntryKind, SnapshotMark

logger = logging.getLogger(__name__)

FORWARD_BYTES = 1024 * 1024
"""Requests in one frame to the leader; a single larger one goes alone."""
PURGE_STEP = 500
"""Records of compacted history freed by one call of `work`."""
NOT_NOW = 0
"""The code of a refusal after which the proposal is to be tried again."""
READY_PERCENT = 90
"""A learner that has this share of the leader's log may be promoted, as in etcd."""


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """`tick_seconds`: how often the host calls `tick`; `election_ticks` and `heartbeat_ticks` count these.

    `request_seconds`: after this a proposal or read that has not come to an end is answered "request timed out".
    `read_retry_seconds`: after this the leader is asked anew for a read that it has not confirmed.
    `apply_entries`, `apply_bytes`: what one call of `work` applies at the most.
    `tail_entries`, `tail_bytes`: applied entries that stay in memory for followers which are behind;
    `catch_up_bytes`: what stays at the most while one of them is catching up.
    """

    tick_seconds: float = 0.05
    election_ticks: int = 20
    heartbeat_ticks: int = 2
    max_append_bytes: int = 1024 * 1024
    max_inflight: int = 64
    request_seconds: float = 7.0
    read_retry_seconds: float = 0.5
    apply_entries: int = 512
    apply_bytes: int = 1024 * 1024
    tail_entries: int = 5_000
    tail_bytes: int = 16 * 1024 * 1024
    catch_up_bytes: int = 128 * 1024 * 1024
    max_request_bytes: int = 10 * 1024 * 1024
    max_pending: int = 50_000
    max_pending_bytes: int = 256 * 1024 * 1024


@dataclass(slots=True)
class Work:
    """What the host has to do; see the module. All sequences may be empty.

    `records`: encoded, for one append to the log; `next_index`: the index of the first entry after them.
    `forwards`: (to, frame) for the transport's `send_forward`; a frame that it does not take goes to `forward_failed`.
    """

    records: Sequence[bytes] = ()
    next_index: int = 0
    install: SnapshotMeta | None = None
    messages: Sequence[Message] = ()
    forwards: Sequence[tuple[int, bytes]] = ()
    snapshots: Sequence[Message] = ()
    after_sync: Sequence[Message] = ()


class Replica:
    """`loaded`: what `storage.load` found; its log belongs to the host. `clock`: seconds, as time.monotonic. `rng`
    decides election timeouts and makes request ids, so it must not repeat itself in the member's next life.

    `on_changes(first, last)` is called when the revisions first..last were applied, `on_restored()` when a snapshot
    from the leader has taken the place of the state, so that revisions may have been skipped.
    """

    def __init__(
        self,
        loaded: Loaded,
        config: ReplicaConfig,
        clock: Callable[[], float],
        rng: random.Random,
        on_changes: Callable[[int, int], None],
        on_restored: Callable[[], None],
    ) -> None:
        self.machine: StateMachine = loaded.machine
        self.cluster_id = loaded.cluster_id
        self.member_id = loaded.member_id
        self._config = config
        self._clock = clock
        self._on_changes = on_changes
        self._on_restored = on_restored
        self._cluster_clock = ClusterClock(clock)
        self._cluster_clock.resume(self.machine.time)
        self._applied_term = self.machine.applied_term
        self._term = 0
        self._led = 0  # the last term in which this member led
        self._leading = False
        self._removed = False
        self._writing: tuple[Work, Ready] | None = None
        self._install: SnapshotMeta | None = None
        self._committed: deque[Entry] = deque()
        self._reads = Reads(rng.getrandbits(62) + 1, config.read_retry_seconds, config.request_seconds)
        self._after_purge: list[Callable[[], None]] = []
        self._tail = Tail(config.tail_entries, config.tail_bytes, config.catch_up_bytes)
        self._tail.applied(self.machine.applied_index, sum(len(entry.data) for entry in loaded.tail))
        self.core = RaftCore(
            RaftConfig(
                loaded.member_id,
                config.election_ticks,
                config.heartbeat_ticks,
                config.max_append_bytes,
                config.max_inflight,
            ),
            loaded.hard_state,
            _log(loaded),
            self._configuration(),
            self.machine.applied_index,
            rng,
        )
        self._pending = PendingTable(config.max_pending, config.max_pending_bytes)
        self._proposals = Proposals(
            self.core,
            self.member_id,
            self._pending,
            config.request_seconds,
            config.max_request_bytes,
            clock,
            self._cluster_clock.now,
            rng,
        )

    # ---- what services ask ----

    def propose(self, kind: Kind, request: Request, done: Done) -> None:
        """Raises TooManyRequests, RequestTooLarge: nothing was proposed and `done` will not be called.

        While there is no leader the proposal is held, for `request_seconds` at the most. `done` may be given
        StoreUnavailable: "leader changed" (surely not applied, at once when that is certain) or "request timed out"
        (`outcome_unknown` is False when it was held all the time).
        """
        self._proposals.add(kind, request, done)

    def read(self, done: ReadDone) -> None:
        """For a linearizable read: `done` is called when it may be made from `machine`."""
        core = self.core
        if (
            self._leading
            and core.commit == self.machine.applied_index
            and core.configuration.voters == {self.member_id}
        ):
            done(None)
        else:
            self._reads.add(done, self._clock())

    def transfer(self, to: int) -> None:
        """Hand leadership over; whether it came to that shows in `leader`. Raises NotLeaderError, BadTransferee."""
        try:
            self.core.transfer(to)
        except NotLeader as error:
            raise NotLeaderError from error
        except ValueError as error:
            raise BadTransferee from error

    # ---- what the host tells ----

    def tick(self) -> None:
        """`tick_seconds` have passed."""
        self.core.tick()
        now = self._clock()
        self._proposals.tick(now)
        self._reads.tick(now)
        if self._leading:
            self._expire_leases()

    def step(self, message: Message) -> None:
        """A message from another member."""
        if message.type == MessageType.SNAPSHOT and self._install is not None:
            return  # one at a time; the leader finds out what is missing
        self.core.step(message)

    def forwarded(self, sender: int, frame: bytes) -> None:
        """A frame that the other member's replica gave in Work.forwards."""
        self._observe()
        self._proposals.forwarded(sender, frame)

    def forward_failed(self, to: int, frame: bytes) -> None:
        """This frame was surely not delivered: its proposals are held, until the next tick at least."""
        self._proposals.failed(frame)

    def connected(self, member: int) -> None:
        """Nothing that was sent to this member before is under way any more: what the leader may have missed is sent
        again. It takes a frame once."""
        self._observe()
        self._proposals.connected(member)

    def report_unreachable(self, member: int) -> None:
        """Messages to this member may have been lost."""
        self.core.report_unreachable(member)

    def report_snapshot(self, member: int, ok: bool) -> None:
        """What Work.snapshots asked for is in place at this member, or will not be."""
        self.core.report_snapshot(member, ok)

    def work(self) -> Work | None:
        """What is to be done now; None: nothing until something is told or asked."""
        self._observe()
        if self._proposals.fresh:
            self._proposals.hand_over()
        if self._reads.due:
            self._ask_reads()
        ready = self.core.ready()
        if ready is not None:
            if ready.committed:
                self._committed.extend(ready.committed)
            for context, index in ready.reads:
                self._reads.confirmed(context, index)
            if ready.reads and self._install is None:
                self._reads.applied(self.machine.applied_index)
            work = self._prepare(ready)
            if work is not None:
                return work
        if self._proposals.outgoing:
            return Work(forwards=self._outgoing())
        if self._committed and self._install is None:
            self._apply()
            return Work()
        if self.machine.mvcc.purge_pending or self._after_purge:
            return self._purge()
        return Work() if ready is not None else None

    def synced(self, work: Work) -> None:
        """The records of `work` are on the disk."""
        if self._writing is None or self._writing[0] is not work:
            raise ValueError("this work was not the one that is being written")
        ready = self._writing[1]
        self._writing = None
        self.core.advance(ready)

    def install(self, reader: SnapshotReader) -> Iterator[None]:
        """Rebuild the state from the snapshot that Work.install named. Raises CorruptData: the member must stop."""
        meta = self._install
        head = reader.head
        if meta is None or (head.index, head.term, head.cluster_id) != (meta.index, meta.term, self.cluster_id):
            raise errors.CorruptData(f"{reader.path} is not the snapshot that was asked for")
        yield from restore(self.machine, reader)
        self._install = None
        self._applied_term = meta.term
        self._tail.clear()
        self._cluster_clock.resume(self.machine.time)
        self.core.applied_to(meta.index)
        self._removed = self.member_id in self.machine.membership.removed
        self._proposals.skipped(meta.term)
        self._on_restored()
        self._reads.applied(meta.index)
        self._purged()

    def stop(self, reason: str) -> None:
        """Answer everything that waits: not applied where that is sure, else unknown."""
        self._proposals.stop(reason)
        self._reads.fail(StoreUnavailable(f"etcdserver: {reason}", outcome_unknown=False))

    # ---- what it is ----

    @property
    def leader(self) -> int:
        """Member id, 0 when none is known."""
        return self.core.leader

    @property
    def leading(self) -> bool:
        """This member leads and has applied every entry of earlier terms."""
        return self._leading

    @property
    def removed(self) -> bool:
        """An applied entry has removed this member from the cluster."""
        return self._removed

    @property
    def installing(self) -> bool:
        """A snapshot is taking the place of the state, which must not be read until it has."""
        return self._install is not None

    @property
    def first_index(self) -> int:
        """The first entry that is in memory."""
        return self.core.first_index

    @property
    def pending(self) -> int:
        """Proposals that are not answered."""
        return len(self._proposals)

    def now(self) -> int:
        """Cluster time in milliseconds, as well as this member knows it."""
        return self._cluster_clock.now()

    # ---- terms ----

    def _observe(self) -> None:
        """The core may have changed its role in whatever was told since the last time."""
        core = self.core
        if core.term != self._term:
            self._term = core.term
            self._proposals.new_term()
            self._leading = False
            self._reads.abandon()
        elif self._leading and core.role is not Role.LEADER:
            self._leading = False
            self._reads.abandon()
        if core.role is Role.LEADER and self._led != core.term:
            self._led = core.term
            # Time in which nobody led does not count: nobody could keep a lease alive.
            self._cluster_clock.resume(self.machine.time)

    def _new_term_applied(self, term: int) -> None:
        """An entry of this term is being applied: what an earlier leader was given and is not applied never will be,
        as the log's terms only grow."""
        self._applied_term = term
        self._proposals.term_applied(term)
        if term == self.core.term and self.core.role is Role.LEADER:
            self._leading = True
            self._cluster_clock.resume(max(self.machine.time, self._cluster_clock.now()))
            self.machine.leases.rearm()

    # ---- reading ----

    def _ask_reads(self) -> None:
        try:
            if self.core.leader:
                self.core.read_index(self._reads.begin(self._clock()))
        except NoLeader:
            self._reads.abandon()

    # ---- work ----

    def _prepare(self, ready: Ready) -> Work | None:
        """None: it leaves nothing for the host to do."""
        work = Work()
        messages = ready.messages
        if messages and any(message.type is MessageType.SNAPSHOT for message in messages):
            work.snapshots = [message for message in messages if message.type is MessageType.SNAPSHOT]
            messages = [message for message in messages if message.type is not MessageType.SNAPSHOT]
        if ready.must_sync:
            work.records, work.next_index = self._encode(ready)
            work.after_sync = ready.responses
            if ready.snapshot is not None:
                work.install = self._install = ready.snapshot
                self._committed.clear()
            self._writing = (work, ready)
        elif ready.responses:
            messages = [*messages, *ready.responses]
        work.messages = messages
        if self._proposals.outgoing:
            work.forwards = self._outgoing()
        return work if work.records or work.messages or work.snapshots or work.forwards else None

    def _outgoing(self) -> list[tuple[int, bytes]]:
        outgoing, self._proposals.outgoing = self._proposals.outgoing, []
        return outgoing

    def _encode(self, ready: Ready) -> tuple[list[bytes], int]:
        records = [entry.record for entry in ready.entries]
        if ready.hard_state is not None:
            records.insert(0, rec.encode_hard_state(ready.hard_state))
        snapshot = ready.snapshot
        if snapshot is not None:
            records.insert(0, rec.encode_restart(SnapshotMark(snapshot.index, snapshot.term)))
        if ready.entries:
            return records, ready.entries[-1].index + 1
        return records, (snapshot.index if snapshot is not None else self.core.stable_index) + 1

    # ---- applying ----

    def _apply(self) -> None:
        machine, core, committed = self.machine, self.core, self._committed
        mvcc = machine.mvcc
        before, time_before = mvcc.revision, machine.time
        size, limit = 0, self._config.apply_bytes
        for _ in range(min(len(committed), self._config.apply_entries)):
            entry = committed.popleft()
            data = entry.data
            if entry.term != self._applied_term:
                self._new_term_applied(entry.term)
            machine.applied_index = entry.index
            machine.applied_term = entry.term
            if data:
                size += len(data)
                self._apply_entry(entry, data)
            if size > limit:
                break
        core.applied_to(machine.applied_index)
        if machine.time != time_before and not self._leading:
            self._cluster_clock.resume(machine.time)
        if mvcc.revision != before:
            self._on_changes(before + 1, mvcc.revision)
        self._reads.applied(machine.applied_index)
        self._tail.applied(machine.applied_index, size)
        self._compact()

    def _apply_entry(self, entry: Entry, data: bytes) -> None:
        kind, time, origin, request_id = command.head(data)
        pending = self._pending.pop(request_id) if origin == self.member_id else None
        outcome: Request | StoreError
        try:
            if pending is None:
                outcome = self.machine.apply(command.decode(data))
            else:
                # A request of this member is still here as it was before it was encoded.
                outcome = self.machine.carry_out(pending.kind, time, pending.request)
        except errors.CorruptData:
            raise
        except StoreError as error:
            outcome = error
        if entry.kind == EntryKind.CONFIG:
            # Also when it came to nothing: the core waits for it before it takes the next one.
            self.core.apply_configuration(self._configuration())
        if kind == Kind.MEMBER_REMOVE and self.member_id in self.machine.membership.removed:
            self._removed = True
        if pending is not None:
            self._answer(pending, outcome)

    def _answer(self, pending: Pending, outcome: Request | StoreError) -> None:
        if isinstance(outcome, StoreError):
            pending.done(outcome)
            return
        header = outcome.header  # type: ignore[attr-defined]
        header.cluster_id = self.cluster_id
        header.member_id = self.member_id
        header.revision = self.machine.mvcc.revision
        header.raft_term = self.core.term
        request = pending.request
        if isinstance(request, rpc_pb2.CompactionRequest) and request.physical:
            self._after_purge.append(lambda: pending.done(outcome))
        else:
            pending.done(outcome)

    def _configuration(self) -> Configuration:
        membership = self.machine.membership
        return Configuration(membership.voters, membership.learners)

    def _compact(self) -> None:
        needed: int | None = None
        for member, progress in self.core.progress.items():
            if member != self.member_id and (progress.recent_active or progress.state is ProgressState.SNAPSHOT):
                # Nothing that follows a snapshot under way may go, wherever that one stands.
                first = self.core.first_index if progress.state is ProgressState.SNAPSHOT else progress.match + 1
                needed = first if needed is None else min(needed, first)
        drop = self._tail.drop(needed)
        if drop:
            self.core.compact(drop)

    def _purge(self) -> Work | None:
        mvcc = self.machine.mvcc
        if mvcc.held or self._install is not None:
            return None  # whoever holds the state makes the host ask again
        if mvcc.purge(PURGE_STEP):
            self._purged()
        return Work()

    def _purged(self) -> None:
        waiting, self._after_purge = self._after_purge, []
        for answer in waiting:
            answer()

    # ---- leases: the leader finds out that one has run out and proposes its end ----

    def _expire_leases(self) -> None:
        leases, now = self.machine.leases, self._cluster_clock.now()
        expiry = leases.next_expiry()
        if expiry is None or expiry > now or self._install is not None:
            return
        for lease_id in leases.expired(now):
            logger.info("lease %x has expired", lease_id)
            try:
                self.propose(Kind.LEASE_EXPIRE, rpc_pb2.LeaseRevokeRequest(ID=lease_id), _ignore)
            except TooManyRequests:
                leases.rearm()
                return


def _log(loaded: Loaded) -> RaftLog:
    tail, machine = loaded.tail, loaded.machine
    if not tail:
        return RaftLog(loaded.entries, machine.applied_index, machine.applied_term)
    if tail[0].index == 1:
        return RaftLog([*tail, *loaded.entries])
    # The term before the first one is not known, so the first one itself is what the others follow.
    return RaftLog([*tail[1:], *loaded.entries], tail[0].index, tail[0].term)


def _ignore(outcome: Request | StoreError) -> None:
    """A lease that was renewed or revoked meanwhile needs no expiry."""
