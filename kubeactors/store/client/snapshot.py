"""Saving a snapshot of a running store, ours or an etcd, to a file."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client.channel import TlsFiles, open_channel
from kubeactors.store.errors import CorruptData, StoreError, from_wire

_DIGEST = hashlib.sha256().digest_size
_MODE = 0o600


async def save(endpoint: str, tls: TlsFiles | None, path: Path, *, idle_timeout: float = 30.0) -> int:
    """Save what the member at `endpoint` has. Returns the bytes. The file is there whole or not at all, and only its
    owner may read it.

    `idle_timeout`: seconds without any bytes after which it is given up. Raises StoreError, CorruptData, OSError.
    """
    partial = path.with_name(path.name + ".part")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        try:
            size = await _receive(endpoint, tls, fd, idle_timeout)
            await asyncio.to_thread(os.fsync, fd)
        finally:
            os.close(fd)
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return size


async def _receive(endpoint: str, tls: TlsFiles | None, fd: int, idle_timeout: float) -> int:
    digest, held, size = hashlib.sha256(), b"", 0
    channel = open_channel(endpoint, tls)
    try:
        stream = rpc_pb2_grpc.MaintenanceStub(channel).Snapshot(rpc_pb2.SnapshotRequest())
        try:
            while True:
                async with asyncio.timeout(idle_timeout):
                    part = await stream.read()
                if part is grpc.aio.EOF:
                    break
                held += part.blob
                if len(held) > _DIGEST:  # the last bytes may be the hash of those before
                    ready, held = held[:-_DIGEST], held[-_DIGEST:]
                    digest.update(ready)
                    size += len(ready)
                    await asyncio.to_thread(_write, fd, ready)
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from error
        except TimeoutError:
            raise TimeoutError(f"{endpoint} sent nothing for {idle_timeout:.0f} s") from None
        finally:
            stream.cancel()
    finally:
        await channel.close()
    if held != digest.digest():
        raise CorruptData("what arrived does not fit the SHA-256 at its end")
    await asyncio.to_thread(_write, fd, held)
    return size + len(held)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _failure(error: grpc.aio.AioRpcError) -> StoreError:
    code = int(error.code().value[0])
    return from_wire(code, error.details() or error.code().name, outcome_unknown=False)
