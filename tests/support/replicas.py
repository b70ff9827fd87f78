"""Several replicas in one process on simulated disks, driven by hand: what is said, written and synced happens when the
test says so."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from google.protobuf.message import Message as Request

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import storage
from kubeactors.store.errors import StoreError
from kubeactors.store.machine.command import Kind
from kubeactors.store.machine.membership import Membership
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.message import Message, SnapshotMeta
from kubeactors.store.replica import Replica, ReplicaConfig, Work
from kubeactors.store.snapshot import snapshotter
from kubeactors.store.snapshot.file import SnapshotFile, SnapshotReader, SnapshotWriter, list_snapshots
from kubeactors.store.storage import Bootstrap, Loaded
from kubeactors.store.wal import record as rec
from tests.sim.disk import SimDisk

DATA = Path("/data")
SEGMENT = 64 * 1024
TOKEN = "test"


class Host:
    """One member. `hold_syncs`: what is to be written waits for `write` or `sync`."""

    def __init__(self, cluster: Cluster, bootstrap: Bootstrap) -> None:
        self.cluster = cluster
        self.bootstrap = bootstrap
        self.id = bootstrap.member_id
        self.disk = SimDisk(random.Random(self.id))
        self.lives = 0
        self.hold_syncs = False
        self.restored = 0
        self.writing: Work | None = None
        self.loaded: Loaded
        self.replica: Replica | None = None
        self.boot()

    @property
    def up(self) -> Replica:
        assert self.replica is not None, "this member is down"
        return self.replica

    def boot(self) -> None:
        self.lives += 1
        self.writing = None
        self.loaded = storage.load(self.disk, DATA, SEGMENT, self.bootstrap, self.cluster.config.tail_entries)
        self.replica = Replica(
            self.loaded,
            self.cluster.config,
            lambda: self.cluster.now,
            random.Random(self.id * 1000 + self.lives),
            lambda first, last: None,
            self._on_restored,
        )

    def _on_restored(self) -> None:
        self.restored += 1

    def kill(self, power: bool = False) -> None:
        self.replica = None
        self.writing = None
        if power:
            self.disk.power_loss()
        else:
            self.disk.kill()

    def pump(self) -> bool:
        """True when there was something to do."""
        did = False
        while self.replica is not None and (work := self.replica.work()) is not None:
            did = True
            cluster = self.cluster
            cluster.post(self.id, work.messages)
            for to, frame in work.forwards:
                if not cluster.forward(self.id, to, frame):
                    self.replica.forward_failed(to, frame)
            for message in work.snapshots:
                self.send_snapshot(message)
            if work.records:
                assert self.writing is None
                self.writing = work
                if not self.hold_syncs:
                    self.sync()
        return did

    def write(self) -> Work:
        """What is to be written comes to the disk, and nobody is told."""
        work, self.writing = self.writing, None
        assert work is not None
        self.loaded.log.append(work.records, work.next_index)
        return work

    def sync(self) -> None:
        """The disk has it, and says so."""
        work = self.write()
        self.cluster.post(self.id, work.after_sync)
        self.up.synced(work)
        if work.install is not None:
            newest = self.snapshots()[-1]
            assert newest.index == work.install.index
            for _ in self.up.install(SnapshotReader(self.disk, newest.path)):
                pass

    def snapshots(self) -> list[SnapshotFile]:
        return list_snapshots(self.disk, self.loaded.snapshot_dir)

    def take_snapshot(self, keep: int = 0) -> SnapshotFile:
        machine = self.up.machine
        head = snapshotter.describe(machine, self.up.cluster_id, self.id)
        writer = SnapshotWriter(self.disk, self.loaded.snapshot_dir, head)
        for tag, records in snapshotter.portions(machine.mvcc, head):
            writer.records(tag, records)
        file = writer.finish()
        self.loaded.log.append([rec.encode_snapshot(rec.SnapshotMark(file.index, file.term))], None)
        self.loaded.log.trim(max(1, file.index - keep))
        for old in self.snapshots()[:-1]:
            self.disk.remove(old.path)
        return file

    def send_snapshot(self, message: Message) -> None:
        found = self.snapshots()
        if not found or found[-1].index < self.up.first_index - 1:
            self.take_snapshot()
            found = self.snapshots()
        file = found[-1]
        membership = SnapshotReader(self.disk, file.path).head.membership
        members = Membership.restored(membership)
        meta = SnapshotMeta(file.index, file.term, Configuration(members.voters, members.learners))
        other = self.cluster.hosts[message.to]
        ok = self.cluster.reaches(self.id, message.to) and other.replica is not None
        if ok:
            other.put_snapshot(file.path.name, self.disk.read(file.path))
            self.cluster.post(self.id, [message._replace(snapshot=meta)])
        self.up.report_snapshot(message.to, ok)

    def put_snapshot(self, name: str, content: bytes) -> None:
        temporary = self.loaded.snapshot_dir / "incoming.tmp"
        fd = self.disk.open(temporary, create=True)
        self.disk.write_at(fd, content, 0)
        self.disk.sync_all(fd)
        self.disk.close(fd)
        self.disk.rename(temporary, self.loaded.snapshot_dir / name)

    # ---- what a client does ----

    def propose(self, kind: Kind, request: Request) -> Answer:
        answer = Answer()
        self.up.propose(kind, request, answer)
        return answer

    def put(self, key: bytes, value: bytes = b"") -> Answer:
        return self.propose(Kind.PUT, rpc_pb2.PutRequest(key=key, value=value))

    def read(self, key: bytes) -> Answer:
        answer = Answer()
        replica = self.up

        def done(error: StoreError | None) -> None:
            record = replica.machine.mvcc.get(key)
            answer.outcome = error if error is not None else (record[1] if record is not None else b"")
            answer.count += 1

        replica.read(done)
        return answer


class Answer:
    """`outcome`: None until there is one."""

    def __init__(self) -> None:
        self.outcome: Request | StoreError | bytes | None = None
        self.count = 0

    def __call__(self, outcome: Request | StoreError) -> None:
        self.outcome = outcome
        self.count += 1

    @property
    def applied(self) -> bool:
        assert self.count <= 1
        return isinstance(self.outcome, Request)

    @property
    def error(self) -> StoreError:
        assert isinstance(self.outcome, StoreError), self.outcome
        assert self.count == 1
        return self.outcome


class Cluster:
    """`cut`: pairs (from, to) between which nothing gets through."""

    def __init__(self, size: int, config: ReplicaConfig | None = None) -> None:
        self.config = config or replace(ReplicaConfig(), election_ticks=10, heartbeat_ticks=1)
        self.now = 100.0
        self.cut: set[tuple[int, int]] = set()
        self.drop: Callable[[int, Message], bool] = lambda to, message: False
        self.drop_forward: Callable[[int, bytes], bool] = lambda to, frame: False
        self._mail: list[tuple[int, int, Message | bytes]] = []
        initial = {f"m{n}": [f"http://m{n}:2380"] for n in range(size)}
        self.starts = [storage.new_cluster(initial, TOKEN, name) for name in initial]
        self.hosts = {start.member_id: Host(self, start) for start in self.starts}

    def __getitem__(self, number: int) -> Host:
        return list(self.hosts.values())[number]

    def join(self, member_id: int) -> Host:
        host = self.hosts[member_id] = Host(self, Bootstrap(self.starts[0].cluster_id, member_id))
        return host

    # ---- the network ----

    def reaches(self, sender: int, to: int) -> bool:
        return (sender, to) not in self.cut

    def isolate(self, host: Host) -> None:
        for other in self.hosts:
            self.cut |= {(host.id, other), (other, host.id)}

    def post(self, sender: int, messages: Iterable[Message]) -> None:
        for message in messages:
            if self.reaches(sender, message.to) and not self.drop(message.to, message):
                self._mail.append((sender, message.to, message))

    def forward(self, sender: int, to: int, frame: bytes) -> bool:
        if not self.reaches(sender, to):
            return False
        if not self.drop_forward(to, frame):
            self._mail.append((sender, to, frame))
        return True

    # ---- time ----

    def settle(self, limit: int = 10_000) -> None:
        """Until nobody has anything to say or to do."""
        for _ in range(limit):
            did = False
            for host in list(self.hosts.values()):
                did |= host.pump()
            mail, self._mail = self._mail, []
            for sender, to, what in mail:
                receiver = self.hosts.get(to)
                if receiver is None or receiver.replica is None:
                    continue
                if isinstance(what, bytes):
                    receiver.replica.forwarded(sender, what)
                else:
                    receiver.replica.step(what)
            if not did and not mail:
                return
        raise AssertionError("the cluster does not come to rest")

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += self.config.tick_seconds
            for host in self.hosts.values():
                if host.replica is not None:
                    host.replica.tick()
            self.settle()

    def elect(self, besides: Host | None = None, ticks: int = 200) -> Host:
        """Wait for a leader that has applied its first entry, another one than `besides`."""
        self.settle()
        for _ in range(ticks):
            live = [host for host in self.hosts.values() if host.replica is not None and host is not besides]
            newest = max((host.up.core.term for host in live), default=0)
            for host in live:
                if host.up.leading and host.up.core.term == newest:
                    return host
            self.tick()
        raise AssertionError("no leader")

    def followers(self) -> list[Host]:
        leader = self.elect()
        return [host for host in self.hosts.values() if host is not leader and host.replica is not None]

    def states(self) -> list[object]:
        """Each running member's keys."""
        return [
            [(r[0], r[1], r[3]) for r in host.up.machine.mvcc.records(b"\0", b"\0")]
            for host in self.hosts.values()
            if host.replica is not None
        ]
