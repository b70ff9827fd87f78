"""Watch fan-out: one writer, many watchers of the same object; and what watches cost that see nothing."""

from __future__ import annotations

import asyncio
import time

from benchmarks.apiserver.calls import NAMESPACE
from benchmarks.apiserver.peer import FAN_OUT, Figure, ratio
from benchmarks.apiserver.servers import Servers
from benchmarks.figures import percentile
from benchmarks.http_wire import WatchWire, Wire
from tests.support.control_plane import HOST

_STAMP, _DIGITS = b'"stamp":"', 20
_SPACE = 256 * 1024
_PATH = f"{NAMESPACE}/configmaps?watch=1&fieldSelector=metadata.name%3Dfan"


async def _watch(running: Servers, count: int, path: str, seen: Seen) -> list[WatchWire]:
    loop, plane, opened = asyncio.get_running_loop(), running.plane, []
    space = bytearray(_SPACE)
    for _ in range(count):
        _, watch = await loop.create_connection(
            lambda: WatchWire(path, seen, space), HOST, plane.https_port, ssl=plane.ssl_context(), server_hostname=HOST
        )
        opened.append(watch)
    await asyncio.gather(*(watch.opened for watch in opened))
    return opened


class Seen:
    """Counts the events that came, and how long each took from its write."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self._expected, self._complete = -1, asyncio.Event()

    def __call__(self, data: bytearray, size: int) -> None:
        now = time.perf_counter_ns()
        at = data.find(_STAMP, 0, size)
        while at >= 0:
            start = at + len(_STAMP)
            self.took.append((now - int(data[start : data.index(b'"', start)])) / 1e9)
            at = data.find(_STAMP, start, size)
        if len(self.took) == self._expected:
            self._complete.set()

    async def all(self, expected: int) -> None:
        """Wait for so many events."""
        self._expected = expected
        if len(self.took) < expected:
            async with asyncio.timeout(20):
                await self._complete.wait()


async def fan_out(running: Servers, watchers: int, seconds: float, rate: float = 0) -> None:
    """`rate`: writes a second; 0: as many as one writer can."""
    plane = running.plane
    wire = await Wire.open(HOST, plane.https_port, plane.ssl_context())
    status, body = await wire.request("PUT", f"{NAMESPACE}/configmaps/fan", b'{"metadata":{"name":"fan"}}')
    if status == 404:
        status, body = await wire.request("POST", f"{NAMESPACE}/configmaps", b'{"metadata":{"name":"fan"}}')
    assert status in (200, 201), body
    seen = Seen()
    opened = await _watch(running, watchers, _PATH, seen)
    running.begin()
    started, writes, pause = time.perf_counter(), 0, 1 / rate if rate else 0
    while time.perf_counter() - started < seconds:
        stamped = b'{"metadata":{"name":"fan"},"data":{"stamp":"%d"}}' % time.perf_counter_ns()
        status, body = await wire.request("PUT", f"{NAMESPACE}/configmaps/fan", stamped)
        assert status == 200, body
        writes += 1
        if rate:
            # By the clock: a write that took long is followed by others sooner, as from writers that do not wait.
            await asyncio.sleep(max(0.0, started + writes * pause - time.perf_counter()))
    elapsed = time.perf_counter() - started
    await seen.all(writes * watchers)
    cpu, busy = running.cpu_each(len(seen.took)), running.load_cpu() / elapsed
    peer = FAN_OUT.get(watchers, Figure())
    p50, p99 = (percentile(seen.took, share) * 1000 for share in (0.5, 0.99))
    print(
        f"fan-out {watchers:>5} watchers {writes / elapsed:6.0f} writes/s, {len(seen.took) / elapsed:7.0f} events/s   "
        f"p50 {p50:6.1f} ms ({ratio(p50, peer.p50)})   p99 {p99:6.1f} ms ({ratio(p99, peer.p99)})   "
        f"CPU per event {cpu[0]:.4f} + {cpu[1]:.4f} ms, load {busy:.2f} cores"
    )
    for watch in opened:
        watch.close()
    wire.close()


async def idle(running: Servers, watchers: int, seconds: float) -> None:
    """Watches of a namespace in which nothing happens."""
    before = running.resident()
    opened = await _watch(running, watchers, "/api/v1/namespaces/quiet/pods?watch=1&resourceVersion=0", Seen())
    running.begin()
    await asyncio.sleep(seconds)
    server, _ = running.cpu_each(1)
    memory = (running.resident() - before) * 1024 / watchers
    print(f"idle    {watchers:>5} watchers   CPU {server / seconds / 10:.2f} % of a core   {memory:.1f} KiB each")
    for watch in opened:
        watch.close()
