"""What the API server costs: create, get, list of 1000 and watch fan-out to 100 watchers, over TLS.

    python -m benchmarks.apiserver [--seconds 4] [--pods 1000] [--watchers 100]

Store and API server are real processes with a throwaway PKI; the load comes from this process, on the same machine. CPU
is the servers' own, per request, from /proc. Pods are 2.1 KB and nothing schedules them.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import uvloop

from benchmarks.figures import cpu_seconds, machine, milliseconds, percentile, pss
from benchmarks.http_wire import WatchWire, Wire
from tests.support.control_plane import HOST, ControlPlane, control_plane

NAMESPACE = "/api/v1/namespaces/default"
TABLE = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n"
_STAMP = re.compile(rb'"stamp":"(\d+)"')


def pod(name: str) -> bytes:
    """A pod of 2.1 KB as stored, with an ordinary set of fields."""
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


class Servers:
    """CPU time of the two server processes between two looks."""

    def __init__(self, plane: ControlPlane) -> None:
        self._pids = {name: plane.pid(name) for name in ("apiserver", "store")}
        self._before: dict[str, float] = {}

    def begin(self) -> None:
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def per(self, count: int) -> str:
        """Milliseconds of CPU for each of `count` things."""
        used = {name: cpu_seconds(pid) - self._before[name] for name, pid in self._pids.items()}
        return ", ".join(f"{name} {seconds / max(1, count) * 1000:.3f} ms" for name, seconds in used.items())


Call = Callable[[Wire], Awaitable[None]]


async def load(plane: ControlPlane, servers: Servers, title: str, callers: int, seconds: float, call: Call) -> int:
    """Repeat `call` on as many connections at once for some seconds, and print what came of it."""
    wires = [await Wire.open(HOST, plane.https_port, plane.ssl_context()) for _ in range(callers)]
    took: list[float] = []
    servers.begin()
    started = time.perf_counter()

    async def repeat(wire: Wire) -> None:
        while (now := time.perf_counter()) - started < seconds:
            await call(wire)
            took.append(time.perf_counter() - now)

    await asyncio.gather(*map(repeat, wires))
    elapsed = time.perf_counter() - started
    rate = len(took) / elapsed
    print(f"{title:<26}{callers:>3} callers  {rate:8.0f}/s   {milliseconds(took)}   CPU each: {servers.per(len(took))}")
    for wire in wires:
        wire.close()
    return len(took)


async def fan_out(plane: ControlPlane, servers: Servers, watchers: int, seconds: float) -> None:
    """One writer without a pause, many watchers of the same object."""
    wire = await Wire.open(HOST, plane.https_port, plane.ssl_context())
    status, _ = await wire.request("POST", f"{NAMESPACE}/configmaps", b'{"metadata":{"name":"fan"}}')
    assert status == 201, status
    took: list[float] = []
    received, expected, complete = 0, 0, asyncio.Event()

    def seen(data: bytes) -> None:
        nonlocal received
        now = time.perf_counter_ns()
        for match in _STAMP.finditer(data):
            received += 1
            took.append((now - int(match.group(1))) / 1e9)
        if received == expected:
            complete.set()

    path = f"{NAMESPACE}/configmaps?watch=1&fieldSelector=metadata.name%3Dfan"
    loop = asyncio.get_running_loop()
    opened = []
    for _ in range(watchers):
        _, watch = await loop.create_connection(
            lambda: WatchWire(path, seen), HOST, plane.https_port, ssl=plane.ssl_context(), server_hostname=HOST
        )
        opened.append(watch)
    await asyncio.gather(*(watch.opened for watch in opened))
    servers.begin()
    started, writes = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        body = b'{"metadata":{"name":"fan"},"data":{"stamp":"%d"}}' % time.perf_counter_ns()
        status, _ = await wire.request("PUT", f"{NAMESPACE}/configmaps/fan", body)
        assert status == 200, status
        writes += 1
    elapsed = time.perf_counter() - started
    expected = writes * watchers
    if received < expected:
        async with asyncio.timeout(10):
            await complete.wait()
    cost = servers.per(received)
    print(
        f"{'watch fan-out':<26}{watchers:>3} watchers {writes / elapsed:8.0f} writes/s, "
        f"{received / elapsed:.0f} events/s   {milliseconds(took)}   CPU per event: {cost}"
    )
    for watch in opened:
        watch.close()
    wire.close()


async def measure(seconds: float, pods: int, watchers: int) -> None:
    """Everything, on servers of its own."""
    print(machine())
    with tempfile.TemporaryDirectory(prefix="kbench-") as directory:
        started = time.perf_counter()
        async with control_plane(Path(directory)) as plane:
            print(f"store and API server ready after {time.perf_counter() - started:.2f} s")
            servers = Servers(plane)
            numbers = itertools.count()

            async def create(wire: Wire) -> None:
                status, body = await wire.request("POST", f"{NAMESPACE}/pods", pod(f"p{next(numbers)}"))
                assert status == 201, body

            async def get(wire: Wire) -> None:
                status, body = await wire.request("GET", f"{NAMESPACE}/pods/p0")
                assert status == 200, body

            for callers in (1, 16, 64):
                await load(plane, servers, "create pod", callers, seconds, create)
            for callers in (1, 16, 64):
                await load(plane, servers, "get pod", callers, seconds, get)
            made = next(numbers)
            wire = await Wire.open(HOST, plane.https_port, plane.ssl_context())
            while made < pods:
                status, body = await wire.request("POST", f"{NAMESPACE}/pods", pod(f"p{made}"))
                assert status == 201, body
                made += 1
            for title, headers in (("list as JSON", ""), ("list as Table", TABLE)):
                await list_pods(wire, servers, title, pods, headers)
            wire.close()
            await fan_out(plane, servers, watchers, seconds)
            memory = {name: pss(plane.pid(name)) for name in ("apiserver", "store")}
            print(f"memory (PSS) with {made} pods: " + ", ".join(f"{n} {b / 2**20:.0f} MiB" for n, b in memory.items()))


async def list_pods(wire: Wire, servers: Servers, title: str, pods: int, headers: str) -> None:
    """Lists of `pods` pods, one after the other."""
    took, size = [], 0
    servers.begin()
    for _ in range(10):
        started = time.perf_counter()
        status, body = await wire.request("GET", f"{NAMESPACE}/pods?limit={pods}", headers=headers)
        took.append(time.perf_counter() - started)
        assert status == 200, body
        size = len(body)
    cost = servers.per(len(took))
    middle = percentile(took, 0.5) * 1000
    print(f"{title:<26}{pods:>5} pods, {size / 2**20:.2f} MiB   p50 {middle:.1f} ms   CPU each: {cost}")


def main() -> None:
    """Run on a control plane of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (default: 4)")
    parser.add_argument("--pods", type=int, default=1000, help="pods in the list (default: 1000)")
    parser.add_argument("--watchers", type=int, default=100, help="watchers in the fan-out (default: 100)")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(options.seconds, options.pods, options.watchers))


if __name__ == "__main__":
    main()
