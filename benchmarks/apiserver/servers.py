"""The servers that are measured: one API server over one store member or three, all with TLS."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import cpu_seconds, pss, rss
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.store_cluster import StoreCluster


@dataclass
class Servers:
    """A running API server and its store's members."""

    plane: ControlPlane
    store: StoreCluster
    _before: dict[str, float] = field(default_factory=dict)

    def _cpu(self) -> dict[str, float]:
        store = sum(cpu_seconds(member.pid) for member in self.store.members)
        return {"apiserver": cpu_seconds(self.plane.pid("apiserver")), "store": store}

    def begin(self) -> None:
        """CPU is counted from here."""
        self._before = {**self._cpu(), "load": time.process_time()}

    def cpu_each(self, count: int) -> tuple[float, float]:
        """Milliseconds of CPU of the API server and of all members of the store, for each of `count` things."""
        used = {name: seconds - self._before[name] for name, seconds in self._cpu().items()}
        return used["apiserver"] / max(1, count) * 1000, used["store"] / max(1, count) * 1000

    def load_cpu(self) -> float:
        """Seconds of CPU that this process, which makes the load, has used itself."""
        return time.process_time() - self._before["load"]

    def memory(self) -> str:
        """Of each process."""
        pid = self.plane.pid("apiserver")
        stores = ", ".join(f"{pss(member.pid) / 2**20:.0f}" for member in self.store.members)
        return f"API server {rss(pid) / 2**20:.0f} MiB RSS ({pss(pid) / 2**20:.0f} PSS), store {stores} MiB PSS"

    def resident(self) -> float:
        """The API server's resident memory in MiB."""
        return rss(self.plane.pid("apiserver")) / 2**20

    async def seconds_to_ready(self) -> float:
        """Of a start of the API server on a store that holds what it holds."""
        await self.plane.stop_process("apiserver")
        started = time.perf_counter()
        await self.plane.start_apiserver()
        return time.perf_counter() - started


@contextlib.asynccontextmanager
async def servers(directory: Path, members: int) -> AsyncIterator[Servers]:
    """Start them; nothing is left behind."""
    async with StoreCluster(directory / "store", members, tls=True) as store:
        assert store.tls is not None
        tls = {"ca": store.tls.ca, "cert": store.tls.cert, "key": store.tls.key}
        endpoints = {"store_endpoints": store.endpoints, "store_tls": tls}
        async with control_plane(directory / "plane", "none", **endpoints) as plane:
            yield Servers(plane, store)
