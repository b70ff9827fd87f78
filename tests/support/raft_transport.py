"""Transports on loopback with a receiver that keeps what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from kubeactors.pki.authority import Authority, Identity
from kubeactors.store.client import TlsFiles
from kubeactors.store.machine.membership import Member
from kubeactors.store.raft.message import Message, MessageType
from kubeactors.store.transport.certificate import PeerRules
from kubeactors.store.transport.grpc_transport import GrpcTransport, TransportConfig
from kubeactors.store.transport.interface import ClusterRecord, Peer, SnapshotRefused
from kubeactors.store.wal.record import Entry, EntryKind

CLUSTER = 0xC0FFEE0000000001


class MemorySink:
    """Counts and hashes what comes, and keeps nothing of it."""

    def __init__(self, message: Message, size: int) -> None:
        self.message = message
        self.size = size
        self.taken = 0
        self.largest = 0
        self.finished = False
        self.abandoned = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails: Exception | None = None

    async def write(self, chunk: bytes) -> None:
        await self.gate.wait()
        self.taken += len(chunk)
        self.largest = max(self.largest, len(chunk))

    async def finish(self) -> None:
        if self.fails is not None:
            raise self.fails
        self.finished = True

    async def abandon(self) -> None:
        self.abandoned = True


class Recorder:
    """A Receiver. `frames` keeps how many messages each frame had."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.frames: list[int] = []
        self.forwards: list[tuple[int, bytes]] = []
        self.unreachable: list[int] = []
        self.connected: list[int] = []
        self.snapshots: list[MemorySink] = []
        self.statuses: list[tuple[int, bool]] = []
        self.removed = 0
        self.refuses_snapshots = False
        self.prepare_sink: Callable[[MemorySink], None] = lambda sink: None
        self.known = ClusterRecord(CLUSTER, ())

    def on_messages(self, sender: int, messages: Sequence[Message]) -> None:
        assert all(message.sender == sender for message in messages)
        self.frames.append(len(messages))
        self.messages.extend(messages)

    def on_forward(self, sender: int, frame: bytes) -> None:
        self.forwards.append((sender, frame))

    def on_unreachable(self, peer: int) -> None:
        self.unreachable.append(peer)

    def on_connected(self, peer: int) -> None:
        self.connected.append(peer)

    def open_snapshot(self, sender: int, message: Message, size: int) -> MemorySink:
        if self.refuses_snapshots:
            raise SnapshotRefused("there is a newer one here")
        sink = MemorySink(message, size)
        self.prepare_sink(sink)
        self.snapshots.append(sink)
        return sink

    def on_snapshot_status(self, peer: int, ok: bool) -> None:
        self.statuses.append((peer, ok))

    def on_removed(self) -> None:
        self.removed += 1

    def cluster(self) -> ClusterRecord:
        return self.known


class End:
    """One member's transport and its receiver."""

    def __init__(
        self,
        member: int,
        tls: TlsFiles | None = None,
        *,
        cluster: int = CLUSTER,
        rules: PeerRules | None = None,
        url: str = "",
    ) -> None:
        self.id = member
        self.received = Recorder()
        config = TransportConfig((url or f"{'https' if tls else 'http'}://127.0.0.1:0",), tls, rules or PeerRules())
        self.transport = GrpcTransport(config, cluster, member)

    @property
    def url(self) -> str:
        return self.transport.urls[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def peer(self) -> Peer:
        return Peer(self.id, (self.url,))

    def knows(self, *others: End, removed: Sequence[int] = (), index: int = 1) -> None:
        self.transport.set_peers([other.peer for other in others], removed, index)


@asynccontextmanager
async def running(*ends: End, mesh: bool = True) -> AsyncIterator[None]:
    """All of them started, and known to each other with `mesh`."""
    try:
        for end in ends:
            await end.transport.start(end.received)
        if mesh:
            for end in ends:
                # Only one of each pair calls, so that no two calls cross and lose what the test sends.
                known = [other.peer if other.id < end.id else Peer(other.id, ()) for other in ends]
                end.transport.set_peers(known, [], 1)
            await until(lambda: all(connected(a, b) for a in ends for b in ends if a is not b))
            for end in ends:
                end.knows(*ends)
        yield
    finally:
        await asyncio.gather(*(end.transport.stop() for end in ends))


def connected(one: End, other: End) -> bool:
    return one.transport.active_since(other.id) is not None


async def until(condition: Callable[[], bool], timeout: float = 30.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # whatever it looks at has no event
            await asyncio.sleep(0.01)


def append(sender: End, to: End, index: int = 1, count: int = 1, size: int = 100) -> Message:
    entries = [Entry(3, index + 1 + n, EntryKind.NORMAL, b"x" * size) for n in range(count)]
    return Message(MessageType.APPEND, to.id, sender.id, 3, index=index, log_term=2, commit=index, entries=entries)


def heartbeat(sender: End, to: End, number: int = 0) -> Message:
    return Message(MessageType.HEARTBEAT, to.id, sender.id, 3, commit=number, context=number)


class PeerAuthority:
    """An authority of peers in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._authority = Authority.create("etcd-ca", datetime.now(UTC))
        self._ca = directory / "ca.crt"
        self._ca.write_bytes(self._authority.certificate)

    def issue(self, name: str, *names: str) -> TlsFiles:
        """A member's certificate that is good for these names and addresses."""
        identity = Identity(name, names=names or ("localhost", "127.0.0.1"), server=True, client=True)
        pair = self._authority.issue(identity, datetime.now(UTC))
        certificate, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        return TlsFiles(str(self._ca), str(certificate), str(key))


def a_member(id_: int) -> Member:
    return Member(id_, f"m{id_}", (f"http://10.0.0.{id_}:2380",), (f"http://10.0.0.{id_}:2379",))
