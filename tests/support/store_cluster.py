"""Store clusters of several members as processes, with everything that a test may do to them.

    async with StoreCluster(tmp_path, members=3) as cluster:
        store = cluster.client()
        await cluster.kill(await cluster.wait_leader())
        await store.put(b"k", b"v")

With `net` (an entered tests.support.member_net.MemberNet) each member lives in a network namespace of its own, and
connections can be cut. Nothing is left behind, however the test ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

import grpc
import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.pki.authority import Authority, Identity
from kubeactors.store.client import MemberStatus, StoreClient, StoreError, TlsFiles
from kubeactors.store.client.channel import open_channel
from tests.support.member_net import MemberNet
from tests.support.ports import free_port
from tests.support.store_health import serves

POLL = 0.02
T = TypeVar("T")


@dataclass(eq=False)
class StoreMemberProcess:
    """One member. `flags`: the ones that say how it came into the cluster; they stay the same over restarts."""

    name: str
    client_url: str
    peer_url: str
    data_dir: Path
    log: Path
    flags: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class StoreCluster:
    """Use as an async context manager: it starts `members` of them and waits until all serve. Members are m0, m1, …

    `flags` are given to each member. `tls`: clients and peers with certificates. `net`: where each gets a namespace.
    """

    def __init__(
        self,
        directory: Path,
        members: int = 3,
        *flags: str,
        tls: bool = False,
        net: MemberNet | None = None,
        token: str = "store-test",
    ) -> None:
        self.directory = directory
        self.tls: TlsFiles | None = None
        self.members: list[StoreMemberProcess] = []
        self._flags = list(flags)
        self._net = net
        self._token = token
        self._pki = _Certificates(directory / "pki") if tls else None
        self._made = 0
        self._clients = AsyncExitStack()
        directory.mkdir(parents=True, exist_ok=True)
        if self._pki is not None:
            self.tls = self._pki.issue("client", "localhost", "127.0.0.1")
        for _ in range(members):
            self._new_member()
        initial = self._initial_cluster()
        for member in self.members:
            member.flags = ["--initial-cluster", initial, "--initial-cluster-state", "new"]

    async def __aenter__(self) -> Self:
        try:
            for member in self.members:
                self.spawn(member)
            await self.serving()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._clients.aclose()
        finally:
            for member in self.members:
                member.end()

    # ---- what it is ----

    @property
    def has_net(self) -> bool:
        """Whether connections can be cut."""
        return self._net is not None

    def __getitem__(self, name: str) -> StoreMemberProcess:
        return next(member for member in self.members if member.name == name)

    @property
    def endpoints(self) -> list[str]:
        return [member.client_url for member in self.members]

    def client(self, *members: StoreMemberProcess, timeout: float = 10.0) -> StoreClient:
        """For these members, or for all; closed with the cluster."""
        client = StoreClient([m.client_url for m in members] or self.endpoints, self.tls, timeout=timeout)
        self._clients.push_async_callback(client.close)
        return client

    async def status(self, member: StoreMemberProcess, timeout: float = 1.0) -> MemberStatus | None:
        """What it says of itself; None when it does not answer."""
        client = StoreClient([member.client_url], self.tls)
        try:
            return await client.status(timeout=timeout)
        except StoreError:
            return None
        finally:
            await client.close()

    async def statuses(
        self, members: Collection[StoreMemberProcess] | None = None, timeout: float = 1.0
    ) -> dict[str, MemberStatus]:
        """Of those that answer, by name."""
        asked = [member for member in (self.members if members is None else members) if member.running]
        answers = await asyncio.gather(*(self.status(member, timeout) for member in asked))
        return {member.name: answer for member, answer in zip(asked, answers, strict=True) if answer is not None}

    async def leader(self) -> StoreMemberProcess | None:
        """The member that says of itself, in the newest term, that it leads; None while there is none."""
        leading = [(s.term, name) for name, s in (await self.statuses()).items() if s.leader_id == s.member_id]
        return self[max(leading)[1]] if leading else None

    async def wait_leader(
        self, *, besides: StoreMemberProcess | None = None, timeout: float = 20.0
    ) -> StoreMemberProcess:
        """`besides`: another one than this."""
        found: StoreMemberProcess | None = None

        async def there() -> bool:
            nonlocal found
            found = await self.leader()
            return found is not None and found is not besides

        await self.until(there, timeout)
        assert found is not None
        return found

    async def followers(self) -> list[StoreMemberProcess]:
        leader = await self.wait_leader()
        return [member for member in self.members if member is not leader]

    # ---- what can be done to it ----

    def spawn(self, member: StoreMemberProcess, *flags: str) -> None:
        """Start it on its data, with more flags for this time; returns at once."""
        assert not member.running
        command = [*member.inside, sys.executable, "-m", "kubeactors.store", "--name", member.name]
        command += ["--data-dir", str(member.data_dir), "--listen-client-urls", member.client_url]
        command += ["--listen-peer-urls", member.peer_url, "--initial-cluster-token", self._token]
        command += [*member.flags, *self._flags, *flags]
        if self._pki is not None:
            host = member.peer_url.split("//")[1].rpartition(":")[0]
            for prefix, name in (("", "server"), ("peer-", "peer")):
                files = self._pki.issue(f"{member.name}-{name}", "localhost", "127.0.0.1", host)
                command += [f"--{prefix}trusted-ca-file", files.ca, f"--{prefix}cert-file", files.cert]
                command += [f"--{prefix}key-file", files.key]
        with member.log.open("ab") as log:
            member.process = subprocess.Popen(command, stdout=log, stderr=log)

    async def serving(self, *members: StoreMemberProcess, timeout: float = 30.0) -> None:
        """Until these, or all, have caught up with a leader."""

        async def healthy() -> bool:
            wanted = members or tuple(self.members)
            for member in wanted:
                if not member.running:
                    code = member.process.returncode if member.process else None
                    raise AssertionError(f"{member.name} exited with {code}:\n{tail(member.log)}")
            return all(await asyncio.gather(*(serves(member.client_url, self.tls) for member in wanted)))

        try:
            await self.until(healthy, timeout)
        except TimeoutError:
            logs = "\n".join(f"--- {member.name}\n{tail(member.log, 15)}" for member in self.members)
            raise AssertionError(f"not serving after {timeout:g} s:\n{logs}") from None

    async def start(self, member: StoreMemberProcess) -> None:
        self.spawn(member)
        await self.serving(member)

    async def kill(self, member: StoreMemberProcess) -> None:
        """SIGKILL; returns when the process is gone."""
        os.kill(member.pid, signal.SIGKILL)
        assert member.process is not None
        await asyncio.to_thread(member.process.wait, 10)

    async def kill_all(self) -> None:
        """As a power cut does: all before any has ended."""
        for member in self.members:
            if member.running:
                os.kill(member.pid, signal.SIGKILL)
        for member in self.members:
            if member.process is not None:
                await asyncio.to_thread(member.process.wait, 10)

    async def terminate(self, member: StoreMemberProcess, timeout: float = 20.0) -> int:
        """SIGTERM; the exit code."""
        os.kill(member.pid, signal.SIGTERM)
        assert member.process is not None
        return await asyncio.to_thread(member.process.wait, timeout)

    async def exited(self, member: StoreMemberProcess, timeout: float = 20.0) -> int:
        """The exit code of one that ends by itself."""
        assert member.process is not None
        return await asyncio.to_thread(member.process.wait, timeout)

    async def restart(self, member: StoreMemberProcess) -> None:
        if member.running:
            await self.kill(member)
        await self.start(member)

    def stop(self, member: StoreMemberProcess) -> None:
        """SIGSTOP."""
        os.kill(member.pid, signal.SIGSTOP)

    def cont(self, member: StoreMemberProcess) -> None:
        """SIGCONT."""
        os.kill(member.pid, signal.SIGCONT)

    def cut(self, sender: StoreMemberProcess, receiver: StoreMemberProcess) -> None:
        """Nothing that `sender` sends reaches `receiver`, until `heal`. Needs `net`."""
        assert self._net is not None
        self._net.cut(sender.name, receiver.name)

    def isolate(self, member: StoreMemberProcess) -> None:
        """From all other members, both ways."""
        for other in self.members:
            if other is not member:
                self.cut(member, other)
                self.cut(other, member)

    def heal(self) -> None:
        assert self._net is not None
        self._net.heal()

    async def add(self, *, learner: bool = False, start: bool = True, timeout: float = 30.0) -> StoreMemberProcess:
        """A new member: told to the cluster, then started. Returns when it has caught up."""
        present = list(self.members)
        member = self._new_member()
        request = rpc_pb2.MemberAddRequest(peerURLs=[member.peer_url], isLearner=learner)
        try:
            await self._cluster_call(present, lambda stub: stub.MemberAdd(request, timeout=10), timeout)
        except BaseException:
            self.members.remove(member)
            raise
        member.flags = ["--initial-cluster", self._initial_cluster(), "--initial-cluster-state", "existing"]
        if start:
            self.spawn(member)
            await self.serving(member, timeout=timeout)
        return member

    async def promote(self, member: StoreMemberProcess, timeout: float = 30.0) -> None:
        request = rpc_pb2.MemberPromoteRequest(ID=await self.member_id(member))
        await self._cluster_call(self.members, lambda stub: stub.MemberPromote(request, timeout=10), timeout)

    async def remove(self, member: StoreMemberProcess, timeout: float = 30.0) -> None:
        """From the cluster; its process is left to find out. It stays out of `members`, its files stay."""
        request = rpc_pb2.MemberRemoveRequest(ID=await self.member_id(member))
        others = [other for other in self.members if other is not member]
        await self._cluster_call(others, lambda stub: stub.MemberRemove(request, timeout=10), timeout)
        self.members.remove(member)
        self._clients.callback(member.end)

    async def member_id(self, member: StoreMemberProcess) -> int:
        answer = await self._cluster_call(
            self.members, lambda stub: stub.MemberList(rpc_pb2.MemberListRequest(), timeout=2), 20.0
        )
        return next(int(found.ID) for found in answer.members if member.peer_url in found.peerURLs)

    # ---- how ----

    def _new_member(self) -> StoreMemberProcess:
        name = f"m{self._made}"
        self._made += 1
        if self._net is not None and not self._net.has(name):
            self._net.add(name)
        host = self._net.address(name) if self._net is not None else "127.0.0.1"
        scheme = "http" if self._pki is None else "https"
        member = StoreMemberProcess(
            name,
            f"{scheme}://{host}:{free_port()}",
            f"{scheme}://{host}:{free_port()}",
            self.directory / name,
            self.directory / f"{name}.log",
            inside=self._net.inside(name) if self._net is not None else [],
        )
        self.members.append(member)
        return member

    def _initial_cluster(self) -> str:
        return ",".join(f"{member.name}={member.peer_url}" for member in self.members)

    async def _cluster_call(
        self,
        members: Sequence[StoreMemberProcess],
        call: Callable[[rpc_pb2_grpc.ClusterStub], Awaitable[T]],
        timeout: float,
    ) -> T:
        """Asked of one running member after the other until one does it."""
        deadline = time.monotonic() + timeout
        while True:
            error: grpc.aio.AioRpcError | None = None
            for member in [member for member in members if member.running]:
                channel = open_channel(member.client_url, self.tls)
                try:
                    return await call(rpc_pb2_grpc.ClusterStub(channel))
                except grpc.aio.AioRpcError as refused:
                    error = refused
                finally:
                    await channel.close()
            if time.monotonic() > deadline:
                raise AssertionError(f"no member did it: {error.details() if error else 'none runs'}")
            await asyncio.sleep(0.1)

    @staticmethod
    async def until(condition: Callable[[], Awaitable[bool]], timeout: float = 20.0) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not await condition():  # noqa: ASYNC110  # other processes have no event
                await asyncio.sleep(POLL)


def tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "no log"


class _Certificates:
    """Of one authority for members, peers and clients."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._authority = Authority.create("etcd-ca", datetime.now(UTC))
        self._ca = directory / "ca.crt"
        self._ca.write_bytes(self._authority.certificate)

    def issue(self, name: str, *names: str) -> TlsFiles:
        """Made once, whoever asks again."""
        certificate, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        if not certificate.exists():
            identity = Identity(name, names=tuple(dict.fromkeys(names)), server=True, client=True)
            pair = self._authority.issue(identity, datetime.now(UTC))
            key.write_bytes(pair.key)
            certificate.write_bytes(pair.certificate)
        return TlsFiles(str(self._ca), str(certificate), str(key))
