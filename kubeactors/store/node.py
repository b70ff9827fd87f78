"""The member's loop around its replica: what the replica wants written goes to the log's thread, what it wants sent to
the transport, what comes from there into the replica. Nothing is decided here.

Everything that is proposed while one batch is being synced makes up the next one, which is the group commit.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.message import Message as Request

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import CorruptData, StoreError, StoreUnavailable
from kubeactors.store.machine.command import Kind
from kubeactors.store.pending import Done
from kubeactors.store.raft.errors import InconsistentLog
from kubeactors.store.raft.message import Message, SnapshotMeta
from kubeactors.store.replica import Replica, ReplicaConfig, Work
from kubeactors.store.snapshot.snapshotter import Snapshotter
from kubeactors.store.storage import Loaded
from kubeactors.store.transport.interface import (
    ClusterRecord,
    Peer,
    SnapshotRefused,
    SnapshotSink,
    Transport,
)
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.writer import LogFailed, LogWriter

__all__ = ["RESTORING", "Done", "Node", "NodeConfig"]

logger = logging.getLogger(__name__)

RESTORING = "etcdserver: this member is taking over the leader's snapshot"
"""What those are told who could only be answered from a state that is not there now."""
TURN_SECONDS = 0.005
"""For how long the loop's other tasks wait at the most while there is much to apply or restore."""
FAREWELL_SECONDS = 1.0
"""How long a removed member goes on, so that the others hear what it has confirmed."""
HAND_OVER_SECONDS = 2.0
"""How long a stopping leader waits for another one."""


@dataclass(frozen=True, slots=True)
class NodeConfig(ReplicaConfig):
    """`snapshot_count`, `snapshot_bytes`: applied entries, or bytes of the log, after which a snapshot is taken.
    `keep_entries`: entries before a snapshot that stay in the log on the disk, for members that lag behind when this
    one has been started anew."""

    snapshot_count: int = 50_000
    snapshot_bytes: int = 128 * 1024 * 1024
    keep_entries: int = 5_000


class Node:
    """`on_changes(first, last)` is called after the revisions first..last were applied, `on_restored()` when the state
    was replaced, `on_restoring()` before. `failure` is set for good when the member can no longer go on, and `failed`
    then too.

    It is the transport's Receiver. `transport` is None for a member that never has peers.
    """

    def __init__(
        self,
        loaded: Loaded,
        log: LogWriter,
        snapshotter: Snapshotter,
        clock: Callable[[], float],
        rng: random.Random,
        config: NodeConfig,
        on_changes: Callable[[int, int], None],
        on_restoring: Callable[[], None],
        on_restored: Callable[[], None],
        transport: Transport | None = None,
    ) -> None:
        self.replica = Replica(loaded, config, clock, rng, on_changes, on_restored)
        self.machine = loaded.machine
        self.cluster_id = loaded.cluster_id
        self.member_id = loaded.member_id
        self.failure: str | None = None
        self.failed = asyncio.Event()
        self.snapshot_problem: str | None = None
        self._log = log
        self._snapshotter = snapshotter
        self._clock = clock
        self._config = config
        self._on_restoring = on_restoring
        self._transport = transport
        self._replayed = asyncio.Event()
        self._replay_to = max(loaded.hard_state.commit, loaded.machine.applied_index)
        self._changed = asyncio.Event()
        self._scheduled = False
        self._stopping = False
        self._ended = False
        self._tick: asyncio.TimerHandle | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._peers_index = -1
        self._snapshot: asyncio.Task[None] | None = None
        self._install: asyncio.Task[None] | None = None
        self._receiving = False
        self._wanted: list[Message] = []
        self._snapshot_index = loaded.machine.applied_index
        self._bytes_written = 0
        self._no_leader_since: float | None = clock()

    # ---- life ----

    async def start(self) -> None:
        """Returns once everything is applied that this member knows to be committed, and with one voter also what it
        finds out to be. Raises LogFailed (the member cannot go on). The transport is started before, by the caller."""
        self._schedule_tick()
        self._wake()
        failed = asyncio.create_task(self.failed.wait())
        replayed = asyncio.create_task(self._replayed.wait())
        await asyncio.wait({failed, replayed}, return_when=asyncio.FIRST_COMPLETED)
        failed.cancel()
        replayed.cancel()
        if self.failure is not None:
            raise LogFailed(self.failure)

    async def wait_leader(self) -> None:
        """Until a leader is known."""
        while not self.replica.leader and not self._ended:
            await self._wait_change()

    async def stop(self, grace: float = 5.0) -> None:
        """Refuse proposals, finish those accepted within `grace` seconds, hand leadership over, end every task. The log
        is not closed."""
        self._stopping = True
        if not self._ended:
            try:
                async with asyncio.timeout(grace):
                    while self.replica.pending:
                        await self._wait_change()
            except TimeoutError:
                logger.warning("%d requests unanswered at the stop", self.replica.pending)
            await self._hand_over()
        for timer in (self._tick, self._farewell):
            if timer is not None:
                timer.cancel()
        tasks = [task for task in (self._install, self._snapshot) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self._ended:
            self._ended = True
            self.replica.stop("server stopped")

    async def _hand_over(self) -> None:
        """A leader that stops lets the follower go on that is furthest, instead of having them wait for an election."""
        core, transport = self.replica.core, self._transport
        others = core.configuration.voters - {self.member_id}
        live = [member for member in others if transport is not None and transport.active_since(member) is not None]
        if self.replica.leader != self.member_id or not live:
            return
        try:
            self.replica.transfer(max(live, key=lambda member: core.progress[member].match))
            self._wake()
            async with asyncio.timeout(HAND_OVER_SECONDS):
                while self.replica.leader in (0, self.member_id) and not self._ended:
                    await self._wait_change()
        except StoreError as error:
            logger.info("leadership is not handed over: %s", error)
        except TimeoutError:
            logger.warning("no other member took over within %.0f s", HAND_OVER_SECONDS)

    # ---- what the services ask ----

    @property
    def term(self) -> int:
        return self.replica.core.term

    @property
    def leader(self) -> int:
        """Member id, 0 when none is known."""
        return self.replica.leader

    @property
    def commit(self) -> int:
        return self.replica.core.commit

    @property
    def log_bytes(self) -> int:
        return self._log.size

    @property
    def without_leader(self) -> float:
        """For how many seconds no leader has been known."""
        return 0.0 if self._no_leader_since is None else self._clock() - self._no_leader_since

    def now(self) -> int:
        """Cluster time in milliseconds."""
        return self.replica.now()

    def header(self) -> rpc_pb2.ResponseHeader:
        return rpc_pb2.ResponseHeader(
            cluster_id=self.cluster_id,
            member_id=self.member_id,
            revision=self.machine.mvcc.revision,
            raft_term=self.replica.core.term,
        )

    def check_serving(self) -> None:
        """Raises StoreUnavailable (surely not applied) when the member is stopping, has failed, or has no state to read
        because a snapshot is taking its place."""
        if self._stopping:
            raise StoreUnavailable(outcome_unknown=False)
        if self.failure is not None:
            raise StoreUnavailable(f"etcdserver: server stopped: {self.failure}", outcome_unknown=False)
        if self.replica.installing:
            raise StoreUnavailable(
                "etcdserver: this member is taking over the leader's snapshot", outcome_unknown=False
            )

    def read_barrier(self) -> asyncio.Future[None] | None:
        """For a linearizable read: wait for this, then read. None: the state already has every acknowledged write.

        Raises StoreUnavailable, as does the future.
        """
        self.check_serving()
        barrier: asyncio.Future[None] | None = None
        passed = False

        def done(error: StoreError | None) -> None:
            nonlocal passed
            if barrier is None:
                passed = True
            elif not barrier.done():
                if error is None:
                    barrier.set_result(None)
                else:
                    barrier.set_exception(error)

        self.replica.read(done)
        if passed:
            return None
        barrier = asyncio.get_running_loop().create_future()
        self._wake()
        return barrier

    def propose(self, kind: Kind, request: Request, done: Done) -> None:
        """`done` is called once, on this loop, when the request was applied or surely or perhaps was not.

        Raises StoreUnavailable, TooManyRequests, RequestTooLarge: nothing was proposed and `done` will not be called.
        """
        if self._stopping or self._ended:
            self.check_serving()
        self.replica.propose(kind, request, done)
        if not self._scheduled:
            self._wake()

    async def transfer(self, to: int) -> None:
        """Hand leadership to a voter. Returns when it leads. Raises NotLeaderError, BadTransferee, StoreUnavailable."""
        self.check_serving()
        self.replica.transfer(to)
        self._wake()
        try:
            async with asyncio.timeout(self._config.request_seconds):
                while self.replica.leader != to:
                    await self._wait_change()
                    self.check_serving()
        except TimeoutError:
            timed_out = "etcdserver: request timed out, waiting for the leader transfer took too long"
            raise StoreUnavailable(timed_out, outcome_unknown=True) from None

    def released(self) -> None:
        """Call after releasing a hold on the state: does what had to wait."""
        self._wake()

    # ---- the loop ----

    def _wake(self) -> None:
        if not self._scheduled and not self._ended:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._scheduled = False
        with self._guarded():
            if self._ended:
                return
            turn_ends = self._clock() + TURN_SECONDS
            while (work := self.replica.work()) is not None:
                self._carry_out(work)
                if self._clock() > turn_ends:
                    self._wake()
                    break
            self._look_around()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """What goes wrong in here ends the member."""
        try:
            yield
        except (CorruptData, InconsistentLog) as error:
            self.fail(str(error))
        except Exception as error:
            logger.exception("the store's loop cannot go on")
            self.fail(f"internal error: {error!r}")

    def _carry_out(self, work: Work) -> None:
        transport = self._transport
        if transport is not None:
            if work.messages:
                transport.send(work.messages)
            for to, frame in work.forwards:
                if not transport.send_forward(to, frame):
                    self.replica.forward_failed(to, frame)
        for message in work.snapshots:
            self._send_snapshot(message)
        if work.records:

            def written(failure: LogFailed | None) -> None:
                self._written(work, failure)

            self._bytes_written += sum(map(len, work.records))
            self._log.append(work.records, work.next_index, written)

    def _written(self, work: Work, failure: LogFailed | None) -> None:
        if self._ended:
            return
        if failure is not None:
            self.fail(str(failure))
            return
        with self._guarded():
            if work.after_sync and self._transport is not None:
                self._transport.send(work.after_sync)
            self.replica.synced(work)
        if work.install is not None:
            self._install = asyncio.create_task(self._install_snapshot(work.install), name="store-install-snapshot")
        self._pump_now()

    def _pump_now(self) -> None:
        """Where a turn of the loop more would only cost time."""
        if not self._scheduled:
            self._pump()

    def _look_around(self) -> None:
        """After the replica has done what there was to do."""
        replica = self.replica
        if replica.leader:
            self._no_leader_since = None
        elif self._no_leader_since is None:
            self._no_leader_since = self._clock()
        membership = self.machine.membership
        if membership.index != self._peers_index and not replica.installing:
            self._peers_index = membership.index
            self._set_peers()
        if not self._replayed.is_set() and self.machine.applied_index >= self._replay_to:
            voters = replica.core.configuration.voters
            if voters != {self.member_id} or replica.leading:
                self._replayed.set()
        if replica.removed and self._farewell is None:
            logger.warning("this member was removed from the cluster")
            loop = asyncio.get_running_loop()
            self._farewell = loop.call_later(FAREWELL_SECONDS, self.on_removed)
        due = (
            self.machine.applied_index - self._snapshot_index >= self._config.snapshot_count
            or self._bytes_written >= self._config.snapshot_bytes
        )
        if due and not replica.installing:
            self._snapshot_soon()
        self._changed.set()

    async def _wait_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _schedule_tick(self) -> None:
        self._tick = asyncio.get_running_loop().call_later(self._config.tick_seconds, self._on_tick)

    def _on_tick(self) -> None:
        if not self._ended:
            self._schedule_tick()
            with self._guarded():
                self.replica.tick()
            self._pump_now()

    # ---- the transport's side ----

    def on_messages(self, sender: int, messages: Sequence[Message]) -> None:
        if not self._ended:
            with self._guarded():
                for message in messages:
                    self.replica.step(message)
            self._wake()

    def on_forward(self, sender: int, frame: bytes) -> None:
        if not self._ended:
            self.replica.forwarded(sender, frame)
            self._wake()

    def on_unreachable(self, peer: int) -> None:
        if not self._ended:
            self.replica.report_unreachable(peer)
            self._wake()

    def on_connected(self, peer: int) -> None:
        if not self._ended:
            self.replica.connected(peer)
            self._wake()

    def on_snapshot_status(self, peer: int, ok: bool) -> None:
        if not self._ended:
            self.replica.report_snapshot(peer, ok)
            self._wake()

    def on_removed(self) -> None:
        self.fail("this member was removed from the cluster; start a new one with an empty data directory")

    def cluster(self) -> ClusterRecord:
        membership = self.machine.membership
        return ClusterRecord(self.cluster_id, tuple(membership.all()), tuple(membership.removed))

    def open_snapshot(self, sender: int, message: Message, size: int) -> SnapshotSink:
        """Raises SnapshotRefused."""
        meta = message.snapshot
        if meta is None or self._stopping or self._ended:
            raise SnapshotRefused("this member does not take a snapshot now")
        if self._receiving or self.replica.installing:
            raise SnapshotRefused("another snapshot is on its way")
        if meta.index <= self.machine.applied_index:
            self.on_messages(sender, (message,))  # which tells the leader how far this member is, or it would ask again
            raise SnapshotRefused(f"entry {meta.index} is applied here already")

        def in_place() -> None:
            self.on_messages(sender, (message,))

        def ended() -> None:
            self._receiving = False

        self._receiving = True
        logger.info("member %x sends its snapshot at entry %d, %d bytes", sender, meta.index, size)
        return self._snapshotter.receive(meta, in_place, ended)

    def _set_peers(self) -> None:
        if self._transport is not None:
            membership = self.machine.membership
            peers = [Peer(m.id, m.peer_urls) for m in membership.all() if m.id != self.member_id]
            self._transport.set_peers(peers, membership.removed, membership.index)

    # ---- snapshots ----

    def _snapshot_soon(self) -> None:
        if self._snapshot is None or self._snapshot.done():
            self._snapshot_index = self.machine.applied_index
            self._bytes_written = 0
            self._snapshot = asyncio.create_task(self._take_snapshot(), name="store-take-snapshot")
            self._snapshot.add_done_callback(lambda _: self._send_wanted())

    async def _take_snapshot(self) -> None:
        started = self._clock()
        try:
            try:
                snapshot = await self._snapshotter.take(self.machine)
            finally:
                self.released()
            await self._log.append_mark(rec.encode_snapshot(rec.SnapshotMark(snapshot.index, snapshot.term)))
            await self._log.trim(max(1, snapshot.index - self._config.keep_entries))
            await self._snapshotter.remove_older(snapshot)
        except OSError as error:
            self.snapshot_problem = f"snapshot failed: {error}"
            logger.error("the log is not trimmed: %s", self.snapshot_problem)
            self._refuse_wanted()
        except LogFailed as error:
            self.fail(str(error))
        else:
            self.snapshot_problem = None
            logger.info("snapshot at entry %d taken in %.2f s", snapshot.index, self._clock() - started)

    def _send_wanted(self) -> None:
        wanted, self._wanted = self._wanted, []
        if not self._ended:
            for message in wanted:
                self._send_snapshot(message)
            self._wake()

    def _send_snapshot(self, message: Message) -> None:
        newest = self._snapshotter.newest
        if self._transport is None or self.replica.installing:
            self.replica.report_snapshot(message.to, False)
        elif newest is not None and newest.index >= self.replica.first_index - 1:
            logger.info("member %x is sent the snapshot at entry %d", message.to, newest.index)
            path = self._snapshotter.path(newest)
            try:
                self._transport.send_snapshot(message._replace(snapshot=newest), path)
            except OSError as error:
                logger.error("the snapshot cannot be sent: %s", error)
                self.replica.report_snapshot(message.to, False)
        else:
            self._wanted.append(message)
            self._snapshot_soon()

    def _refuse_wanted(self) -> None:
        wanted, self._wanted = self._wanted, []
        for message in wanted:
            self.replica.report_snapshot(message.to, False)
        self._wake()

    async def _install_snapshot(self, meta: SnapshotMeta) -> None:
        """The file is in place, and the log begins anew after it."""
        started = self._clock()
        try:
            if self._snapshot is not None:
                await asyncio.wait((self._snapshot,))
            while self.machine.mvcc.held:
                await self._wait_change()
            if self._ended:
                return
            reader = await self._snapshotter.open(meta)
            self._on_restoring()
            turn_ends = self._clock() + TURN_SECONDS
            for _ in self.replica.install(reader):
                if self._clock() > turn_ends:
                    # A real pause: the other members may be on the same machine, and need it more.
                    await asyncio.sleep(TURN_SECONDS)
                    turn_ends = self._clock() + TURN_SECONDS
            self._snapshotter.newest = meta
            self._snapshot_index = meta.index
            self._wake()
            await self._log.trim(meta.index + 1)
            await self._snapshotter.remove_older(meta)
        except LogFailed as error:
            self.fail(str(error))
        except (CorruptData, OSError) as error:
            self.fail(f"the leader's snapshot cannot be taken over: {error}")
        else:
            logger.info(
                "the leader's snapshot at entry %d was taken over in %.2f s", meta.index, self._clock() - started
            )

    # ---- the end ----

    def fail(self, reason: str) -> None:
        """The member stops serving for good."""
        if not self._ended:
            self._ended = True
            self.failure = reason
            logger.critical("this member stops serving: %s", reason)
            self.replica.stop(f"the store failed: {reason}")
            self.failed.set()
            self._changed.set()
