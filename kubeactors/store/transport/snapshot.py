"""Sending a snapshot's file to another member, and taking one in."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import grpc.aio

from kubeactors.pb.raft.v1 import raft_pb2, raft_pb2_grpc
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.transport.channel import open_channel
from kubeactors.store.transport.interface import SnapshotSink

logger = logging.getLogger(__name__)

CHUNK = 512 * 1024
PART_SECONDS = 20.0
"""How long the next part may take, on either side."""
ANSWER_SECONDS = 120.0
"""How long the receiver may take to verify and sync what it has."""


class SnapshotFailed(Exception):
    """It did not get there; the text says why."""


class SnapshotSource:
    """An open file: it may be removed from its directory while it is sent. Raises OSError on construction."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int) -> bytes:
        """Blocking. Raises OSError."""
        return os.pread(self._fd, CHUNK, offset)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def send(url: str, tls: TlsFiles | None, head: raft_pb2.SnapshotHead, source: SnapshotSource) -> None:
    """Returns once it is in place there. Raises SnapshotFailed."""
    try:
        channel = open_channel(url, tls)
    except (OSError, ValueError) as error:
        raise SnapshotFailed(str(error)) from error
    try:
        call = raft_pb2_grpc.RaftStub(channel).SendSnapshot()
        async with asyncio.timeout(PART_SECONDS):
            await call.write(raft_pb2.SnapshotPart(head=head))
        offset = 0
        while offset < source.size:
            data = await asyncio.to_thread(source.read, offset)
            if not data:
                raise SnapshotFailed(f"{source.name} ends at {offset} of {source.size} bytes")
            async with asyncio.timeout(PART_SECONDS):
                await call.write(raft_pb2.SnapshotPart(data=data))
            offset += len(data)
        async with asyncio.timeout(ANSWER_SECONDS):
            await call.done_writing()
            answer = await call
        if answer.problem:
            raise SnapshotFailed(answer.problem)
    except asyncio.InvalidStateError:
        # The receiver answered before it had everything: its answer says why.
        raise SnapshotFailed(await _early_answer(call)) from None
    except grpc.aio.AioRpcError as error:
        raise SnapshotFailed(error.details() or error.code().name) from error
    except TimeoutError:
        raise SnapshotFailed("no answer") from None
    except OSError as error:
        raise SnapshotFailed(str(error)) from error
    finally:
        await channel.close()


async def _early_answer(call: grpc.aio.StreamUnaryCall[raft_pb2.SnapshotPart, raft_pb2.SnapshotAnswer]) -> str:
    try:
        async with asyncio.timeout(PART_SECONDS):
            answer = await call
    except (grpc.aio.AioRpcError, TimeoutError) as error:
        return (error.details() if isinstance(error, grpc.aio.AioRpcError) else "") or "the call was ended"
    return answer.problem or "answered before all of it was sent"


async def receive(read: Callable[[], Awaitable[raft_pb2.SnapshotPart]], sink: SnapshotSink, size: int) -> None:
    """Every part after the head. Raises SnapshotFailed, and what the sink raises; then the sink was abandoned."""
    taken = 0
    finished = False
    try:
        while True:
            async with asyncio.timeout(PART_SECONDS):
                part = await read()
            if part is grpc.aio.EOF:
                break
            taken += len(part.data)
            if taken > size:
                break
            await sink.write(part.data)
        if taken != size:
            raise SnapshotFailed(f"{taken} bytes came, {size} were announced")
        await sink.finish()
        finished = True
    except TimeoutError:
        raise SnapshotFailed(f"no part came for {PART_SECONDS:g} s, after {taken} of {size} bytes") from None
    finally:
        if not finished:
            await sink.abandon()
