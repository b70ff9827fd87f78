"""Creates over gRPC: a call for each, many calls on a session, batches; and over REST, for comparison."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from benchmarks.apiserver.calls import Pods, pod
from benchmarks.apiserver.servers import Servers
from kubeactors.pb.api.v1 import api_pb2 as pb
from kubeactors.pb.api.v1 import api_pb2_grpc

BATCH = 100
SMALL_BATCH = 10
_PODS = pb.ObjectKey(version="v1", resource="pods", namespace="default")

#: Writes once; how many pods it has made.
Write = Callable[[], Awaitable[int]]


class GrpcWrites:
    """Makes pods by the generated stub."""

    def __init__(self, running: Servers, stub: api_pb2_grpc.ResourcesStub) -> None:
        self._running = running
        self._stub = stub
        self._names = (f"g{number}" for number in itertools.count())

    def _create(self, form: pb.Form.ValueType = pb.FORM_UNSPECIFIED) -> pb.CreateRequest:
        return pb.CreateRequest(key=_PODS, json=pod(next(self._names)), options=pb.WriteOptions(form=form))

    async def single(self) -> int:
        await self._stub.Create(self._create())
        return 1

    async def batch(self, size: int = BATCH, form: pb.Form.ValueType = pb.FORM_UNSPECIFIED) -> int:
        operations = [pb.BatchOperation(create=self._create(form)) for _ in range(size)]
        reply = await self._stub.Batch(pb.BatchRequest(operations=operations))
        assert not reply.failures, reply
        return size

    async def measure(self, title: str, write: Write, callers: int, seconds: float) -> None:
        """Repeat a write by some callers at once for some seconds, and print what came."""
        made = 0
        self._running.begin()
        started = time.perf_counter()

        async def repeat() -> None:
            nonlocal made
            while time.perf_counter() - started < seconds:
                count = await write()
                made += count

        await asyncio.gather(*(repeat() for _ in range(callers)))
        self._tell(title, callers, made, time.perf_counter() - started)

    async def measure_session(self, callers: int, seconds: float) -> None:
        """Calls on one session, so many under way, gathered into frames as they become free."""
        call = self._stub.Session()
        made = 0
        self._running.begin()
        started = time.perf_counter()
        numbers = itertools.count(1)

        def calls(count: int) -> pb.SessionCalls:
            return pb.SessionCalls(
                calls=[pb.SessionCall(id=next(numbers), create=self._create()) for _ in range(count)]
            )

        await call.write(calls(callers))
        under_way = callers
        while under_way:
            frame = await call.read()
            for reply in frame.replies:
                assert reply.WhichOneof("reply") == "object", reply
            made += len(frame.replies)
            under_way -= len(frame.replies)
            if time.perf_counter() - started < seconds:
                await call.write(calls(len(frame.replies)))
                under_way += len(frame.replies)
        self._tell("gRPC, a session", callers, made, time.perf_counter() - started)
        await call.done_writing()

    def _tell(self, title: str, callers: int, made: int, elapsed: float) -> None:
        server, store = self._running.cpu_each(made)
        print(
            f"create {title:<32}{callers:>3} at once {made / elapsed:6.0f}/s   "
            f"CPU {server:.3f} + {store:.3f} = {server + store:.3f} ms"
        )


@contextlib.asynccontextmanager
async def _writes(running: Servers) -> AsyncIterator[GrpcWrites]:
    plane = running.plane
    credentials = grpc.ssl_channel_credentials(
        plane.pki.ca.read_bytes(), plane.pki.key("admin").read_bytes(), plane.pki.certificate("admin").read_bytes()
    )
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.secure_channel(plane.grpc_endpoint, credentials, options=options) as channel:
        yield GrpcWrites(running, api_pb2_grpc.ResourcesStub(channel))


async def grpc_writes(running: Servers, pods: Pods, seconds: float) -> None:
    """All of them, beginning with REST."""
    await pods.measure("create", pods.create, 16, seconds)
    async with _writes(running) as writes:
        for callers in (1, 16):
            await writes.measure("gRPC, a call for each", writes.single, callers, seconds)
        await writes.measure_session(100, seconds)
        for size in (SMALL_BATCH, BATCH):
            await writes.measure(f"gRPC, batches of {size}", lambda size=size: writes.batch(size), 1, seconds)
        await writes.measure(f"gRPC, batches of {BATCH}", writes.batch, 4, seconds)
        await writes.measure(
            f"gRPC, batches of {BATCH}, FORM_NONE", lambda: writes.batch(form=pb.FORM_NONE), 1, seconds
        )
