"""Keeps this machine's store member running: a process of its own that survives Ray, adopted when it runs already."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kubeactors.actors.daemon import Daemon
from kubeactors.actors.paths import Paths
from kubeactors.pki.cluster import ClusterPki

logger = logging.getLogger(__name__)

START_TIMEOUT = 60.0
"""Seconds until a member must serve; replaying a long log takes a while."""

CHECK_TIMEOUT = 3.0
FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0


class StoreMember:
    """The store member of this machine. `stop` leaves the process running; `purge` ends it."""

    def __init__(self, name: str, address: str, port: int, paths: Paths, pki: ClusterPki) -> None:
        self._name = name
        self._address = address
        self._port = port
        self._paths = paths
        self._pki = pki
        self._daemon = Daemon(paths.store_pid)
        self._watcher: asyncio.Task[None] | None = None
        self._restarts = 0

    async def start(self) -> None:
        """Adopt the running member or launch one, and return once it serves."""
        await self._ensure()
        self._watcher = asyncio.create_task(self._restart_for_ever(), name="store-member-watcher")

    async def stop(self) -> None:
        """Stop watching; the member goes on."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None

    async def purge(self) -> None:
        """Stop watching and end the member. What it acknowledged is on its disk."""
        await self.stop()
        await self._daemon.stop(grace=15.0)

    async def health(self) -> dict[str, str]:
        """Whether the process runs and answers."""
        pid = self._daemon.pid()
        if pid is None:
            return {"store": f"the process does not run; see {self._log_file}"}
        try:
            await self._check()
        except (grpc.RpcError, TimeoutError) as error:
            return {"store": f"process {pid} does not answer: {_reason(error)}"}
        return {"store": "ok"}

    @property
    def _log_file(self) -> Path:
        return self._paths.log / "store-member.log"

    async def _restart_for_ever(self) -> None:
        delay = FIRST_DELAY
        while True:
            await self._daemon.wait()
            self._restarts += 1
            logger.warning("the store member has ended (restart %d); see %s", self._restarts, self._log_file)
            try:
                await self._ensure()
                delay = FIRST_DELAY
            except (OSError, TimeoutError, RuntimeError):
                logger.exception("could not restart the store member; next try in %.1f s", delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)

    async def _ensure(self) -> None:
        if self._daemon.pid() is None:
            pid = await self._daemon.start(self._command(), environment=os.environ, log_file=self._log_file)
            logger.info("launched store member %s as process %d", self._name, pid)
        async with asyncio.timeout(START_TIMEOUT):
            await self._serving()

    async def _serving(self) -> None:
        ended = asyncio.create_task(self._daemon.wait())
        try:
            while True:
                if ended.done():
                    raise RuntimeError(f"the store member ended before it served; see {self._log_file}")
                try:
                    await self._check()
                    return
                except (grpc.RpcError, TimeoutError):
                    await asyncio.wait([ended], timeout=0.1)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    async def _check(self) -> None:
        key = self._pki.key("apiserver-etcd-client").read_bytes()
        certificate = self._pki.certificate("apiserver-etcd-client").read_bytes()
        credentials = grpc.ssl_channel_credentials(self._pki.store_ca.read_bytes(), key, certificate)
        async with grpc.aio.secure_channel(f"{self._address}:{self._port}", credentials) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=CHECK_TIMEOUT)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise TimeoutError("not serving yet")

    def _command(self) -> list[str]:
        urls = f"https://127.0.0.1:{self._port}"
        if self._address != "127.0.0.1":
            urls += f",https://{self._address}:{self._port}"
        return [
            *(sys.executable, "-m", "kubeactors.store"),
            *("--name", self._name),
            *("--data-dir", str(self._paths.store_data)),
            *("--listen-client-urls", urls),
            *("--cert-file", str(self._pki.certificate("etcd/server"))),
            *("--key-file", str(self._pki.key("etcd/server"))),
            *("--trusted-ca-file", str(self._pki.store_ca)),
        ]


def _reason(error: BaseException) -> str:
    return error.details() or str(error.code()) if isinstance(error, grpc.aio.AioRpcError) else str(error)
