"""Keeps this machine's store member running: a process of its own that survives Ray, adopted when it runs already.

A member whose data are here is started on them. One without data joins the others as a learner and votes once it has
caught up; what it was before is removed first, since a member that forgot what it promised must not come back. Only a
new cluster's first master begins an empty store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.daemon import Daemon
from kubeactors.actors.paths import Paths
from kubeactors.actors.store_peers import Member, PeersUnavailableError, StorePeers
from kubeactors.pki.cluster import ClusterPki
from kubeactors.store.client import TlsFiles
from kubeactors.store.client.channel import open_channel

logger = logging.getLogger(__name__)

START_TIMEOUT = 60.0
"""Seconds until a member must serve; replaying a long log takes a while."""

CHECK_TIMEOUT = 3.0
FIRST_DELAY = 0.1
LAST_BYTES = 4096
LONGEST_DELAY = 10.0
PROMOTION_PERIOD = 2.0


class DataLostError(RuntimeError):
    """The store's data are gone and nobody else has them; the message says what can be done."""


class StoreMember:
    """The store member of this machine. `stop` leaves the process running; `purge` ends it."""

    def __init__(
        self,
        name: str,
        address: str,
        config: ClusterConfig,
        paths: Paths,
        pki: ClusterPki,
        masters: Callable[[], Sequence[str]],
    ) -> None:
        """`masters` gives the addresses of all masters as they are now."""
        self._name = name
        self._address = address
        self._config = config
        self._paths = paths
        self._pki = pki
        self._masters = masters
        self._daemon = Daemon(paths.store_pid)
        self._tasks: list[asyncio.Task[None]] = []
        self._restarts = 0
        self._learner = ""

    async def start(self) -> None:
        """Adopt the running member or launch one, and return once it serves."""
        await self._ensure()
        self._tasks = [
            asyncio.create_task(self._restart_for_ever(), name="store-member-watcher"),
            asyncio.create_task(self._become_voter(), name="store-member-promotion"),
        ]

    async def stop(self) -> None:
        """Stop watching; the member goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def purge(self) -> None:
        """Stop watching and end the member. What it acknowledged is on its disk."""
        await self.stop()
        await self._daemon.stop(grace=15.0)

    async def health(self) -> dict[str, str]:
        """Whether the process runs and answers."""
        pid = self._daemon.pid()
        if pid is None:
            return {"store": f"the process does not run: {last_line(self._log_file)}; see {self._log_file}"}
        try:
            await self._check()
        except (grpc.RpcError, TimeoutError) as error:
            return {"store": f"process {pid} does not answer: {_reason(error)}"}
        return {"store": self._learner or "ok"}

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
            except (OSError, TimeoutError, RuntimeError):  # PeersUnavailableError among them
                logger.exception("could not restart the store member; next try in %.1f s", delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)

    async def _ensure(self) -> None:
        if self._daemon.pid() is None:
            if not self._pki.complete:
                raise RuntimeError("waiting for the cluster's keys from another master")
            command = [*self._command(), *await self._initial_cluster()]
            pid = await self._daemon.start(command, environment=os.environ, log_file=self._log_file)
            logger.info("launched store member %s as process %d", self._name, pid)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._serving()
        except RuntimeError:
            await self._leave_if_removed()
            raise
        self._paths.founding.unlink(missing_ok=True)

    async def _initial_cluster(self) -> list[str]:
        """The flags that say how the member comes to its data; those that it has are used whatever they say."""
        if self._has_data():
            # They name the members that an empty directory would begin with; this one is not empty.
            return ["--initial-cluster", f"{self._name}={self._peer_url}", "--initial-cluster-state", "existing"]
        if self._paths.founding.exists():
            logger.info("beginning a new store")
            return ["--initial-cluster", f"{self._name}={self._peer_url}", "--initial-cluster-state", "new"]
        members = await self._join()
        listed = ",".join(f"{member.name or self._name}={url}" for member in members for url in member.peer_urls)
        return ["--initial-cluster", listed, "--initial-cluster-state", "existing"]

    async def _join(self) -> list[Member]:
        peers = self._peers()
        if peers is None:
            raise DataLostError(
                f"the store's data are gone from {self._paths.store_data} and no other master has them: restore a "
                "snapshot there, or begin anew with `kubeactors down --delete-data`"
            )
        for member in await peers.members():
            if self._peer_url in member.peer_urls:
                logger.warning("replacing member %x: its data are not on this machine", member.id)
                await peers.remove(member.id)
        members = await peers.add_learner(self._peer_url)
        logger.info("joining the store of %s", ", ".join(member.name for member in members if member.name))
        return members

    async def _leave_if_removed(self) -> None:
        """Put data aside that belong to a member which the others have removed, so that it joins anew."""
        peers = self._peers()
        if peers is None or not self._has_data():
            return
        try:
            members = await peers.members()
        except PeersUnavailableError as error:
            logger.info("cannot ask whether this member was removed: %s", error)
            return
        if not any(self._peer_url in member.peer_urls for member in members):
            aside = self._paths.store_data.with_name(f"{self._paths.store_data.name}.removed-{int(time.time())}")
            logger.warning("the other members have removed this one; its data are now in %s", aside)
            self._paths.store_data.rename(aside)

    async def _become_voter(self) -> None:
        """Have a learner promoted once it has caught up."""
        self._learner = ""
        while (peers := self._peers()) is not None:
            try:
                mine = [member for member in await peers.members() if self._peer_url in member.peer_urls]
                if mine and not mine[0].learner:
                    break
                if mine:
                    self._learner = "it catches up and does not vote yet"
                    await peers.promote(mine[0].id)
                    logger.info("store member %s votes now", self._name)
                    break
            except PeersUnavailableError as error:
                logger.info("not promoted yet: %s", error)
            await asyncio.sleep(PROMOTION_PERIOD)
        self._learner = ""

    def _peers(self) -> StorePeers | None:
        others = [address for address in self._masters() if address != self._address]
        return StorePeers([self._client_url(address) for address in others], self._tls()) if others else None

    def _tls(self) -> TlsFiles:
        return TlsFiles(
            ca=str(self._pki.store_ca),
            cert=str(self._pki.certificate("apiserver-etcd-client")),
            key=str(self._pki.key("apiserver-etcd-client")),
        )

    def _has_data(self) -> bool:
        return any((self._paths.store_data / "member" / "wal").glob("*.wal"))

    def _client_url(self, address: str) -> str:
        return f"https://{address}:{self._config.store_port}"

    @property
    def _peer_url(self) -> str:
        return f"https://{self._address}:{self._config.store_peer_port}"

    async def _serving(self) -> None:
        ended = asyncio.create_task(self._daemon.wait())
        try:
            while True:
                if ended.done():
                    last = last_line(self._log_file)
                    raise RuntimeError(f"the store member ended before it served: {last}; see {self._log_file}")
                try:
                    await self._check()
                    return
                except (grpc.RpcError, TimeoutError):
                    await asyncio.wait([ended], timeout=0.1)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    async def _check(self) -> None:
        channel = open_channel(self._client_url(self._address), self._tls())
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=CHECK_TIMEOUT)
        finally:
            await channel.close()
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise TimeoutError("not serving yet")

    def _command(self) -> list[str]:
        """The process's flags, which are etcd's."""
        client_urls = [f"https://127.0.0.1:{self._config.store_port}"]
        if self._address != "127.0.0.1":
            client_urls.append(self._client_url(self._address))
        flags = {
            "name": self._name,
            "data-dir": self._paths.store_data,
            "listen-client-urls": ",".join(client_urls),
            "advertise-client-urls": client_urls[-1],
            "listen-peer-urls": self._peer_url,
            "initial-advertise-peer-urls": self._peer_url,
            "initial-cluster-token": self._config.cluster_name,
            "cert-file": self._pki.certificate("etcd/server"),
            "key-file": self._pki.key("etcd/server"),
            "trusted-ca-file": self._pki.store_ca,
            "peer-cert-file": self._pki.certificate("etcd/peer"),
            "peer-key-file": self._pki.key("etcd/peer"),
            "peer-trusted-ca-file": self._pki.store_ca,
        }
        arguments = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        return [sys.executable, "-m", "kubeactors.store", *arguments]


def last_line(log_file: Path) -> str:
    """What a process wrote last into its log: why it ended, where it has ended. At most 500 characters."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LAST_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"its log cannot be read: {error.strerror}"
    return next((line.strip()[-500:] for line in reversed(lines) if line.strip()), "it wrote nothing")


def _reason(error: BaseException) -> str:
    return error.details() or str(error.code()) if isinstance(error, grpc.aio.AioRpcError) else str(error)
