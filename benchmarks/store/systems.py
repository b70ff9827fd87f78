"""The two systems: members as processes on this machine, data on its disk and synced, plain text or TLS for clients."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import grpc
import grpc.aio

from benchmarks.store.load import Way
from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import TlsFiles
from kubeactors.store.client.channel import open_channel
from tests.support.etcd_process import EtcdCluster
from tests.support.store_cluster import StoreCluster
from tests.support.store_process import make_certificates


class System(Protocol):
    """`ways`: how it can be loaded, see benchmarks.store.load."""

    name: str
    ways: Sequence[Way]
    urls: list[str]
    tls: TlsFiles | None

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def pids(self) -> list[int]: ...
    def kill(self, number: int) -> None:
        """SIGKILL to the member; it can be started again."""

    def start_member(self, number: int) -> None: ...


class Etcd:
    name = "etcd"
    ways: Sequence[Way] = ("unary", "raw")

    def __init__(self, directory: Path, members: int, tls: bool) -> None:
        self.tls: TlsFiles | None = None
        server: TlsFiles | None = None
        if tls:
            server, self.tls = make_certificates(directory / "pki")
        # etcd's default quota would be reached by what a fast disk takes in one long run.
        flags = ("--quota-backend-bytes", str(8 * 1024**3))
        self._cluster = EtcdCluster(directory, members, *flags, server_tls=server, token="benchmark")
        self.urls = self._cluster.urls

    async def start(self) -> None:
        await asyncio.to_thread(self._cluster.__enter__)

    async def stop(self) -> None:
        await asyncio.to_thread(self._cluster.__exit__)

    def pids(self) -> list[int]:
        return [_pid(member.process) for member in self._cluster.members]

    def kill(self, number: int) -> None:
        _kill(self._cluster.members[number].process)

    def start_member(self, number: int) -> None:
        self._cluster.start(self._cluster.members[number])


class Store:
    name = "store"
    ways: Sequence[Way] = ("session", "unary", "raw")

    def __init__(self, directory: Path, members: int, tls: bool) -> None:
        # etcd's quota beside it is as high.
        self._cluster = StoreCluster(directory, members, "--quota-backend-bytes", str(8 * 1024**3), tls=tls)
        self.urls = self._cluster.endpoints
        self.tls = self._cluster.tls

    async def start(self) -> None:
        await self._cluster.__aenter__()

    async def stop(self) -> None:
        await self._cluster.__aexit__()

    def pids(self) -> list[int]:
        return [_pid(member.process) for member in self._cluster.members]

    def kill(self, number: int) -> None:
        _kill(self._cluster.members[number].process)

    def start_member(self, number: int) -> None:
        self._cluster.spawn(self._cluster.members[number])


def _pid(process: subprocess.Popen[bytes] | None) -> int:
    assert process is not None
    return process.pid


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)


# ---- what the benchmark asks of either ----


async def status(url: str, tls: TlsFiles | None, timeout: float = 5.0) -> rpc_pb2.StatusResponse:
    """Raises grpc.aio.AioRpcError."""
    channel = open_channel(url, tls)
    try:
        stub = rpc_pb2_grpc.MaintenanceStub(channel)
        answer: rpc_pb2.StatusResponse = await stub.Status(rpc_pb2.StatusRequest(), timeout=timeout)
        return answer
    finally:
        await channel.close()


async def leader(system: System) -> int:
    """Which of `system.urls` leads."""
    for number, url in enumerate(system.urls):
        answer = await status(url, system.tls)
        if answer.leader == answer.header.member_id:
            return number
    raise RuntimeError(f"{system.name} has no leader")


async def compact(system: System) -> None:
    """Forget the history, and return when it is freed."""
    channel = open_channel(system.urls[0], system.tls)
    try:
        stub = rpc_pb2_grpc.KVStub(channel)
        revision = (await stub.Range(rpc_pb2.RangeRequest(key=b"compact"), timeout=30)).header.revision
        request = rpc_pb2.CompactionRequest(revision=revision, physical=True)
        await stub.Compact(request, timeout=120)
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.OUT_OF_RANGE:  # nothing was written since the last time
            raise
    finally:
        await channel.close()


async def serving(url: str, tls: TlsFiles | None, timeout: float = 120.0) -> float:
    """Until the member answers a linearizable read; when, by time.monotonic. Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        channel = open_channel(url, tls)
        try:
            await rpc_pb2_grpc.KVStub(channel).Range(rpc_pb2.RangeRequest(key=b"up"), timeout=1, wait_for_ready=True)
            return time.monotonic()
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)
        finally:
            await channel.close()
    raise TimeoutError(f"{url} does not serve")
