"""Plain unary etcd gRPC calls: what a real etcd understands, one round trip and one message a call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import grpc
import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import errors
from kubeactors.store.client import transport as t
from kubeactors.store.client.channel import TlsFiles, open_channel

_RESPONSES: dict[str, type[Message]] = {
    t.RANGE.path: rpc_pb2.RangeResponse,
    t.PUT.path: rpc_pb2.PutResponse,
    t.DELETE_RANGE.path: rpc_pb2.DeleteRangeResponse,
    t.TXN.path: rpc_pb2.TxnResponse,
    t.COMPACT.path: rpc_pb2.CompactionResponse,
    t.LEASE_GRANT.path: rpc_pb2.LeaseGrantResponse,
    t.LEASE_REVOKE.path: rpc_pb2.LeaseRevokeResponse,
    t.LEASE_KEEP_ALIVE.path: rpc_pb2.LeaseKeepAliveResponse,
    t.LEASE_TIME_TO_LIVE.path: rpc_pb2.LeaseTimeToLiveResponse,
    t.LEASE_LEASES.path: rpc_pb2.LeaseLeasesResponse,
}


class UnaryTransport:
    """Calls over one channel at a time; moves to the next endpoint when a member cannot be reached."""

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None) -> None:
        self._endpoints = list(endpoints)
        self._tls = tls
        self._channel: grpc.aio.Channel | None = None
        self._turn = 0

    async def call(self, method: t.Method, request: Message, timeout: float) -> Message:
        deadline = asyncio.get_running_loop().time() + timeout
        attempt = 0
        while True:
            channel = self._open()
            left = deadline - asyncio.get_running_loop().time()
            try:
                return await self._once(channel, method, request, left)
            except grpc.aio.AioRpcError as error:
                code = int(error.code().value[0])
                text = error.details() or ""
            never_sent = code == errors.UNAVAILABLE and "failed to connect" in text
            wait = min(2.0, 0.05 * 2**attempt) * random.uniform(0.5, 1.0)
            left = deadline - asyncio.get_running_loop().time()
            if code != errors.UNAVAILABLE or not (method.repeatable or never_sent) or wait > left:
                raise errors.from_wire(code, text, outcome_unknown=not (never_sent or method.repeatable))
            await self._drop(channel)
            attempt += 1
            await asyncio.sleep(wait)

    async def close(self) -> None:
        if self._channel is not None:
            await self._drop(self._channel)

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            endpoint = self._endpoints[self._turn % len(self._endpoints)]
            try:
                self._channel = open_channel(endpoint, self._tls)
            except OSError as error:
                raise errors.StoreUnavailable(str(error), outcome_unknown=False) from error
        return self._channel

    async def _drop(self, channel: grpc.aio.Channel) -> None:
        if self._channel is channel:
            self._channel = None
            self._turn += 1
        await channel.close()

    @staticmethod
    async def _once(channel: grpc.aio.Channel, method: t.Method, request: Message, timeout: float) -> Message:
        response_class = _RESPONSES[method.path]
        if method is t.LEASE_KEEP_ALIVE:

            async def one() -> AsyncIterator[Message]:
                yield request

            stream = channel.stream_stream(
                method.path,
                request_serializer=lambda m: m.SerializeToString(),
                response_deserializer=response_class.FromString,
            )(one(), timeout=timeout)
            answer: Message = await stream.read()
            stream.cancel()
            if answer is grpc.aio.EOF:
                raise errors.StoreUnavailable("the store ended the stream unanswered", outcome_unknown=False)
            return answer
        unary = channel.unary_unary(
            method.path,
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=response_class.FromString,
        )
        response: Message = await unary(request, timeout=timeout)
        return response
