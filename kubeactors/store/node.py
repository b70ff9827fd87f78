"""The member's loop: request → proposal → log (batch) → sync → apply → answer.

Everything that is proposed while one batch is being synced makes up the next one, which is the group commit. Consensus
stands between propose and apply behind kubeactors.store.raft.core; this loop knows nothing of how many voters it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.clock import ClusterClock
from kubeactors.store.errors import RequestTooLarge, StoreError, StoreUnavailable, TooManyRequests
from kubeactors.store.machine import command
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.raft.solo import Core, Ready
from kubeactors.store.snapshot.snapshotter import Snapshotter
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.record import Entry
from kubeactors.store.wal.writer import LogFailed, LogWriter

logger = logging.getLogger(__name__)

# What a proposal came to: the response with its header, or why it was not carried out.
Done = Callable[[Message | StoreError], None]


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """`snapshot_count`, `snapshot_bytes`: applied entries, or their bytes, after which a snapshot is taken.
    `keep_entries`: entries before a snapshot that stay in the log, for members that lag behind."""

    snapshot_count: int = 50_000
    snapshot_bytes: int = 128 * 1024 * 1024
    keep_entries: int = 5_000
    max_request_bytes: int = 10 * 1024 * 1024
    max_pending: int = 50_000
    max_pending_bytes: int = 256 * 1024 * 1024


class _Proposal(NamedTuple):
    term: int
    size: int
    command: Command
    done: Done


class Node:
    """`on_changes(first, last)` is called after the revisions first..last were applied; `failure` is set for good when
    the member can no longer go on, and `failed` then too."""

    def __init__(
        self,
        core: Core,
        log: LogWriter,
        machine: StateMachine,
        snapshotter: Snapshotter,
        clock: ClusterClock,
        config: NodeConfig,
        cluster_id: int,
        member_id: int,
        on_changes: Callable[[int, int], None],
    ) -> None:
        self.machine = machine
        self.cluster_id = cluster_id
        self.member_id = member_id
        self.failure: str | None = None
        self.failed = asyncio.Event()
        self.snapshot_problem: str | None = None
        self._core = core
        self._log = log
        self._snapshotter = snapshotter
        self._clock = clock
        self._config = config
        self._on_changes = on_changes
        self._pending: dict[int, _Proposal] = {}
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = False
        self._primary = False
        self._runner: asyncio.Task[None] | None = None
        self._snapshot: asyncio.Task[None] | None = None
        self._purger: asyncio.Task[None] | None = None
        self._after_purge: list[Callable[[], None]] = []
        self._entries_since_snapshot = 0
        self._bytes_since_snapshot = 0
        self._lease_timer: asyncio.TimerHandle | None = None
        self._lease_timer_for: int | None = None

    # ---- life ----

    async def start(self) -> None:
        """Returns once every entry of the log is applied and the first entry of this term is durable."""
        self._runner = asyncio.create_task(self._run(), name="store-node")
        self._wake.set()
        failed = asyncio.create_task(self.failed.wait())
        caught_up = asyncio.create_task(self._caught_up.wait())
        await asyncio.wait({failed, caught_up}, return_when=asyncio.FIRST_COMPLETED)
        failed.cancel()
        caught_up.cancel()
        if self.failure is not None:
            raise LogFailed(self.failure)
        self._become_primary()

    def _become_primary(self) -> None:
        """Every entry before this term is applied: cluster time and the leases' expiry are in this member's hands."""
        self._clock.resume(self.machine.time)
        self.machine.leases.rearm()
        self._primary = True
        self._arm_leases()

    async def stop(self, grace: float = 5.0) -> None:
        """Refuse proposals, finish those accepted within `grace` seconds, end every task. The log is not closed."""
        self._stopping = True
        if self._lease_timer is not None:
            self._lease_timer.cancel()
        if self._pending and self.failure is None:
            self._idle.clear()
            try:
                async with asyncio.timeout(grace):
                    await self._idle.wait()
            except TimeoutError:
                logger.warning("%d requests unanswered at the stop", len(self._pending))
        tasks = [task for task in (self._runner, self._snapshot, self._purger) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fail_pending("the store is stopping")

    # ---- what the services ask ----

    @property
    def term(self) -> int:
        return self._core.term

    @property
    def leader(self) -> int:
        return self._core.leader

    @property
    def commit(self) -> int:
        return self._core.commit

    @property
    def log_bytes(self) -> int:
        return self._log.size

    def now(self) -> int:
        """Cluster time in milliseconds."""
        return self._clock.now()

    def header(self) -> rpc_pb2.ResponseHeader:
        return rpc_pb2.ResponseHeader(
            cluster_id=self.cluster_id,
            member_id=self.member_id,
            revision=self.machine.mvcc.revision,
            raft_term=self._core.term,
        )

    def check_serving(self) -> None:
        """Raises StoreUnavailable (surely not applied) when the member is stopping or has failed."""
        if self.failure is not None:
            raise StoreUnavailable(f"etcdserver: server stopped: {self.failure}", outcome_unknown=False)
        if self._stopping:
            raise StoreUnavailable(outcome_unknown=False)

    def read_barrier(self) -> asyncio.Future[None] | None:
        """For a linearizable read: wait for this, then read. None: the state already has every acknowledged write.

        With one voter it always has: an answer is given only after its entry was applied. Raises StoreUnavailable.
        """
        self.check_serving()
        return None

    def propose(self, kind: Kind, request: Message, done: Done) -> None:
        """`done` is called once, on this loop, when the request was applied or surely or perhaps was not.

        Raises StoreUnavailable, TooManyRequests, RequestTooLarge: nothing was proposed and `done` will not be called.
        """
        self.check_serving()
        if len(self._pending) >= self._config.max_pending or self._pending_bytes > self._config.max_pending_bytes:
            raise TooManyRequests
        proposed = Command(kind, self._clock.now(), request)
        data = command.encode(proposed)
        if len(data) > self._config.max_request_bytes:
            raise RequestTooLarge
        index = self._core.propose(data)
        self._pending[index] = _Proposal(self._core.term, len(data), proposed, done)
        self._pending_bytes += len(data)
        self._wake.set()

    # ---- the loop ----

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (ready := self._core.ready()) is not None:
                    synced = self._log.append(*self._encode(ready)) if ready.must_sync else None
                    if ready.committed:
                        self._apply(ready.committed)
                    if synced is not None:
                        await synced
                    self._core.advance(ready)
                self._caught_up.set()
        except LogFailed as error:
            self._fail(str(error))
        except Exception as error:
            logger.exception("the store's loop cannot go on")
            self._fail(f"internal error: {error!r}")

    def _encode(self, ready: Ready) -> tuple[Sequence[bytes], int]:
        records = [rec.encode_entry(entry) for entry in ready.entries]
        if ready.hard_state is not None:
            records.insert(0, rec.encode_hard_state(ready.hard_state))
        return records, ready.entries[-1].index + 1 if ready.entries else self._core.last_index + 1

    def _apply(self, entries: Sequence[Entry]) -> None:
        machine = self.machine
        mvcc = machine.mvcc
        before = mvcc.revision
        size = 0
        for entry in entries:
            size += len(entry.data)
            proposal = self._pending.pop(entry.index, None)
            if proposal is not None:
                self._pending_bytes -= proposal.size
                if proposal.term != entry.term:
                    proposal.done(StoreUnavailable("etcdserver: leader changed", outcome_unknown=False))
                    proposal = None
            machine.applied_index = entry.index
            machine.applied_term = entry.term
            if not entry.data:
                continue
            outcome: Message | StoreError
            try:
                outcome = machine.apply(command.decode(entry.data) if proposal is None else proposal.command)
            except StoreError as error:
                outcome = error
            if proposal is not None:
                self._answer(proposal, outcome)
        if mvcc.revision != before:
            self._on_changes(before + 1, mvcc.revision)
        if mvcc.purge_pending or self._after_purge:
            self._purge_soon()
        if not self._pending:
            self._idle.set()
        self._arm_leases()
        self._entries_since_snapshot += len(entries)
        self._bytes_since_snapshot += size
        if (
            self._entries_since_snapshot >= self._config.snapshot_count
            or self._bytes_since_snapshot >= self._config.snapshot_bytes
        ) and (self._snapshot is None or self._snapshot.done()):
            self._entries_since_snapshot = self._bytes_since_snapshot = 0
            self._snapshot = asyncio.create_task(self._take_snapshot(), name="store-take-snapshot")

    def _answer(self, proposal: _Proposal, outcome: Message | StoreError) -> None:
        if isinstance(outcome, Message):
            header = outcome.header  # type: ignore[attr-defined]
            header.cluster_id = self.cluster_id
            header.member_id = self.member_id
            header.revision = self.machine.mvcc.revision
            header.raft_term = self._core.term
            request = proposal.command.request
            if isinstance(request, rpc_pb2.CompactionRequest) and request.physical:
                self._after_purge.append(lambda: proposal.done(outcome))
                return
        proposal.done(outcome)

    # ---- leases: the primary finds out that one has run out and proposes its end ----

    def _arm_leases(self) -> None:
        if not self._primary:
            return
        expiry = self.machine.leases.next_expiry()
        if expiry == self._lease_timer_for:
            return
        if self._lease_timer is not None:
            self._lease_timer.cancel()
            self._lease_timer = None
        self._lease_timer_for = expiry
        if expiry is not None and not self._stopping:
            delay = min(max(0.0, (expiry - self._clock.now()) / 1000), 86_400.0)
            self._lease_timer = asyncio.get_running_loop().call_later(delay, self._expire_leases)

    def _expire_leases(self) -> None:
        self._lease_timer = None
        self._lease_timer_for = None
        if self._stopping or self.failure is not None:
            return
        for lease_id in self.machine.leases.expired(self._clock.now()):
            logger.info("lease %x has expired", lease_id)
            try:
                self.propose(Kind.LEASE_EXPIRE, rpc_pb2.LeaseRevokeRequest(ID=lease_id), _ignore)
            except TooManyRequests:
                self.machine.leases.rearm()
                self._lease_timer = asyncio.get_running_loop().call_later(1.0, self._expire_leases)
                return
        self._arm_leases()

    # ---- freeing what was compacted, a little at a time ----

    def _purge_soon(self) -> None:
        if (self._purger is None or self._purger.done()) and not self.machine.mvcc.held:
            self._purger = asyncio.create_task(self._purge(), name="store-purge")

    async def _purge(self) -> None:
        mvcc = self.machine.mvcc
        while not mvcc.purge(500):
            if mvcc.held:
                return  # whoever holds the state lets this go on afterwards
            await asyncio.sleep(0)
        waiting, self._after_purge = self._after_purge, []
        for answer in waiting:
            answer()

    # ---- snapshots ----

    def released(self) -> None:
        """Call after releasing a hold on the state: frees what had to wait."""
        if (self.machine.mvcc.purge_pending or self._after_purge) and not self._stopping:
            self._purge_soon()

    async def _take_snapshot(self) -> None:
        started = asyncio.get_running_loop().time()
        try:
            try:
                snapshot = await self._snapshotter.take(self.machine)
            finally:
                self.released()
            mark = rec.encode_snapshot(rec.SnapshotMark(snapshot.index, snapshot.term))
            await self._log.append_mark(mark)
            await self._log.trim(max(1, snapshot.index - self._config.keep_entries))
            await self._snapshotter.remove_older(snapshot)
        except OSError as error:
            self.snapshot_problem = f"snapshot failed: {error}"
            logger.error("the log is not trimmed: %s", self.snapshot_problem)
        except LogFailed as error:
            self._fail(str(error))
        else:
            self.snapshot_problem = None
            seconds = asyncio.get_running_loop().time() - started
            logger.info("snapshot at entry %d taken in %.2f s", snapshot.index, seconds)

    # ---- the end ----

    def _fail(self, reason: str) -> None:
        if self.failure is None:
            self.failure = reason
            logger.critical("this member stops serving: %s", reason)
            self._fail_pending(f"the store failed: {reason}")
            self.failed.set()

    def _fail_pending(self, reason: str) -> None:
        pending, self._pending = self._pending, {}
        self._pending_bytes = 0
        for proposal in pending.values():
            proposal.done(StoreUnavailable(f"etcdserver: {reason}", outcome_unknown=True))
        self._idle.set()


def _ignore(outcome: Message | StoreError) -> None:
    """A lease that was renewed or revoked meanwhile needs no expiry."""
