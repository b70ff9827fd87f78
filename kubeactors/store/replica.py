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
4.  Answers (`done` of `propose` and `read`) come from within `work()` and `stop()` and never from within `propose`,
    `read`, `step`, `forwarded`, `tick` or `synced` — with one exception: `read` of a lone voter answers at once.
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

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import Message as Request

from kubeactors.store.errors import StoreError
from kubeactors.store.machine.command import Kind
from kubeactors.store.machine.machine import StateMachine

if TYPE_CHECKING:
    from kubeactors.store.raft.core import RaftCore
    from kubeactors.store.raft.message import Message, SnapshotMeta
    from kubeactors.store.snapshot.file import SnapshotReader
    from kubeactors.store.storage import Loaded

Done = Callable[[Request | StoreError], None]
"""What a proposal came to: the response with its header, or why it was not carried out. Called once."""

ReadDone = Callable[[StoreError | None], None]
"""None: the applied state reflects every write acknowledged before `read` was called. Called once."""


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """`tick_seconds`: how often the host calls `tick`; the others of Raft's count ticks.

    `request_seconds`: after this a proposal or read that has not come to an end is answered "request timed out".
    `apply_entries`, `apply_bytes`: what one call of `work` applies at the most.
    `tail_entries`, `tail_bytes`: applied entries that stay in memory for followers which are behind.
    `quota_bytes`: size of the state from which on writes are refused and a NOSPACE alarm is raised; 0: no quota.
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
    max_request_bytes: int = 10 * 1024 * 1024
    max_pending: int = 50_000
    max_pending_bytes: int = 256 * 1024 * 1024
    quota_bytes: int = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
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

    machine: StateMachine
    core: RaftCore

    def __init__(
        self,
        loaded: Loaded,
        config: ReplicaConfig,
        clock: Callable[[], float],
        rng: random.Random,
        on_changes: Callable[[int, int], None],
        on_restored: Callable[[], None],
    ) -> None: ...

    # ---- what services ask ----

    def propose(self, kind: Kind, request: Request, done: Done) -> None:
        """Raises TooManyRequests, RequestTooLarge, NoSpace: nothing was proposed and `done` will not be called.

        While there is no leader the proposal is held, for `request_seconds` at the most. `done` may be given
        StoreUnavailable: "leader changed" (surely not applied, at once when that is certain) or "request timed out"
        (`outcome_unknown` is False when it was held all the time).
        """
        raise NotImplementedError

    def read(self, done: ReadDone) -> None:
        """For a linearizable read: `done` is called when it may be made from `machine`."""
        raise NotImplementedError

    def transfer(self, to: int) -> None:
        """Hand leadership over. Raises StoreUnavailable when this member does not lead or `to` is no voter."""
        raise NotImplementedError

    # ---- what the host tells ----

    def tick(self) -> None:
        """`tick_seconds` have passed."""
        raise NotImplementedError

    def step(self, message: Message) -> None:
        """A message from another member."""
        raise NotImplementedError

    def forwarded(self, sender: int, frame: bytes) -> None:
        """A frame that the other member's replica gave in Work.forwards."""
        raise NotImplementedError

    def forward_failed(self, to: int, frame: bytes) -> None:
        """This frame was surely not delivered: its proposals are held again."""
        raise NotImplementedError

    def report_unreachable(self, member: int) -> None:
        raise NotImplementedError

    def report_snapshot(self, member: int, ok: bool) -> None:
        raise NotImplementedError

    def work(self) -> Work | None:
        """What is to be done now; None: nothing until something is told or asked."""
        raise NotImplementedError

    def synced(self, work: Work) -> None:
        """The records of `work` are on the disk."""
        raise NotImplementedError

    def install(self, reader: SnapshotReader) -> Iterator[None]:
        """Rebuild the state from the snapshot that Work.install named. Raises CorruptData: the member must stop."""
        raise NotImplementedError

    def stop(self, reason: str) -> None:
        """Answer everything that waits: not applied where that is sure, else unknown."""
        raise NotImplementedError

    # ---- what it is ----

    @property
    def leader(self) -> int:
        """Member id, 0 when none is known."""
        raise NotImplementedError

    @property
    def leading(self) -> bool:
        """This member leads and has applied every entry of earlier terms."""
        raise NotImplementedError

    @property
    def removed(self) -> bool:
        """An applied entry has removed this member from the cluster."""
        raise NotImplementedError

    @property
    def first_index(self) -> int:
        """The first entry that is in memory."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """Proposals that are not answered."""
        raise NotImplementedError

    def now(self) -> int:
        """Cluster time in milliseconds, as well as this member knows it."""
        raise NotImplementedError
