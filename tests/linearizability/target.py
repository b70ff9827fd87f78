"""What a run needs of the cluster that it tests, and such targets: one process of ours, a real etcd."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import grpc
import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import MemberStatus, StoreClient, StoreError, TlsFiles
from kubeactors.store.client.channel import open_channel
from tests.support.etcd_process import etcd_binary
from tests.support.member_net import MemberNet
from tests.support.ports import free_port
from tests.support.store_cluster import StoreCluster, tail
from tests.support.store_process import StoreProcess


class Target(Protocol):
    """Members are known by name. Faults do not wait for anything that they break."""

    @property
    def tls(self) -> TlsFiles | None: ...

    @property
    def names(self) -> list[str]:
        """Of the present members."""
        ...

    def endpoint(self, name: str) -> str: ...

    def running(self, name: str) -> bool: ...

    def log_tail(self, name: str) -> str:
        """The last lines of what the member logged."""
        ...

    async def leader(self) -> str | None:
        """The one that most members, asked now, hold for it; None when nobody answers or knows."""
        ...

    async def kill(self, name: str) -> None:
        """SIGKILL; returns when the process is gone."""
        ...

    async def restart(self, name: str) -> None:
        """Starts a member that is not running, on its data. Returns before it serves."""
        ...

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        ...

    def go_on(self, name: str) -> None:
        """SIGCONT."""
        ...

    def cut(self, sender: str, receiver: str) -> None:
        """Nothing that `sender` sends reaches `receiver` any more."""
        ...

    def heal(self) -> None:
        """Ends all cuts."""
        ...


class ChangeableTarget(Target, Protocol):
    """A cluster whose members can be replaced while it runs."""

    def snapshots_received(self, name: str) -> int | None:
        """How many snapshots other members have sent it; None when this is not known."""
        ...

    async def remove(self, name: str) -> None:
        """Takes the member out of the cluster, and its process away. Raises when the cluster refuses."""
        ...

    async def add(self) -> str:
        """A new member with no data, started. Returns its name before it has caught up."""
        ...


async def status_of(endpoint: str, tls: TlsFiles | None, timeout: float = 1.0) -> MemberStatus | None:
    """None when the member does not answer."""
    client = StoreClient([endpoint], tls)
    try:
        return await client.status(timeout=timeout)
    except StoreError:
        return None
    finally:
        await client.close()


async def ask_leader(endpoints: dict[str, str], tls: TlsFiles | None) -> str | None:
    """The member that most of `endpoints` (name: URL) hold for the leader."""
    answers = await asyncio.gather(*(status_of(url, tls, 0.5) for url in endpoints.values()))
    names = {answer.member_id: name for name, answer in zip(endpoints, answers, strict=True) if answer is not None}
    votes = [answer.leader_id for answer in answers if answer is not None and answer.leader_id]
    return names.get(max(set(votes), key=votes.count)) if votes else None


async def serving(target: Target, patience: float = 30.0) -> None:
    """Until every member of `target` answers a linearizable read. Raises AssertionError after `patience` seconds."""
    waiting = set(target.names)

    async def one(name: str) -> None:
        client = StoreClient([target.endpoint(name)], target.tls)
        try:
            while True:
                try:
                    await client.get(b"health", timeout=2)
                    waiting.discard(name)
                    return
                except StoreError:
                    await asyncio.sleep(0.05)
        finally:
            await client.close()

    try:
        async with asyncio.timeout(patience):
            await asyncio.gather(*(one(name) for name in target.names))
    except TimeoutError:
        logs = "\n".join(f"--- {name}\n{target.log_tail(name)}" for name in target.names)
        raise AssertionError(f"{sorted(waiting)} do not serve after {patience:g} s:\n{logs}") from None


class LoneStore:
    """One member of ours as its own process."""

    def __init__(self, process: StoreProcess) -> None:
        self._process = process
        self.tls = process.client_tls

    @property
    def names(self) -> list[str]:
        return ["m0"]

    def endpoint(self, name: str) -> str:
        return self._process.url

    def running(self, name: str) -> bool:
        return self._process.running

    def log_tail(self, name: str) -> str:
        return tail(self._process.log)

    async def leader(self) -> str | None:
        return "m0" if self._process.running else None

    async def kill(self, name: str) -> None:
        await asyncio.to_thread(self._process.kill)

    async def restart(self, name: str) -> None:
        self._process.spawn()

    def pause(self, name: str) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def cut(self, sender: str, receiver: str) -> None:
        raise NotImplementedError("one member has no peer to be cut from")

    def heal(self) -> None:
        pass


class OurStore:
    """Several members of ours (tests.support.store_cluster). With `net`, connections can be cut."""

    def __init__(self, cluster: StoreCluster) -> None:
        self._cluster = cluster

    @property
    def tls(self) -> TlsFiles | None:
        return self._cluster.tls

    @property
    def names(self) -> list[str]:
        return [member.name for member in self._cluster.members]

    def endpoint(self, name: str) -> str:
        return self._cluster[name].client_url

    def running(self, name: str) -> bool:
        return self._cluster[name].running

    def log_tail(self, name: str) -> str:
        return tail(self._cluster[name].log)

    async def leader(self) -> str | None:
        return await ask_leader({name: self.endpoint(name) for name in self.names}, self.tls)

    async def kill(self, name: str) -> None:
        await self._cluster.kill(self._cluster[name])

    async def restart(self, name: str) -> None:
        self._cluster.spawn(self._cluster[name])

    def pause(self, name: str) -> None:
        self._cluster.stop(self._cluster[name])

    def go_on(self, name: str) -> None:
        self._cluster.cont(self._cluster[name])

    def cut(self, sender: str, receiver: str) -> None:
        self._cluster.cut(self._cluster[sender], self._cluster[receiver])

    def heal(self) -> None:
        if self._cluster.has_net:
            self._cluster.heal()

    def snapshots_received(self, name: str) -> int | None:
        return self._cluster[name].log.read_text().count("sends its snapshot")

    async def remove(self, name: str) -> None:
        member = self._cluster[name]
        await self._cluster.remove(member)
        await asyncio.to_thread(member.end)

    async def add(self) -> str:
        member = await self._cluster.add(start=False)
        self._cluster.spawn(member)
        return member.name


class RealEtcd:
    """An etcd of some members, in network namespaces if `net` has one for each of its names."""

    tls: TlsFiles | None = None

    def __init__(self, directory: Path, members: int = 3, net: MemberNet | None = None) -> None:
        self._directory = directory
        self._net = net
        names = [f"m{number}" for number in range(members)]
        self._next = members
        self._urls = {name: (self._url(name), self._url(name)) for name in names}  # for clients, for peers
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _url(self, name: str) -> str:
        return f"http://{self._net.address(name) if self._net else '127.0.0.1'}:{free_port()}"

    def __enter__(self) -> RealEtcd:
        self._directory.mkdir(parents=True, exist_ok=True)
        for name in self._urls:
            self._spawn(name, "new")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def _spawn(self, name: str, state: str) -> None:
        client, peer = self._urls[name]
        command = [*(self._net.inside(name) if self._net else []), str(etcd_binary()), "--name", name]
        command += ["--data-dir", str(self._directory / name), "--log-level", "warn"]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", ",".join(f"{m}={urls[1]}" for m, urls in self._urls.items())]
        command += ["--initial-cluster-state", state]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")}
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    @property
    def names(self) -> list[str]:
        return list(self._urls)

    def endpoint(self, name: str) -> str:
        return self._urls[name][0]

    def running(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def log_tail(self, name: str) -> str:
        return tail(self._directory / f"{name}.log")

    async def leader(self) -> str | None:
        return await ask_leader({name: self.endpoint(name) for name in self.names}, None)

    async def kill(self, name: str) -> None:
        self._processes[name].kill()
        await asyncio.to_thread(self._processes[name].wait, 10)

    async def restart(self, name: str) -> None:
        self._spawn(name, "existing")

    def pause(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGCONT)

    def cut(self, sender: str, receiver: str) -> None:
        if self._net is None:
            raise NotImplementedError("this etcd runs on the loopback of one machine")
        self._net.cut(sender, receiver)

    def heal(self) -> None:
        if self._net is not None:
            self._net.heal()

    def snapshots_received(self, name: str) -> int | None:
        return None

    async def remove(self, name: str) -> None:
        status = await status_of(self.endpoint(name), None)
        assert status is not None
        await self._cluster(lambda stub: stub.MemberRemove(rpc_pb2.MemberRemoveRequest(ID=status.member_id)), name)
        await self.kill(name)
        del self._urls[name]

    async def add(self) -> str:
        name = f"m{self._next}"
        self._next += 1
        urls = self._url(name), self._url(name)
        await self._cluster(lambda stub: stub.MemberAdd(rpc_pb2.MemberAddRequest(peerURLs=[urls[1]])), "")
        self._urls[name] = urls
        self._spawn(name, "existing")
        return name

    async def _cluster(self, ask: Callable[[Any], Awaitable[object]], but: str) -> None:
        """Through a member other than `but`, again while etcd holds its cluster for unhealthy."""
        async with asyncio.timeout(20), open_channel(next(self.endpoint(n) for n in self.names if n != but), None) as c:
            while True:
                try:
                    await ask(rpc_pb2_grpc.ClusterStub(c))
                    return
                except grpc.aio.AioRpcError as error:
                    if error.code() != grpc.StatusCode.UNAVAILABLE:
                        raise
                    await asyncio.sleep(0.1)
