"""One store member: everything put together, without a process of its own."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health

from kubeactors.pb.etcd import election_pb2_grpc, lock_pb2_grpc, rpc_pb2, rpc_pb2_grpc
from kubeactors.pb.store.v1 import session_pb2_grpc
from kubeactors.rpc.server import RpcServer
from kubeactors.store import bootstrap
from kubeactors.store.api import StoreApi
from kubeactors.store.compactor import Compactor, parse_retention
from kubeactors.store.config import MemberConfig
from kubeactors.store.disk import Disk
from kubeactors.store.errors import StoreError, StoreUnavailable
from kubeactors.store.machine.command import Kind
from kubeactors.store.node import Node, NodeConfig
from kubeactors.store.services.auth import AuthService
from kubeactors.store.services.calls import outcome
from kubeactors.store.services.cluster import ClusterService
from kubeactors.store.services.election import ElectionService
from kubeactors.store.services.kv import add_kv
from kubeactors.store.services.leader import LOST_ELECTIONS, LeaderMonitor
from kubeactors.store.services.lease import LeaseService
from kubeactors.store.services.lock import LockService
from kubeactors.store.services.maintenance import MaintenanceService
from kubeactors.store.services.recipes import Recipes
from kubeactors.store.services.session import SessionService
from kubeactors.store.services.watch import WatchService
from kubeactors.store.snapshot.snapshotter import Snapshotter, describe_shortly
from kubeactors.store.storage import DataDirLock, Loaded, has_data, load
from kubeactors.store.tls import server_context
from kubeactors.store.transport.grpc_transport import GrpcTransport, TransportConfig
from kubeactors.store.wal.writer import LogWriter
from kubeactors.store.watch.hub import WatchHub

logger = logging.getLogger(__name__)

FRAME_OVERHEAD = 2 * 1024 * 1024
"""How much larger than the largest request a message may be: a session frame holds several."""
TICKS_PER_HEARTBEAT = 2
ANNOUNCE_RETRY = 0.5


class StoreMember:
    """`start` returns once the member's data are loaded and its ports are open; it raises on a configuration or data
    that it cannot work with. `ready` is set once it has caught up with a leader; from then on its health service says
    SERVING. `failed` is set when it can no longer serve; then `failure` says why, and it must be stopped."""

    def __init__(self, config: MemberConfig, disk: Disk | None = None) -> None:
        self._config = config
        self._disk = disk or Disk()
        self._closing = asyncio.Event()
        self._lock: DataDirLock | None = None
        self._log: LogWriter | None = None
        self._node: Node | None = None
        self._transport: GrpcTransport | None = None
        self._snapshotter: Snapshotter | None = None
        self._server: RpcServer | None = None
        self._health = grpc_health.HealthServicer()
        self._announcer: asyncio.Task[None] | None = None
        self._compactor: asyncio.Task[None] | None = None
        self._started = 0.0
        self.ready = asyncio.Event()
        self.client_urls: tuple[str, ...] = ()
        self.peer_urls: tuple[str, ...] = ()

    @property
    def failed(self) -> asyncio.Event:
        assert self._node is not None, "the member was not started"
        return self._node.failed

    @property
    def failure(self) -> str | None:
        return self._node.failure if self._node is not None else None

    async def start(self) -> None:
        """Raises CannotJoin, DataDirInUse, CorruptData, LogFailed, OSError, ValueError."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        config = self._config
        config.check()
        self._started = time.monotonic()
        self._lock = DataDirLock(config.data_dir)
        loaded = await self._load()
        logger.info(
            "member %s (%x of cluster %x): %d keys from the snapshot, %d entries to replay",
            config.name,
            loaded.member_id,
            loaded.cluster_id,
            len(loaded.machine.mvcc),
            len(loaded.entries),
        )
        self._log = LogWriter(loaded.log)
        self._log.start()
        newest = describe_shortly(loaded.machine) if loaded.machine.applied_index else None
        self._snapshotter = Snapshotter(self._disk, loaded.snapshot_dir, loaded.cluster_id, loaded.member_id, newest)
        if config.listen_peer_urls:
            listen = TransportConfig(config.listen_peer_urls, config.peer_tls, config.peer_rules)
            self._transport = GrpcTransport(listen, loaded.cluster_id, loaded.member_id)
        hub = WatchHub(loaded.machine.mvcc)
        replaced = StoreUnavailable(
            "etcdserver: this member is taking over the leader's snapshot", outcome_unknown=False
        )
        node = self._node = Node(
            loaded,
            self._log,
            self._snapshotter,
            time.monotonic,
            random.Random(),
            _timing(config),
            hub.publish,
            lambda: hub.interrupt(replaced),
            lambda: None,
            self._transport,
        )
        del loaded
        if self._transport is not None:
            await self._transport.start(node)
            self.peer_urls = self._transport.urls
        await node.start()
        await self._serve(node, hub)
        self._announcer = asyncio.create_task(self._announce(node), name="store-announce")
        self._compactor = asyncio.create_task(self._compact(node), name="store-compactor")
        if node.leader == node.member_id:
            await self.ready.wait()

    async def _load(self) -> Loaded:
        config = self._config
        present = await asyncio.to_thread(has_data, self._disk, config.data_dir)
        begin = await bootstrap.prepare(config, present)
        loaded = await asyncio.to_thread(
            load,
            self._disk,
            config.data_dir,
            config.segment_bytes,
            begin,
            config.node.keep_entries,
            config.force_new_cluster,
        )
        if present and config.listen_peer_urls and not config.force_new_cluster:
            known = [url for member in loaded.machine.membership.all() for url in member.peer_urls]
            await bootstrap.check_peers(config, loaded.cluster_id, loaded.member_id, known)
        return loaded

    async def _serve(self, node: Node, hub: WatchHub) -> None:
        config = self._config
        max_message = config.node.max_request_bytes + FRAME_OVERHEAD
        server = self._server = RpcServer(max_message)
        # As in etcd: a lease outlives an election.
        min_lease_ttl = math.ceil(1.5 * config.election_ms / 1000)
        api = StoreApi(node, config.max_txn_ops, config.quota_bytes, min_lease_ttl)
        urls = [await self._listen(server, url) for url in config.listen_client_urls]
        self.client_urls = config.advertise_client_urls or tuple(urls)
        add_kv(api, server)
        server.add_registered_method_handlers("etcdserverpb.Auth", AuthService(node).handlers())
        rpc_pb2_grpc.add_LeaseServicer_to_server(LeaseService(api, node, self._closing), server)
        rpc_pb2_grpc.add_ClusterServicer_to_server(ClusterService(node, api, self._connected_for), server)
        rpc_pb2_grpc.add_MaintenanceServicer_to_server(
            MaintenanceService(node, api, self._disk, config.data_dir / "member" / "export"), server
        )
        monitor = LeaderMonitor(node, LOST_ELECTIONS * config.election_ms / 1000)
        session = SessionService(api, node, monitor, self._closing, config.node.max_request_bytes)
        session_pb2_grpc.add_SessionServicer_to_server(session, server)
        watch = WatchService(hub, node, monitor, self._closing, config.progress_interval)
        watch.add_to(server)
        recipes = Recipes(api, hub)
        lock_pb2_grpc.add_LockServicer_to_server(LockService(recipes), server)
        election_pb2_grpc.add_ElectionServicer_to_server(ElectionService(recipes, self._closing), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await server.start()

    async def _announce(self, node: Node) -> None:
        """Once this member has caught up with a leader: say SERVING, and tell the cluster its name and client URLs
        where that is new."""
        while node.failure is None:
            try:
                barrier = node.read_barrier()
                if barrier is not None:
                    await barrier
                if not self.ready.is_set():
                    await self._say_ready(node)
                known = node.machine.membership.get(node.member_id)
                wanted = (self._config.name, tuple(sorted(self.client_urls)))
                if known is not None and (known.name, known.client_urls) == wanted:
                    return
                await self._publish(node)
            except StoreError as error:
                logger.info("not announced yet: %s", error)
                await asyncio.sleep(ANNOUNCE_RETRY)

    async def _say_ready(self, node: Node) -> None:
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        self.ready.set()
        logger.info(
            "member %s (%x of cluster %x) serves at %s: %d keys, revision %d, leader %x, ready in %.2f s",
            self._config.name,
            node.member_id,
            node.cluster_id,
            ", ".join(self.client_urls),
            len(node.machine.mvcc),
            node.machine.mvcc.revision,
            node.leader,
            time.monotonic() - self._started,
        )

    async def _publish(self, node: Node) -> None:
        """Raises StoreError."""
        own = rpc_pb2.Member(ID=node.member_id, name=self._config.name, clientURLs=self.client_urls)
        await outcome(lambda done: node.propose(Kind.MEMBER_PUBLISH, own, done))

    async def _compact(self, node: Node) -> None:
        """What the flags for automatic compaction ask for."""

        async def compact(revision: int) -> None:
            request = rpc_pb2.CompactionRequest(revision=revision)
            await outcome(lambda done: node.propose(Kind.COMPACT, request, done))

        retention = parse_retention(self._config.auto_compaction_mode, self._config.auto_compaction_retention)
        await Compactor(
            retention, lambda: node.machine.mvcc.revision, lambda: node.leader == node.member_id, compact
        ).run()

    def _connected_for(self, member: int) -> float | None:
        since = self._transport.active_since(member) if self._transport is not None else None
        return None if since is None else asyncio.get_running_loop().time() - since

    async def _listen(self, server: RpcServer, url: str) -> str:
        """The URL with the port that was taken. Raises ValueError, OSError."""
        parts = urlsplit(url)
        tls = self._config.tls
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port is None:
            raise ValueError(f"--listen-client-urls: {url!r} is not http(s)://host:port")
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"--listen-client-urls: {url!r} needs --cert-file, --key-file and --trusted-ca-file")
        context = server_context(tls) if parts.scheme == "https" and tls is not None else None
        try:
            port = await server.listen(parts.hostname, parts.port, context)
        except OSError as error:
            raise OSError(f"cannot listen on {url}: {error}") from error
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}:{port}"

    async def stop(self) -> None:
        """Accepted requests are answered first; a leader hands leadership over."""
        await self._health.enter_graceful_shutdown()
        tasks = [task for task in (self._announcer, self._compactor) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._announcer = self._compactor = None
        if self._node is not None:
            await self._node.stop()
        self._closing.set()
        if self._server is not None:
            await self._server.stop(grace=2.0)
            self._server = None
        if self._transport is not None:
            await self._transport.stop()
            self._transport = None
        if self._snapshotter is not None:
            await self._snapshotter.stop()
            self._snapshotter = None
        if self._log is not None:
            await self._log.stop()
            self._log = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def health(self) -> Mapping[str, str]:
        node = self._node
        if node is None:
            return {"store": "not started"}
        store = node.failure or ("ok" if node.leader else "no leader")
        return {"store": store, "snapshots": node.snapshot_problem or "ok"}


def _timing(config: MemberConfig) -> NodeConfig:
    """The node's ticks from the times that the flags give."""
    tick_ms = config.heartbeat_ms / TICKS_PER_HEARTBEAT
    return replace(
        config.node,
        tick_seconds=tick_ms / 1000,
        heartbeat_ticks=TICKS_PER_HEARTBEAT,
        election_ticks=max(1, round(config.election_ms / tick_ms)),
    )
