"""One store member: everything put together, without a process of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import urlsplit

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health

from kubeactors.pb.etcd import rpc_pb2_grpc
from kubeactors.pb.store.v1 import session_pb2_grpc
from kubeactors.store.api import StoreApi
from kubeactors.store.clock import ClusterClock
from kubeactors.store.config import MemberConfig
from kubeactors.store.disk import Disk
from kubeactors.store.node import Node
from kubeactors.store.raft.solo import SoloCore
from kubeactors.store.services.cluster import ClusterService
from kubeactors.store.services.kv import KvService
from kubeactors.store.services.lease import LeaseService
from kubeactors.store.services.maintenance import MaintenanceService
from kubeactors.store.services.session import SessionService
from kubeactors.store.services.watch import WatchService
from kubeactors.store.snapshot.snapshotter import Snapshotter
from kubeactors.store.storage import DataDirLock, load
from kubeactors.store.tls import server_credentials
from kubeactors.store.wal.writer import LogWriter
from kubeactors.store.watch.hub import WatchHub

logger = logging.getLogger(__name__)

FRAME_OVERHEAD = 2 * 1024 * 1024
"""How much larger than the largest request a message may be: a session frame holds several."""


class StoreMember:
    """`start` returns once the member serves; it raises on a configuration or data that it cannot work with. `failed`
    is set when it can no longer serve; then `failure` says why, and it must be stopped."""

    def __init__(self, config: MemberConfig, disk: Disk | None = None) -> None:
        self._config = config
        self._disk = disk or Disk()
        self._closing = asyncio.Event()
        self._lock: DataDirLock | None = None
        self._log: LogWriter | None = None
        self._node: Node | None = None
        self._snapshotter: Snapshotter | None = None
        self._server: grpc.aio.Server | None = None
        self._health = grpc_health.HealthServicer()
        self.client_urls: tuple[str, ...] = ()

    @property
    def failed(self) -> asyncio.Event:
        assert self._node is not None, "the member was not started"
        return self._node.failed

    @property
    def failure(self) -> str | None:
        return self._node.failure if self._node is not None else None

    async def start(self) -> None:
        """Raises DataDirInUse, CorruptData, LogFailed, OSError, ValueError."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        config = self._config
        started = time.monotonic()
        self._lock = DataDirLock(config.data_dir)
        loaded = await asyncio.to_thread(load, self._disk, config.data_dir, config.segment_bytes)
        replayed = len(loaded.entries)
        self._log = LogWriter(loaded.log)
        self._log.start()
        self._snapshotter = Snapshotter(self._disk, loaded.snapshot_dir, loaded.cluster_id, loaded.member_id)
        core = SoloCore(loaded.member_id, loaded.hard_state, loaded.entries, loaded.machine.applied_index)
        hub = WatchHub(loaded.machine.mvcc)
        node = self._node = Node(
            core,
            self._log,
            loaded.machine,
            self._snapshotter,
            ClusterClock(time.monotonic),
            config.node,
            loaded.cluster_id,
            loaded.member_id,
            hub.publish,
        )
        del loaded
        await node.start()
        await self._serve(node, hub)
        logger.info(
            "member %s (%x of cluster %x) serves at %s: %d keys, revision %d, %d entries replayed, ready in %.2f s",
            config.name,
            node.member_id,
            node.cluster_id,
            ", ".join(self.client_urls),
            len(node.machine.mvcc),
            node.machine.mvcc.revision,
            replayed,
            time.monotonic() - started,
        )

    async def _serve(self, node: Node, hub: WatchHub) -> None:
        config = self._config
        max_message = config.node.max_request_bytes + FRAME_OVERHEAD
        server = self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", max_message),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
                ("grpc.http2.max_pings_without_data", 0),
                ("grpc.http2.max_frame_size", 1 << 20),
            ]
        )
        api = StoreApi(node, config.max_txn_ops)
        urls = tuple(self._listen(server, url) for url in config.listen_client_urls)
        self.client_urls = config.advertise_client_urls or urls
        rpc_pb2_grpc.add_KVServicer_to_server(KvService(api), server)
        rpc_pb2_grpc.add_LeaseServicer_to_server(LeaseService(api, node, self._closing), server)
        rpc_pb2_grpc.add_ClusterServicer_to_server(ClusterService(node, config.name, self.client_urls), server)
        rpc_pb2_grpc.add_MaintenanceServicer_to_server(MaintenanceService(node, api), server)
        session = SessionService(api, node, self._closing, config.node.max_request_bytes)
        session_pb2_grpc.add_SessionServicer_to_server(session, server)
        watch = WatchService(hub, node, self._closing, config.progress_interval)
        server.add_generic_rpc_handlers((watch.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        await server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    def _listen(self, server: grpc.aio.Server, url: str) -> str:
        """The URL with the port that was taken. Raises ValueError, OSError."""
        parts = urlsplit(url)
        tls = self._config.tls
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port is None:
            raise ValueError(f"--listen-client-urls: {url!r} is not http(s)://host:port")
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"--listen-client-urls: {url!r} needs --cert-file, --key-file and --trusted-ca-file")
        try:
            if parts.scheme == "https" and tls is not None:
                port = server.add_secure_port(parts.netloc, server_credentials(tls))
            else:
                port = server.add_insecure_port(parts.netloc)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {url}: {error}") from error
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}:{port}"

    async def stop(self) -> None:
        """Accepted requests are answered first."""
        await self._health.enter_graceful_shutdown()
        if self._node is not None:
            await self._node.stop()
        self._closing.set()
        if self._server is not None:
            await self._server.stop(grace=2.0)
            self._server = None
        if self._snapshotter is not None:
            await self._snapshotter.stop()
            self._snapshotter = None
        if self._log is not None:
            await self._log.stop()
            self._log = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def health(self) -> dict[str, str]:
        node = self._node
        if node is None:
            return {"store": "not started"}
        return {"store": node.failure or "ok", "snapshots": node.snapshot_problem or "ok"}
