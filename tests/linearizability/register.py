"""One key of the store as a register: get, put, compare-and-swap, delete, through one endpoint.

`SessionRegister` goes through `kubeactors.store.client`, over its session stream or over unary calls. `EtcdRegister` is
a second opinion: generated gRPC stubs and nothing of ours between, so it also serves for a real etcd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import grpc
import grpc.aio

from kubeactors.pb.etcd import kv_pb2, rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import KeyValue, RangeResult, StoreClient, StoreError, TlsFiles, ops
from kubeactors.store.client.channel import open_channel


class Refused(Exception):
    """Surely not applied, now or later."""


class NoAnswer(Exception):
    """It may have been applied, may yet be, or never will be."""


class Found(NamedTuple):
    """What was there, and the store's revision in the answer's header."""

    value: str | None
    revision: int
    mod_revision: int = 0


class Swapped(NamedTuple):
    succeeded: bool
    found: Found  # of a refused one: what was there instead


class Register(Protocol):
    """`timeout` in seconds. Every method raises Refused or NoAnswer."""

    async def get(self, key: str, timeout: float) -> Found: ...

    async def put(self, key: str, value: str, timeout: float) -> int: ...

    async def cas(self, key: str, expected: Found, value: str, timeout: float) -> Swapped:
        """Compares by the modification revision when `expected` has one, else by the value."""
        ...

    async def delete(self, key: str, timeout: float) -> Found:
        """What was deleted."""
        ...

    async def close(self) -> None: ...


def compare(key: str, expected: Found) -> ops.Compare:
    if expected.value is None:
        return ops.version(key.encode(), "=", 0)
    if expected.mod_revision:
        return ops.mod_revision(key.encode(), "=", expected.mod_revision)
    return ops.value(key.encode(), "=", expected.value.encode())


class SessionRegister:
    """Through StoreClient, by one endpoint or any of several. `serializable`: reads that may be from the past."""

    def __init__(
        self,
        endpoints: Sequence[str],
        tls: TlsFiles | None,
        *,
        transport: Literal["session", "unary"] = "session",
        serializable: bool = False,
    ) -> None:
        self._client = StoreClient(endpoints, tls, transport=transport)
        self._serializable = serializable

    async def get(self, key: str, timeout: float) -> Found:
        try:
            answer = await self._client.range(key.encode(), serializable=self._serializable, timeout=timeout)
        except StoreError as error:
            raise _failure(error) from error
        return _found(answer.kvs, answer.revision)

    async def put(self, key: str, value: str, timeout: float) -> int:
        try:
            return (await self._client.put(key.encode(), value.encode(), timeout=timeout)).revision
        except StoreError as error:
            raise _failure(error) from error

    async def cas(self, key: str, expected: Found, value: str, timeout: float) -> Swapped:
        success, failure = [ops.put(key.encode(), value.encode())], [ops.get(key.encode())]
        try:
            answer = await self._client.txn([compare(key, expected)], success, failure, timeout=timeout)
        except StoreError as error:
            raise _failure(error) from error
        if answer.succeeded:
            return Swapped(True, Found(expected.value, answer.revision, expected.mod_revision))
        (there,) = answer.responses
        assert isinstance(there, RangeResult)
        return Swapped(False, _found(there.kvs, answer.revision))

    async def delete(self, key: str, timeout: float) -> Found:
        try:
            answer = await self._client.delete_range(key.encode(), prev_kv=True, timeout=timeout)
        except StoreError as error:
            raise _failure(error) from error
        assert answer.deleted == len(answer.prev_kvs)
        return _found(answer.prev_kvs, answer.revision)

    async def close(self) -> None:
        await self._client.close()


def _failure(error: StoreError) -> Exception:
    return (NoAnswer if error.outcome_unknown else Refused)(str(error))


def _found(kvs: list[KeyValue], revision: int) -> Found:
    return Found(kvs[0].value.decode(), revision, kvs[0].mod_revision) if kvs else Found(None, revision)


class EtcdRegister:
    """Plain etcd calls. No error of a write is believed to mean that it was not applied."""

    def __init__(self, endpoint: str, tls: TlsFiles | None, *, serializable: bool = False) -> None:
        self._channel = open_channel(endpoint, tls)
        self._kv: rpc_pb2_grpc.KVAsyncStub = rpc_pb2_grpc.KVStub(self._channel)  # type: ignore[assignment]
        self._serializable = serializable

    async def get(self, key: str, timeout: float) -> Found:
        request = rpc_pb2.RangeRequest(key=key.encode(), serializable=self._serializable)
        try:
            answer = await self._kv.Range(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise NoAnswer(error.details()) from error
        return _there(answer.kvs, answer.header.revision)

    async def put(self, key: str, value: str, timeout: float) -> int:
        try:
            answer = await self._kv.Put(rpc_pb2.PutRequest(key=key.encode(), value=value.encode()), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise NoAnswer(error.details()) from error
        return int(answer.header.revision)

    async def cas(self, key: str, expected: Found, value: str, timeout: float) -> Swapped:
        request = rpc_pb2.TxnRequest(
            compare=[compare(key, expected)],
            success=[ops.put(key.encode(), value.encode())],
            failure=[ops.get(key.encode())],
        )
        try:
            answer = await self._kv.Txn(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise NoAnswer(error.details()) from error
        revision = int(answer.header.revision)
        if answer.succeeded:
            return Swapped(True, Found(expected.value, revision, expected.mod_revision))
        return Swapped(False, _there(answer.responses[0].response_range.kvs, revision))

    async def delete(self, key: str, timeout: float) -> Found:
        try:
            answer = await self._kv.DeleteRange(
                rpc_pb2.DeleteRangeRequest(key=key.encode(), prev_kv=True), timeout=timeout
            )
        except grpc.aio.AioRpcError as error:
            raise NoAnswer(error.details()) from error
        assert answer.deleted == len(answer.prev_kvs)
        return _there(answer.prev_kvs, answer.header.revision)

    async def close(self) -> None:
        await self._channel.close()


def _there(kvs: object, revision: int) -> Found:
    found: list[kv_pb2.KeyValue] = list(kvs)  # type: ignore[call-overload]
    return Found(found[0].value.decode(), revision, found[0].mod_revision) if found else Found(None, revision)
