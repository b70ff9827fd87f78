"""Two API server cores on one real store process, which is killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.store.client import StoreClient
from tests.support.api_core import Api, running_core
from tests.support.control_plane import Store
from tests.support.etcd_process import etcd_binary
from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]


class StoreProcess:
    """`python -m kubeactors.store`, or a real etcd, without TLS on a free port."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self._command = [sys.executable, "-m", "kubeactors.store"]
        if store == "etcd":
            peer = f"http://127.0.0.1:{free_port()}"
            self._command = [str(etcd_binary()), "--advertise-client-urls", self.endpoint, "--log-level", "warn"]
            self._command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            self._command += ["--initial-cluster", f"m0={peer}"]
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self._directory / "store.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*self._command, "--name", "m0"),
                *("--data-dir", str(self._directory / "data"), "--listen-client-urls", self.endpoint),
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        client = StoreClient([self.endpoint])
        try:
            await client.revision(timeout=20)
        finally:
            await client.close()

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


@pytest.fixture(params=["own", "etcd"])
async def process(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreProcess]:
    process = StoreProcess(tmp_path, request.param)
    await process.start()
    try:
        yield process
    finally:
        await process.kill()


@contextlib.asynccontextmanager
async def core(process: StoreProcess) -> AsyncIterator[Api]:
    client = StoreClient([process.endpoint])
    try:
        async with running_core(client) as api:
            yield api
    finally:
        await client.close()


async def test_each_server_sees_what_the_other_wrote(process: StoreProcess) -> None:
    async with core(process) as one, core(process) as other:
        watch = await other.watch("configmaps", "ns", resource_version="0")
        for index in range(30):
            writer, reader = (one, other) if index % 2 else (other, one)
            await writer.config_map(f"c{index:02}")
            assert (await reader.get("configmaps", f"c{index:02}", "ns"))["data"] == {"k": "v"}
        assert await watch.names(30) == [("ADDED", f"c{index:02}") for index in range(30)]
        await asyncio.gather(
            *((one if n % 2 else other).patch("configmaps", "c00", {"data": {f"k{n}": "v"}}, "ns") for n in range(20))
        )
        assert len((await one.get("configmaps", "c00", "ns"))["data"]) == 21
        made = await asyncio.gather(
            *(
                (one if n % 2 else other).create(
                    "services",
                    {"metadata": {"name": f"s{n}"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}},
                    "ns",
                )
                for n in range(20)
            )
        )
        assert len({each["spec"]["clusterIP"] for each in made}) == 20
        assert len({each["spec"]["ports"][0]["nodePort"] for each in made}) == 20


async def test_pages_and_watches_over_a_compaction(process: StoreProcess) -> None:
    store = StoreClient([process.endpoint])
    try:
        async with core(process) as api:
            for index in range(5):
                await api.config_map(f"c{index}")
            page = await api.list("configmaps", "ns", limit=2)
            token = page["metadata"]["continue"]
            await api.delete("configmaps", "c3", "ns")
            assert await api.names("configmaps", "ns", continue_=token) == ["c2", "c3", "c4"]
            await store.compact(await store.revision())
            with pytest.raises(StatusError) as raised:
                await api.names("configmaps", "ns", continue_=token)
            assert raised.value.reason == "Expired"
            resumed = await api.watch("configmaps", "ns", resource_version=page["metadata"]["resourceVersion"])
            assert await resumed.names(1) == [("DELETED", "c3")], "the cache remembers what the store forgot"
    finally:
        await store.close()


async def test_a_killed_store_loses_nothing_and_watches_go_on(process: StoreProcess) -> None:
    async with core(process) as api:
        watch = await api.watch("configmaps", "ns")
        acknowledged = []
        for index in range(20):
            acknowledged.append((await api.config_map(f"c{index:02}"))["metadata"]["name"])
        assert await api.names("configmaps", "ns") == acknowledged
        await process.kill()
        assert await api.names("configmaps", "ns", resource_version="0") == acknowledged, "served without the store"
        await process.start()
        await api.config_map("later")
        assert await api.names("configmaps", "ns") == [*acknowledged, "later"]
        assert await watch.names(21) == [("ADDED", name) for name in [*acknowledged, "later"]]
