"""A host for one real Replica with its real log and snapshot files, on a simulated disk, network and clock.

What it does is what kubeactors/store/replica.py says that a host owes, and what kubeactors/store/node.py does on a real
event loop.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, cast

from kubeactors.store import storage
from kubeactors.store.errors import CorruptData
from kubeactors.store.machine.membership import Membership
from kubeactors.store.node import FAREWELL_SECONDS
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import Message, SnapshotMeta
from kubeactors.store.replica import Replica, ReplicaConfig, Work
from kubeactors.store.snapshot import snapshotter
from kubeactors.store.snapshot.file import Head, SnapshotFile, SnapshotReader, SnapshotWriter, file_name, list_snapshots
from kubeactors.store.snapshot.incoming import IncomingSnapshot
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.record import SnapshotMark
from tests.sim import words
from tests.sim.disk import Crash, SimDisk
from tests.sim.logview import LogView
from tests.sim.trace import Violation

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster

DATA_DIR = Path("/data")
_NO_THREAD = cast(ThreadPoolExecutor, None)  # its steps are called here, one by one
PLENTY = 1 << 40


class SimMember:
    """`up`: its process runs. `paused`: it runs and gets no time (SIGSTOP). `life` counts its processes, so that what
    was planned for an earlier one does not happen."""

    def __init__(self, cluster: Cluster, id: int, name: str, start: storage.Bootstrap) -> None:
        self.cluster = cluster
        self.id = id
        self.name = name
        self.start = start
        self.rng = Random(cluster.rng.getrandbits(64))
        self.disk = SimDisk(Random(cluster.rng.getrandbits(64)))
        self.view = cluster.invariants.add(id, name)
        self.replica: Replica | None = None
        self.up = False
        self.paused = False
        self.removed = False
        self.life = 0
        self._began = False
        self._membership_index = -1
        self._removed_ids: frozenset[int] = frozenset()
        self.slow_disk = 1.0
        self.drift = 1.0
        self._loaded: storage.Loaded | None = None
        self._inbox: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self._jobs: deque[tuple[Callable[[], None], Callable[[], None] | None]] = deque()
        self._running = False
        self._installing: Iterator[None] | None = None
        self._taking = False
        self._wanted: list[Message] = []
        self._receiving = False
        self._leaving = False
        self._snapshot_at = 0
        if cluster.trace.verbose:
            self.disk.trace = lambda event: cluster.trace.note(f"{name} disk: {event}")

    # ---- life and death ----

    def boot(self) -> None:
        """Start the process. A start may crash, too; then it is tried again later."""
        if self.up or self.removed:
            return
        cluster = self.cluster
        cluster.note(self, "starts")
        self.life += 1
        self.up = True
        self.paused = False
        self.disk.capacity = PLENTY
        try:
            loaded = storage.load(
                self.disk, DATA_DIR, cluster.scenario.segment_bytes, self.start, cluster.scenario.tail_entries
            )
        except Crash:
            self.crash(self.rng.random() < 0.5)
            return
        except CorruptData as error:
            raise Violation(f"{self.name}: what a crash left is taken for damage: {error}") from error
        except OSError as error:
            self._stop_serving(error)
            return
        self.disk.crash_at = -1
        self._loaded = loaded
        scenario = cluster.scenario
        config = ReplicaConfig(
            tick_seconds=scenario.tick,
            election_ticks=scenario.election_ticks,
            heartbeat_ticks=scenario.heartbeat_ticks,
            max_append_bytes=scenario.append_bytes,
            max_inflight=scenario.inflight,
            request_seconds=scenario.request_seconds,
            apply_entries=scenario.apply_entries,
            tail_entries=scenario.tail_entries,
            read_retry_seconds=0.2,
        )
        offset = self.rng.random() * 1000  # no two machines' clocks agree
        replica = Replica(
            loaded,
            config,
            lambda: cluster.timeline.now * self.drift + offset,
            Random(self.rng.getrandbits(64)),
            self._on_changes,
            self._on_restored,
        )
        self.replica = replica
        self._snapshot_at = loaded.machine.applied_index
        log = LogView()
        machine = loaded.machine
        tail = loaded.tail
        base = tail[0].index - 1 if tail else machine.applied_index
        log.load(base, -1 if tail else machine.applied_term, [*tail, *loaded.entries], loaded.hard_state)
        cluster.invariants.loaded(self.view, machine.applied_index, replica.core, log)
        if self.start.members and not self._began:
            self._began = True
            cluster.invariants.bootstrapped(self.view, len(self.start.members))
        if cluster.trace.verbose:
            cluster.note(
                self,
                f"is up: {tuple(loaded.hard_state)}, applied {machine.applied_index}, log to {log.last}",
            )
        cluster.connect([(self.id, other) for other in cluster.members if other != self.id])
        self._tick(self.life)
        self.pump()

    def crash(self, power: bool) -> None:
        """The process ends without a word, and the machine with it when `power`."""
        if not self.up:
            return
        self.cluster.note(self, "loses power" if power else "is killed")
        self.cluster.trace.mix(self.id, power)
        self._gone()
        if power:
            self.disk.power_loss()
        else:
            self.disk.kill()
        self.cluster.died(self)

    def crash_soon(self, power: bool) -> None:
        """In the middle of what the disk is doing, or of what it will do next."""
        if self.up and self._running and self.rng.random() < 0.7:
            self.disk.crash_at = self.disk.ops + self.rng.randrange(4)
            job, _ = self._jobs[0]
            with contextlib.suppress(Crash, OSError):
                job()
            self.crash(power)
        elif self.up:
            self.disk.crash_at = self.disk.ops + self.rng.randrange(12)

    def _stop_serving(self, error: OSError) -> None:
        """As Node does when the log cannot be written: answer everybody, end the process."""
        self.cluster.note(self, f"stops serving: {error}")
        if self.replica is not None:
            self.replica.stop(str(error))
        self._gone()
        self.disk.kill()
        self.disk.fail_syncs = 0
        self.cluster.died(self)

    def _gone(self) -> None:
        self.up = self.paused = False
        self.life += 1
        self.replica = None
        self._loaded = None
        self._inbox.clear()
        self._jobs.clear()
        self._running = self._taking = self._receiving = self._leaving = False
        self._installing = None
        self._wanted.clear()
        self.disk.fail_syncs = 0

    def pause(self) -> None:
        if self.up and not self.paused:
            self.paused = True
            self.cluster.note(self, "is paused")

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self.cluster.note(self, "goes on")
            waiting, self._inbox = self._inbox, []
            self.rng.shuffle(waiting)  # it may read any connection first, and clients' before members'
            if self.rng.random() < 0.5:
                waiting.sort(key=lambda item: item[0] != self.ask)
            for action, arguments in waiting:
                if self.up:
                    action(*arguments)

    # ---- what comes from outside ----

    def _soon(self, seconds: float, action: Callable[..., None], *arguments: object) -> None:
        """Later, if this very process still runs; when it is paused, once it is not."""
        self.cluster.timeline.after(seconds, self._now, self.life, action, arguments)

    def _now(self, life: int, action: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if life != self.life:
            return
        if self.paused:
            self._inbox.append((action, arguments))
        else:
            action(*arguments)

    def _tick(self, life: int) -> None:
        if life != self.life:
            return
        if not self.paused:  # ticks that a process sleeps through do not come later
            assert self.replica is not None
            self.replica.tick()
            self.pump()
        if life == self.life:
            self.cluster.timeline.after(self.cluster.scenario.tick / self.drift, self._tick, life)

    def receive(self, message: Message) -> None:
        if self.paused:
            self._inbox.append((self.receive, (message,)))
        elif self.replica is not None:
            trace = self.cluster.trace
            trace.mix(self.id, message.sender, message.type, message.term, message.index, message.commit)
            if trace.verbose:
                self.cluster.note(self, f"⇐ {words.message(message, self.cluster.name)}")
            if message.sender in self._removed_ids:
                cluster = self.cluster
                cluster.timeline.after(0.01, cluster.members[message.sender].told_removed)
                return
            self.replica.step(message)
            self.pump()

    def receive_forward(self, sender: int, frame: bytes) -> None:
        if self.paused:
            self._inbox.append((self.receive_forward, (sender, frame)))
        elif self.replica is not None:
            self.cluster.trace.mix(self.id, sender, len(frame))
            if self.cluster.trace.verbose:
                self.cluster.note(self, f"⇐ {self.cluster.name(sender)} forwards {len(frame)} bytes")
            self.replica.forwarded(sender, frame)
            self.pump()

    def ask(self, call: Callable[[], None]) -> None:
        """What a client asks; a paused process finds it when it goes on."""
        if self.paused:
            self._inbox.append((self.ask, (call,)))
        elif self.up:
            call()
            self.pump()

    def told_unreachable(self, peer: int) -> None:
        if self.replica is not None and not self.paused:
            self.replica.report_unreachable(peer)
            self.pump()

    def told_connected(self, peer: int) -> None:
        if self.replica is not None and not self.paused:
            self.replica.connected(peer)
            self.pump()

    # ---- the loop ----

    def pump(self) -> None:
        """Do all the work that there is."""
        replica, life = self.replica, self.life
        if replica is None:
            return
        cluster = self.cluster
        cluster.invariants.observe(self.view, replica.core, replica.machine)
        while True:
            work = replica.work()
            if work is None:
                break
            cluster.invariants.observe(self.view, replica.core, replica.machine)
            self._carry_out(replica, work)
            if life != self.life:
                return
        if cluster.trap is not None and cluster.trap(self):
            cluster.trap = None
        if replica.machine.membership.index != self._membership_index:
            self._membership_index = replica.machine.membership.index
            self._removed_ids = replica.machine.membership.removed
            cluster.membership_changed(replica.machine.membership)
        if (
            not self._taking
            and not self._receiving
            and not replica.installing
            and replica.machine.applied_index - self._snapshot_at >= cluster.scenario.snapshot_every
        ):
            self.take_snapshot()
        if replica.removed and not self._leaving:
            self._leaving = True
            self._soon(FAREWELL_SECONDS, self.told_removed)

    def told_removed(self) -> None:
        """By its own log, or by another member as the transport does."""
        if self.replica is not None and not self.removed:
            self.cluster.note(self, "was removed")
            self.removed = True
            self.replica.stop("removed")
            self._gone()
            self.cluster.died(self)

    def _carry_out(self, replica: Replica, work: Work) -> None:
        cluster = self.cluster
        for message in work.messages:
            cluster.send(self, message)
        for to, frame in work.forwards:
            if not cluster.forward(self, to, frame):
                self._soon(0.0, self._forward_failed, to, frame)
        for message in work.snapshots:
            if replica.installing:
                replica.report_snapshot(message.to, False)
            else:
                self._wanted.append(message)
                self._send_snapshots()
        assert work.records or not work.after_sync
        if work.records:
            cluster.invariants.appended(self.view, self.view.written, work.records, True)
            if cluster.trace.verbose:
                cluster.note(self, f"writes {words.records(work.records)}")
            self._job(lambda: self._append(work), lambda: self._synced(work))

    def _forward_failed(self, to: int, frame: bytes) -> None:
        assert self.replica is not None
        self.replica.forward_failed(to, frame)
        self.pump()

    # ---- the log's thread ----

    def _job(self, job: Callable[[], None], done: Callable[[], None] | None) -> None:
        self._jobs.append((job, done))
        if not self._running:
            self._next_job()

    def _next_job(self) -> None:
        self._running = True
        self._soon(self.cluster.disk_delay(self), self._do_job)

    def _do_job(self) -> None:
        life = self.life
        job, done = self._jobs[0]
        try:
            job()
        except Crash:
            self.crash(self.rng.random() < 0.5)
            return
        except OSError as error:
            self._stop_serving(error)
            return
        self._jobs.popleft()
        self._running = False
        if self._jobs:
            self._next_job()
        if done is not None:
            done()
        if life == self.life:
            self.pump()

    def _append(self, work: Work) -> None:
        assert self._loaded is not None
        self._loaded.log.append(work.records, work.next_index)

    def _synced(self, work: Work) -> None:
        assert self.replica is not None
        cluster = self.cluster
        cluster.trace.mix(self.id, work.next_index)
        cluster.invariants.appended(self.view, self.view.durable, work.records, False)
        for message in work.after_sync:
            cluster.send(self, message)
        self.replica.synced(work)
        if work.install is not None:
            self._install_soon(work.install)

    def _install_soon(self, meta: SnapshotMeta) -> None:
        if self._taking:
            self._soon(0.001, self._install_soon, meta)
            return
        assert self.replica is not None
        self.cluster.note(self, f"installs the snapshot at entry {meta.index}")
        path = self._directory / file_name(meta.term, meta.index)
        self._installing = self.replica.install(SnapshotReader(self.disk, path))
        self._install()

    def _install(self) -> None:
        assert self._installing is not None and self.replica is not None
        for _ in range(3):
            if next(self._installing, self) is self:
                self._installing = None
                self._snapshot_at = self.replica.machine.applied_index
                break
        else:
            self._soon(0.001, self._install)
        self.pump()

    # ---- snapshots ----

    @property
    def _directory(self) -> Path:
        assert self._loaded is not None
        return self._loaded.snapshot_dir

    def _snapshots(self) -> list[SnapshotFile]:
        assert self._loaded is not None
        return list_snapshots(self.disk, self._directory)

    def take_snapshot_soon(self) -> None:
        if self.replica is not None and self.replica.machine.applied_index and not self._taking and not self._receiving:
            self.take_snapshot()

    def take_snapshot(self) -> None:
        assert self.replica is not None and self._loaded is not None
        self._taking = True
        self._snapshot_at = self.replica.machine.applied_index
        self.cluster.note(self, f"takes a snapshot at entry {self._snapshot_at}")
        machine = self.replica.machine
        head = snapshotter.describe(machine, self._loaded.cluster_id, self._loaded.member_id)
        machine.mvcc.hold()
        self._snapshot_step(self._write_snapshot(head))

    def _write_snapshot(self, head: Head) -> Iterator[None]:
        """One step of the snapshot's thread after the other. As kubeactors.store.snapshot.snapshotter has them."""
        assert self.replica is not None and self._loaded is not None
        mvcc = self.replica.machine.mvcc
        try:
            writer = SnapshotWriter(self.disk, self._directory, head)
            try:
                yield
                for tag, records in snapshotter.portions(mvcc, head):
                    writer.records(tag, records)
                    yield
                snapshot = writer.finish()
            except OSError:
                writer.abandon()
                raise
        finally:
            mvcc.release()
        self.pump()
        yield
        mark = rec.encode_snapshot(SnapshotMark(snapshot.index, snapshot.term))
        self._job(lambda: self._append_mark(mark), None)
        first = max(1, snapshot.index - self.cluster.scenario.keep_entries)
        self._job(lambda: self._trim(first, snapshot), self._taken)

    def _snapshot_step(self, steps: Iterator[None]) -> None:
        life = self.life
        try:
            if next(steps, self) is not self and life == self.life:
                self._soon(self.cluster.disk_delay(self), self._snapshot_step, steps)
        except Crash:
            self.crash(self.rng.random() < 0.5)
        except OSError as error:
            self.cluster.note(self, f"takes no snapshot: {error}")
            self._taking = False
            wanted, self._wanted = self._wanted, []
            for message in wanted:
                self._soon(0.1, self.snapshot_sent, message.to, False)

    def _append_mark(self, mark: bytes) -> None:
        assert self._loaded is not None
        self._loaded.log.append((mark,), None)

    def _trim(self, first: int, snapshot: SnapshotFile) -> None:
        assert self._loaded is not None
        self._loaded.log.trim(first)
        for old in self._snapshots():
            if old.index < snapshot.index:
                self.disk.remove(old.path)

    def _taken(self) -> None:
        self._taking = False
        self._send_snapshots()

    def _send_snapshots(self) -> None:
        assert self.replica is not None
        newest = self._snapshots()
        if not newest or newest[-1].index < self.replica.first_index - 1:
            if not self._taking:
                self.take_snapshot()
            return
        wanted, self._wanted = self._wanted, []
        for message in wanted:
            head = SnapshotReader(self.disk, newest[-1].path).head
            membership = Membership.restored(head.membership)
            meta = SnapshotMeta(head.index, head.term, Configuration(membership.voters, membership.learners))
            self.cluster.send_snapshot(self, message._replace(snapshot=meta), self.disk.read(newest[-1].path))

    def snapshot_sent(self, to: int, ok: bool) -> None:
        assert self.replica is not None
        self.replica.report_snapshot(to, ok)
        self.pump()

    def receive_snapshot(self, message: Message, content: bytes, status: Callable[[bool], None]) -> None:
        replica, meta = self.replica, message.snapshot
        assert meta is not None
        if self.paused:
            self._inbox.append((self.receive_snapshot, (message, content, status)))
        elif replica is None or self._receiving or replica.installing:
            status(False)
        elif meta.index <= replica.machine.applied_index:
            self.receive(message)
            status(False)
        else:
            self._receiving = True
            self._receive_step(self._put_snapshot(message, meta, content, status))

    def _put_snapshot(
        self, message: Message, meta: SnapshotMeta, content: bytes, status: Callable[[bool], None]
    ) -> Iterator[None]:
        """What IncomingSnapshot does in its thread."""
        incoming = IncomingSnapshot(
            self.disk, self._directory, _NO_THREAD, self.cluster.cluster_id, meta, lambda: None, lambda: None
        )
        try:
            for offset in range(0, len(content), 2000):
                incoming._append([content[offset : offset + 2000]])
                yield
            incoming._put_in_place()
        except OSError:
            incoming._remove()
            status(False)
            raise
        self._receiving = False
        self.receive(message)
        status(True)

    def _receive_step(self, steps: Iterator[None]) -> None:
        life = self.life
        try:
            if next(steps, self) is not self and life == self.life:
                self._soon(self.cluster.disk_delay(self), self._receive_step, steps)
        except Crash:
            self.crash(self.rng.random() < 0.5)
        except OSError as error:
            self.cluster.note(self, f"does not take the snapshot: {error}")
            self._receiving = False

    # ---- what the replica tells ----

    def _on_changes(self, first: int, last: int) -> None:
        pass

    def _on_restored(self) -> None:
        self.cluster.note(self, "has the snapshot's state")
