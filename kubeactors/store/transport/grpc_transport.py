"""The Transport that members run with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubeactors.pb.raft.v1 import raft_pb2, raft_pb2_grpc
from kubeactors.rpc.server import RpcServer
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.raft.message import NEWS, Message, MessageType
from kubeactors.store.transport import channel, snapshot
from kubeactors.store.transport.admission import View
from kubeactors.store.transport.certificate import PeerRules
from kubeactors.store.transport.codec import EntryEncoder, decode_message, fill_message
from kubeactors.store.transport.interface import Peer, Receiver
from kubeactors.store.transport.link import Link
from kubeactors.store.transport.peer import PeerConnection
from kubeactors.store.transport.service import RaftService

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """`listen_urls`: http(s)://host:port; port 0 takes a free one. `tls`: this member's certificate for both
    directions, and the authority of all members'."""

    listen_urls: tuple[str, ...]
    tls: TlsFiles | None = None
    rules: PeerRules = field(default_factory=PeerRules)


class GrpcTransport:
    """See kubeactors.store.transport.interface.Transport. `urls`: where it listens, once started."""

    def __init__(self, config: TransportConfig, cluster_id: int, member_id: int) -> None:
        self.urls: tuple[str, ...] = ()
        self._config = config
        self._view = View(cluster_id, member_id)
        self._entries = EntryEncoder()
        self._peers: dict[int, PeerConnection] = {}
        self._receiver: Receiver | None = None
        self._server: RpcServer | None = None
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[int] = set()
        self._dropped: set[int] = set()

    # ---- life ----

    async def start(self, receiver: Receiver) -> None:
        for peer in self._view.peers.values():
            self._check(peer)
        server = self._server = channel.make_server()
        service = RaftService(self._view, receiver, self._config.rules, self._admitted)
        raft_pb2_grpc.add_RaftServicer_to_server(service, server)
        self.urls = tuple([await channel.listen(server, url, self._config.tls) for url in self._config.listen_urls])
        self._receiver = receiver
        await server.start()
        self._connect()

    async def stop(self) -> None:
        self._receiver = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        ends = [peer.stop("this member stops") for peer in self._peers.values()]
        await asyncio.gather(*tasks, *ends, return_exceptions=True)
        self._peers.clear()
        if self._server is not None:
            await self._server.stop(grace=0.5)
            self._server = None

    # ---- what the node asks ----

    def set_peers(self, peers: Collection[Peer], removed: Collection[int], index: int) -> None:
        self._view.peers = {peer.id: peer for peer in peers if peer.id != self._view.member_id}
        self._view.removed = frozenset(removed)
        self._view.index = index
        if self._receiver is not None:
            self._connect()

    def send(self, messages: Sequence[Message]) -> None:
        urgent: dict[Link, bool] = {}
        for message in messages:
            peer = self._peers.get(message.to)
            link = peer.link if peer is not None else None
            entries = self._entries.encode(message.entries) if link is not None else b""
            if link is None or not link.put_message(message, entries):
                self._drop(message.to)
            else:
                # What is committed the others need to know, but nobody waits for it as clients do for their answers.
                news = message.context == NEWS and message.type == MessageType.APPEND
                urgent[link] = urgent.get(link, False) or not news
        for link, now in urgent.items():
            if now:
                link.flush()
            else:
                link.flush_later()

    def send_forward(self, to: int, frame: bytes) -> bool:
        peer = self._peers.get(to)
        link = peer.link if peer is not None else None
        if link is None or not link.put_forward(frame):
            return False
        link.flush()
        return True

    def send_snapshot(self, message: Message, path: Path) -> None:
        if message.to in self._sending:
            return
        try:
            source = snapshot.SnapshotSource(path)
        except OSError as error:
            logger.error("snapshot %s cannot be sent: %s", path.name, error)
            self._loop.call_soon(self._snapshot_status, message.to, False)
            return
        self._sending.add(message.to)
        self._own(self._send_snapshot(message, source), "store-peer-snapshot")

    def active_since(self, peer: int) -> float | None:
        found = self._peers.get(peer)
        return found.link.since if found is not None and found.link is not None else None

    # ---- peers ----

    def _check(self, peer: Peer) -> None:
        for url in peer.urls:
            channel.check_url(url, self._config.tls, f"peer URL of member {peer.id:x}")

    def _connect(self) -> None:
        """Make the connections what the view says."""
        for peer in self._view.peers.values():
            self._connection(peer.id).connect(peer.urls)
        for id_, connection in list(self._peers.items()):
            if id_ not in self._view.peers and connection.known_index <= self._view.index:
                del self._peers[id_]
                self._own(connection.stop("it is no member any more"), "store-peer-stop")

    def _connection(self, peer: int) -> PeerConnection:
        found = self._peers.get(peer)
        if found is None:
            found = self._peers[peer] = PeerConnection(peer, self._view, self._config.tls, self)
        return found

    def _admitted(self, hello: raft_pb2.Hello) -> PeerConnection:
        connection = self._connection(hello.sender)
        connection.known_index = hello.membership_index
        return connection

    def _drop(self, peer: int) -> None:
        if peer not in self._dropped:
            self._dropped.add(peer)
            self._loop.call_soon(self._unreachable, peer)

    def _unreachable(self, peer: int) -> None:
        self._dropped.discard(peer)
        if self._receiver is not None:
            self._receiver.on_unreachable(peer)

    # ---- what comes (peer.Events) ----

    def frame(self, link: Link, frame: raft_pb2.Frame) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        if frame.messages:
            own = self._view.member_id
            receiver.on_messages(link.peer, [decode_message(m, own, link.peer) for m in frame.messages])
        for data in frame.forwards:
            receiver.on_forward(link.peer, data)

    def connected(self, peer: int) -> None:
        self._soon(lambda receiver: receiver.on_connected(peer))

    def lost(self, peer: int) -> None:
        self._drop(peer)

    def removed(self) -> None:
        self._soon(lambda receiver: receiver.on_removed())

    def _soon(self, tell: Callable[[Receiver], None]) -> None:
        self._loop.call_soon(lambda: tell(self._receiver) if self._receiver is not None else None)

    # ---- snapshots ----

    async def _send_snapshot(self, message: Message, source: snapshot.SnapshotSource) -> None:
        to = message.to
        ok = False
        started = self._loop.time()
        try:
            peer = self._view.peers.get(to)
            if peer is None:
                raise snapshot.SnapshotFailed("it is no member any more")
            head = raft_pb2.SnapshotHead(hello=self._view.hello(to), size=source.size)
            fill_message(head.message, message, b"")
            await snapshot.send(self._snapshot_url(peer), self._config.tls, head, source)
            ok = True
            logger.info(
                "snapshot %s (%d bytes) sent to member %x in %.1f s",
                source.name,
                source.size,
                to,
                self._loop.time() - started,
            )
        except snapshot.SnapshotFailed as error:
            logger.warning("snapshot %s did not get to member %x: %s", source.name, to, error)
        finally:
            source.close()
            self._sending.discard(to)
        self._snapshot_status(to, ok)

    def _snapshot_url(self, peer: Peer) -> str:
        return peer.urls[int(self._loop.time()) % len(peer.urls)]

    def _snapshot_status(self, peer: int, ok: bool) -> None:
        if self._receiver is not None:
            self._receiver.on_snapshot_status(peer, ok)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
