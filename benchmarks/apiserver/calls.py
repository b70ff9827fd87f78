"""Creates, gets, merge patches and deletes by some callers at once, and lists."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import orjson

from benchmarks.apiserver.peer import CALLS, LISTS, Figure, ratio
from benchmarks.apiserver.servers import Servers
from benchmarks.figures import percentile
from benchmarks.http_wire import Wire
from tests.support.control_plane import HOST

NAMESPACE = "/api/v1/namespaces/default"
#: How a list is asked for.
FORMS = {
    "JSON": "",
    "gzip": "Accept-Encoding: gzip\r\n",
    "Table": "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n",
}
MERGE_PATCH = "application/merge-patch+json"

Call = Callable[[Wire, int], Awaitable[None]]


def pod(name: str) -> bytes:
    """A pod of 2.1 KB as stored (without managedFields), with an ordinary set of fields."""
    environment = [{"name": f"SETTING_{n}", "value": "x" * 40} for n in range(14)]
    container = {
        "name": "main",
        "image": "registry.example/team/application:1.2.3",
        "env": environment,
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    labels = {"app": "benchmark", "tier": "back", "pod": name}
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {"schedulerName": "none", "containers": [container]},
        }
    )


class Pods:
    """The pods that were made in one namespace. Names are counted, so that the ones to delete are known."""

    def __init__(self, running: Servers, namespace: str) -> None:
        self._running = running
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._made = itertools.count()
        self._gone = itertools.count()
        self._stamps = itertools.count()
        self.count = 0

    async def make_namespace(self) -> None:
        """Make the namespace, unless it is one that every cluster has."""
        (wire,) = await self._open(1)
        made = orjson.dumps({"metadata": {"name": self._namespace}})
        status, body = await wire.request("POST", "/api/v1/namespaces", made)
        assert status == 201, body
        wire.close()

    async def create(self, wire: Wire, caller: int) -> None:
        status, body = await wire.request("POST", self._path, pod(f"p{next(self._made)}"))
        assert status == 201, body
        self.count += 1

    async def get(self, wire: Wire, caller: int) -> None:
        status, body = await wire.request("GET", f"{self._path}/kept{caller}")
        assert status == 200, body

    async def patch(self, wire: Wire, caller: int) -> None:
        """Each caller another pod."""
        change = b'{"metadata":{"labels":{"stamp":"%d"}}}' % next(self._stamps)
        status, body = await wire.request("PATCH", f"{self._path}/kept{caller}", change, content_type=MERGE_PATCH)
        assert status == 200, body

    async def delete(self, wire: Wire, caller: int) -> None:
        status, body = await wire.request("DELETE", f"{self._path}/p{next(self._gone)}")
        assert status == 200, body
        self.count -= 1

    async def keep(self, number: int) -> None:
        """Make the pods that are read and patched."""
        (wire,) = await self._open(1)
        for caller in range(number):
            status, body = await wire.request("POST", self._path, pod(f"kept{caller}"))
            assert status == 201, body
            self.count += 1
        wire.close()

    async def fill(self, number: int) -> None:
        """Make pods until there are so many."""
        wires = await self._open(16)

        async def repeat(wire: Wire, caller: int) -> None:
            while self.count + len(wires) <= number:
                await self.create(wire, caller)

        await asyncio.gather(*(repeat(wire, caller) for caller, wire in enumerate(wires)))
        while self.count < number:
            await self.create(wires[0], 0)
        for wire in wires:
            wire.close()

    async def measure(self, title: str, call: Call, callers: int, seconds: float, *, most: int = 0) -> None:
        """Repeat the call on as many connections at once, for some seconds or `most` times, and print what came."""
        wires = await self._open(callers)
        took: list[float] = []
        self._running.begin()
        started = time.perf_counter()

        async def repeat(wire: Wire, caller: int) -> None:
            while (now := time.perf_counter()) - started < seconds and (not most or len(took) + callers <= most):
                await call(wire, caller)
                took.append(time.perf_counter() - now)

        await asyncio.gather(*(repeat(wire, caller) for caller, wire in enumerate(wires)))
        elapsed = time.perf_counter() - started
        cpu, load = self._running.cpu_each(len(took)), self._running.load_cpu() / len(took)
        for wire in wires:
            wire.close()
        _tell(title, callers, took, elapsed, cpu, load, CALLS.get((title, callers), Figure()))

    async def list_all(self, form: str) -> None:
        """Lists of everything there is, one after the other. CPU is of those after the first, which may have to make
        what is then kept."""
        (wire,) = await self._open(1)
        took, size, headers = [], 0, FORMS[form]
        for number in range(11):
            if number == 1:
                self._running.begin()
            started = time.perf_counter()
            status, body = await wire.request("GET", self._path, headers=headers)
            took.append(time.perf_counter() - started)
            assert status == 200, body
            size = wire.size
        server, store = self._running.cpu_each(len(took) - 1)
        wire.close()
        middle, peer = percentile(took, 0.5) * 1000, LISTS.get((form, self.count), Figure())
        print(
            f"list {form:<6}{self.count:>6} pods {size / 2**20:7.2f} MiB   first {took[0] * 1000:7.1f} ms   "
            f"p50 {middle:7.1f} ms ({ratio(middle, peer.p50)})   CPU {server:.1f} + {store:.1f} ms"
        )

    async def _open(self, count: int) -> list[Wire]:
        plane = self._running.plane
        return [await Wire.open(HOST, plane.https_port, plane.ssl_context()) for _ in range(count)]


def _tell(
    title: str, callers: int, took: list[float], elapsed: float, cpu: tuple[float, float], load: float, peer: Figure
) -> None:
    """`cpu` is milliseconds of the servers, `load` seconds of this process, both for one call."""
    rate, whole = len(took) / elapsed, sum(cpu)
    p50, p99 = (percentile(took, share) * 1000 for share in (0.5, 0.99))
    print(
        f"{title:<8}{callers:>3} callers {rate:7.0f}/s ({ratio(rate, peer.rate)})   "
        f"p50 {p50:6.1f} ms ({ratio(p50, peer.p50)})   p99 {p99:6.1f} ms ({ratio(p99, peer.p99)})   "
        f"CPU {cpu[0]:.3f} + {cpu[1]:.3f} = {whole:.3f} ms ({ratio(whole, peer.cpu)}), load {load * 1000:.3f} ms"
    )
