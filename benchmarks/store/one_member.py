"""What the store costs: puts of 1 KB by 1 and 64 writers, ranges, watches, memory, restart.

    python -m benchmarks.store.one_member [--seconds 3] [--keys 20000] [--watchers 100] [--endpoint URL]

The member is a real process with mutual TLS and its data under --dir (default: the temporary directory; name one that
is on the disk you mean to measure). The load comes from this process on the same machine. Server CPU is the member's,
from /proc. `--endpoint` measures another store that speaks etcd's API in plain text, an etcd for one, over unary calls.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from benchmarks.figures import cpu_seconds, machine, milliseconds, pss
from kubeactors.store.client import StoreClient
from tests.support.store_process import StoreProcess

VALUE = b"x" * 1024


def report(name: str, text: str) -> None:
    print(f"{name:<44} {text}", flush=True)


async def load(
    name: str, call: Callable[[int], Awaitable[object]], callers: int, seconds: float, pid: int | None
) -> None:
    """`callers` call one after the other for `seconds`; each call gets a number of its own."""
    numbers = itertools.count()
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (begin := time.perf_counter()) < end:
            await call(next(numbers))
            times.append(time.perf_counter() - begin)

    cpu = cpu_seconds(pid) if pid else 0.0
    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    took = time.perf_counter() - started
    spent = f", server CPU {(cpu_seconds(pid) - cpu) / len(times) * 1e6:.0f} µs each" if pid else ""
    report(
        name,
        f"{len(times) / took:8.0f}/s  {milliseconds(times)}{spent}",
    )


async def watch_fan_out(store: StoreClient, watchers: int, writes: int) -> None:
    """How long until every watcher has every event of `writes` puts made one after the other without pause."""
    watches = [store.watch(b"fan/") for _ in range(watchers)]
    for watch in watches:
        await watch.start()
    received = 0
    delays: list[float] = []

    async def follow(number: int) -> None:
        nonlocal received
        seen = 0
        while seen < writes:
            batch = await anext(watches[number])
            now = time.perf_counter()
            delays.extend(now - float(event.kv.value) for event in batch.events)
            seen += len(batch.events)
        received += seen

    followers = [asyncio.create_task(follow(n)) for n in range(watchers)]
    started = time.perf_counter()
    for number in range(writes):
        await store.put(b"fan/%d" % (number % 50), b"%.9f" % time.perf_counter())
    await asyncio.gather(*followers)
    took = time.perf_counter() - started
    report(
        f"one writer, {watchers} watchers",
        f"{received / took:8.0f} events/s  write to receipt {milliseconds(delays)}",
    )
    for watch in watches:
        await watch.close()


async def measure(store: StoreClient, kind: str, pid: int | None, seconds: float) -> None:
    for writers in (1, 64):

        async def put(number: int) -> object:
            return await store.put(b"put/%d" % (number % 5000), VALUE)

        await load(f"put 1 KB, {writers} writers, {kind}", put, writers, seconds, pid)
    for callers in (1, 64):

        async def get(number: int) -> object:
            return await store.get(b"put/%d" % (number % 100))

        await load(f"get 1 KB, {callers} callers, {kind}", get, callers, seconds, pid)


async def run(arguments: argparse.Namespace) -> None:
    print(machine())
    if arguments.endpoint:
        store = StoreClient([arguments.endpoint], transport="unary", timeout=30)
        await measure(store, "unary", None, arguments.seconds)
        await watch_fan_out(store, arguments.watchers, 300)
        await store.close()
        return
    with tempfile.TemporaryDirectory(dir=arguments.dir) as directory, StoreProcess(Path(directory)) as process:
        await process.start()
        session = StoreClient([process.url], process.client_tls, timeout=30)
        unary = StoreClient([process.url], process.client_tls, timeout=30, transport="unary")
        await measure(session, "session", process.pid, arguments.seconds)
        await measure(unary, "unary", process.pid, arguments.seconds)
        await watch_fan_out(session, arguments.watchers, 300)
        await session.close()
        await unary.close()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as directory, StoreProcess(Path(directory)) as process:
        await process.start()
        await many_keys(process, arguments.keys)


async def many_keys(process: StoreProcess, keys: int) -> None:
    store = StoreClient([process.url], process.client_tls, timeout=30)
    report("memory, empty", f"{pss(process.pid) / 1e6:.0f} MB")
    numbers = iter(range(keys))

    async def fill() -> None:
        for number in numbers:
            await store.put(b"/registry/pods/default/pod-%08d" % number, VALUE)

    await asyncio.gather(*(fill() for _ in range(64)))
    report(f"memory with {keys} keys of 1 KB", f"{pss(process.pid) / 1e6:.0f} MB")

    async def list_1000(_: int) -> object:
        return await store.prefix(b"/registry/pods/", limit=1000)

    await load("range of 1,000 keys of 1 KB", list_1000, 1, seconds=2, pid=process.pid)

    async def count(_: int) -> object:
        return await store.range(b"/registry/pods/", b"/registry/pods0", count_only=True)

    await load(f"count of {keys} keys", count, 1, seconds=1, pid=process.pid)
    cpu = cpu_seconds(process.pid)
    await asyncio.sleep(5)  # what is measured is the idling itself
    report("idle", f"{(cpu_seconds(process.pid) - cpu) / 5 * 100:.2f} % of a core")
    process.kill()
    started = time.perf_counter()
    await process.start(120)
    report(f"restart after kill -9 with {keys} keys", f"{time.perf_counter() - started:.2f} s")
    report("memory after the restart", f"{pss(process.pid) / 1e6:.0f} MB")
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--dir", default=None)
    parser.add_argument("--endpoint", default="")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
