"""What a run needs of the cluster that it tests, and such targets: one process of ours, a real etcd."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from kubeactors.store.client import StoreClient, StoreError, TlsFiles
from tests.support.etcd_process import EtcdCluster, EtcdMember
from tests.support.store_process import StoreProcess


class Target(Protocol):
    """Members are known by name. Faults do not wait for anything that they break."""

    tls: TlsFiles | None

    @property
    def names(self) -> list[str]:
        """Of the present members."""
        ...

    def endpoint(self, name: str) -> str: ...

    def running(self, name: str) -> bool: ...

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


async def ask_leader(endpoints: dict[str, str], tls: TlsFiles | None) -> str | None:
    """The member that most of `endpoints` (name: URL) hold for the leader."""

    async def ask(url: str) -> tuple[int, int] | None:
        client = StoreClient([url], tls)
        try:
            status = await client.status(timeout=0.5)
        except StoreError:
            return None
        finally:
            await client.close()
        return status.member_id, status.leader_id

    answers = await asyncio.gather(*(ask(url) for url in endpoints.values()))
    names = {answer[0]: name for name, answer in zip(endpoints, answers, strict=True) if answer is not None}
    votes = [answer[1] for answer in answers if answer is not None and answer[1]]
    return names.get(max(set(votes), key=votes.count)) if votes else None


async def serving(target: Target, patience: float = 30.0) -> None:
    """Until every member of `target` answers a linearizable read. Raises TimeoutError."""

    async def one(name: str) -> None:
        client = StoreClient([target.endpoint(name)], target.tls)
        try:
            while True:
                try:
                    await client.get(b"health", timeout=2)
                    return
                except StoreError:
                    await asyncio.sleep(0.05)
        finally:
            await client.close()

    async with asyncio.timeout(patience):
        await asyncio.gather(*(one(name) for name in target.names))


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


class RealEtcd:
    """An etcd of some members on this machine's loopback: without network cuts."""

    tls: TlsFiles | None = None

    def __init__(self, directory: Path, members: int = 3) -> None:
        # Elections as fast as they can be without being held by a busy machine.
        self._cluster = EtcdCluster(directory, members, "--heartbeat-interval=100", "--election-timeout=1000")

    def __enter__(self) -> RealEtcd:
        self._cluster.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.__exit__()

    def _member(self, name: str) -> EtcdMember:
        return next(member for member in self._cluster.members if member.name == name)

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        process = self._member(name).process
        assert process is not None
        return process

    @property
    def names(self) -> list[str]:
        return [member.name for member in self._cluster.members]

    def endpoint(self, name: str) -> str:
        return self._member(name).url

    def running(self, name: str) -> bool:
        return self._process(name).poll() is None

    async def leader(self) -> str | None:
        return await ask_leader({name: self.endpoint(name) for name in self.names}, None)

    async def kill(self, name: str) -> None:
        self._process(name).kill()
        await asyncio.to_thread(self._process(name).wait, 10)

    async def restart(self, name: str) -> None:
        self._cluster.start(self._member(name))

    def pause(self, name: str) -> None:
        self._process(name).send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        self._process(name).send_signal(signal.SIGCONT)

    def cut(self, sender: str, receiver: str) -> None:
        raise NotImplementedError("this etcd runs on the loopback of one machine")

    def heal(self) -> None:
        pass
