"""One process of load: callers that call one after the other, over one of three ways in.

    session   kubeactors.store.client over the session stream (this store only)
    unary     kubeactors.store.client over etcd's unary gRPC
    raw       etcd's unary gRPC by benchmarks.store.raw_grpc, where the client costs next to nothing

It is told what to do by lines of JSON on stdin and answers each by a line on stdout; see `Job` and `Outcome`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import resource
import ssl
import sys
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, field
from typing import Literal

import uvloop

from benchmarks.store.raw_grpc import CallFailed, RawConnection
from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.client import StoreClient, StoreError, TlsFiles
from kubeactors.store.keys import prefix_end

Way = Literal["session", "unary", "raw"]
What = Literal["put", "get", "serializable", "fill", "watch"]
VALUE = b"x" * 1024
PATIENCE = 60.0
"""Seconds after which a job that should be over is given up."""
PUT, RANGE, WATCH = "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range", "/etcdserverpb.Watch/Watch"


@dataclass(frozen=True)
class Job:
    """`callers` over `endpoints` in turn, from the moment `start` (time.monotonic) on for `seconds`.

    fill: put the keys number `first` to `first + keys` once. watch: `callers` watchers of all that the writer of this
    same job puts: `keys` puts by `writers` writers without pause.
    """

    way: Way
    what: What
    endpoints: list[str]
    tls: list[str] | None = None
    callers: int = 1
    seconds: float = 1.0
    start: float = 0.0
    keys: int = 5000
    first: int = 0
    writers: int = 1


@dataclass
class Outcome:
    """`times`: µs of each call; for a watch, from before the put to the receipt, of each event."""

    count: int = 0
    failures: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    times: list[int] = field(default_factory=list)
    error: str = ""


class Load:
    """Connections are kept between jobs."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], StoreClient] = {}
        self._raw: dict[str, RawConnection] = {}

    async def do(self, job: Job) -> Outcome:
        outcome = Outcome()
        run = self._raw_calls if job.way == "raw" else self._client_calls
        if job.what == "watch":
            run = self._raw_watch if job.way == "raw" else self._client_watch
        await self._connect(job)
        gc.collect()
        await asyncio.sleep(max(0.0, job.start - time.monotonic()))
        before = _cpu()
        started = time.monotonic()
        try:
            async with asyncio.timeout(job.seconds + PATIENCE):
                await run(job, outcome)
        except (StoreError, CallFailed, OSError) as error:
            outcome.error = repr(error)
        outcome.seconds = time.monotonic() - started
        outcome.cpu = _cpu() - before
        return outcome

    async def _connect(self, job: Job) -> None:
        for url in job.endpoints:
            if job.way == "raw":
                present = self._raw.get(url)
                if present is None or present.lost:
                    self._raw[url] = await RawConnection.open(url, _context(job))
            elif (job.way, url) not in self._clients:
                tls = TlsFiles(*job.tls) if job.tls else None
                self._clients[job.way, url] = StoreClient([url], tls, timeout=30, transport=job.way)

    def _client(self, job: Job, number: int) -> StoreClient:
        return self._clients[job.way, job.endpoints[number % len(job.endpoints)]]

    # ---- calls ----

    async def _client_calls(self, job: Job, outcome: Outcome) -> None:
        numbers = itertools.count()
        end = time.monotonic() + job.seconds
        times = outcome.times
        fill = iter(range(job.first, job.first + job.keys)) if job.what == "fill" else None

        def call(store: StoreClient, number: int) -> Awaitable[object]:
            if job.what == "put":
                return store.put(b"put/%08d" % (number % job.keys), VALUE)
            if job.what == "fill":
                return store.put(b"put/%08d" % number, VALUE)
            return store.range(b"put/%08d" % (number % job.keys), serializable=job.what == "serializable")

        async def caller(store: StoreClient) -> None:
            while True:
                begin = time.monotonic()
                if fill is not None:
                    number = next(fill, -1)
                    if number < 0:
                        return
                elif begin >= end:
                    return
                else:
                    number = next(numbers)
                try:
                    await call(store, number)
                except StoreError as error:
                    outcome.failures += 1
                    outcome.error = repr(error)
                else:
                    times.append(int((time.monotonic() - begin) * 1e6))
                    outcome.count += 1

        await asyncio.gather(*(caller(self._client(job, n)) for n in range(job.callers)))

    async def _raw_calls(self, job: Job, outcome: Outcome) -> None:
        end = time.monotonic() + job.seconds
        numbers = iter(range(job.first, job.first + job.keys)) if job.what == "fill" else itertools.count()
        running = job.callers
        finished = asyncio.Event()
        times, keys, what = outcome.times, job.keys, job.what
        path = PUT if what in ("put", "fill") else RANGE
        head = _put_head() if path == PUT else b""
        suffix = b"" if what != "serializable" else rpc_pb2.RangeRequest(serializable=True).SerializeToString()

        def stop() -> None:
            nonlocal running
            running -= 1
            if not running:
                finished.set()

        def next_call(connection: RawConnection) -> None:
            begin = time.monotonic()
            number = next(numbers, -1)
            if number < 0 or (what != "fill" and begin >= end):
                stop()
                return
            key = b"put/%08d" % (number if what == "fill" else number % keys)
            message = b"\x0a\x0c" + key + head + suffix
            answered = False

            def received(message: bytes | None) -> None:
                nonlocal answered
                if message is not None:
                    answered = True
                    return
                if answered:
                    times.append(int((time.monotonic() - begin) * 1e6))
                    outcome.count += 1
                else:
                    outcome.failures += 1
                if connection.lost:
                    outcome.error = connection.lost
                    stop()
                else:
                    next_call(connection)

            connection.call(path, message, received)

        for n in range(job.callers):
            next_call(self._raw[job.endpoints[n % len(job.endpoints)]])
        await finished.wait()

    # ---- watches ----

    async def _client_watch(self, job: Job, outcome: Outcome) -> None:
        tls = TlsFiles(*job.tls) if job.tls else None
        stores = [StoreClient([url], tls, timeout=30, transport=job.way) for url in job.endpoints]  # type: ignore[arg-type]
        watches = [stores[n % len(stores)].watch(b"fan/") for n in range(job.callers)]
        for watch in watches:
            await watch.start()

        async def follow(number: int) -> None:
            seen = 0
            while seen < job.keys:
                batch = await anext(watches[number])
                now = time.monotonic()
                outcome.times.extend(int((now - float(event.kv.value)) * 1e6) for event in batch.events)
                seen += len(batch.events)
            outcome.count += seen

        followers = [asyncio.create_task(follow(n)) for n in range(job.callers)]
        await self._write_fan(job)
        await asyncio.gather(*followers)
        for watch in watches:
            await watch.close()
        for store in stores:
            await store.close()

    async def _raw_watch(self, job: Job, outcome: Outcome) -> None:
        """As above, each watcher a stream of its own on one connection to its member."""
        created = 0
        everything = job.callers * job.keys
        ready, finished = asyncio.Event(), asyncio.Event()
        parse = rpc_pb2.WatchResponse.FromString

        def received(message: bytes | None) -> None:
            nonlocal created
            if message is None:
                outcome.failures += 1
                finished.set()
                return
            response = parse(message)
            if response.created:
                created += 1
                if created == job.callers:
                    ready.set()
            now = time.monotonic()
            outcome.times.extend(int((now - float(event.kv.value)) * 1e6) for event in response.events)
            outcome.count += len(response.events)
            if outcome.count >= everything:
                finished.set()

        request = rpc_pb2.WatchRequest(
            create_request=rpc_pb2.WatchCreateRequest(key=b"fan/", range_end=prefix_end(b"fan/"))
        ).SerializeToString()
        connections = [await RawConnection.open(url, _context(job)) for url in job.endpoints]
        try:
            for n in range(job.callers):
                connections[n % len(connections)].call(WATCH, request, received, more=True)
            await ready.wait()
            await self._write_fan(job)
            await finished.wait()
        finally:
            for connection in connections:
                connection.close()

    async def _write_fan(self, job: Job) -> None:
        numbers = iter(range(job.keys))
        connections = [self._raw.get(url) for url in job.endpoints]

        async def put_raw(connection: RawConnection, key: bytes, value: bytes) -> None:
            done = asyncio.get_running_loop().create_future()

            def received(message: bytes | None) -> None:
                if message is None and not done.done():
                    done.set_result(None)

            request = rpc_pb2.PutRequest(key=key, value=value).SerializeToString()
            connection.call(PUT, request, received)
            await done

        async def write(writer: int) -> None:
            connection = connections[writer % len(connections)]
            for number in numbers:
                key, value = b"fan/%d" % (number % 50), b"%.9f" % time.monotonic()
                if connection is not None:
                    await put_raw(connection, key, value)
                else:
                    await self._client(job, writer).put(key, value)

        await asyncio.gather(*(write(n) for n in range(job.writers)))

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        for connection in self._raw.values():
            connection.close()


def _put_head() -> bytes:
    """The value's field of a PutRequest, to stand behind the key's."""
    return rpc_pb2.PutRequest(value=VALUE).SerializeToString()


def _context(job: Job) -> ssl.SSLContext | None:
    if not job.tls:
        return None
    ca, certificate, key = job.tls
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def serve() -> None:
    load = Load()
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    while line := await reader.readline():
        outcome = await load.do(Job(**json.loads(line)))
        print(json.dumps(asdict(outcome)), flush=True)
    await load.close()


if __name__ == "__main__":
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(serve())
