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
from kubeactors.store.client.channel import WANT_LEADER, TlsFiles, open_channel

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


HASTY_TIMEOUT = 1.0
UNAPPLIED = frozenset({errors.NoLeader.default, errors.NotForLearners.default})
"""Said, also by an etcd, before anything is done with a request."""


class _Connection:
    """A channel and how many calls are under way on it: it is closed when the last of them ends, not under them."""

    __slots__ = ("calls", "channel", "given_up")

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls = 0
        self.given_up = False


class UnaryTransport:
    """Calls over one channel at a time; moves to the next endpoint when a member cannot be reached.

    `endpoints` may change meanwhile; the next connection is made to what it then holds.
    """

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None) -> None:
        self._endpoints = endpoints
        self._tls = tls
        self._connection: _Connection | None = None
        self._turn = 0

    async def call(self, method: t.Method, request: Message, timeout: float) -> Message:
        deadline = asyncio.get_running_loop().time() + timeout
        attempt = 0
        others = len(self._endpoints) - 1
        while True:
            connection = self._open()
            left = deadline - asyncio.get_running_loop().time()
            # A member that falls silent must not take all the time that a read has.
            patience = left if attempt >= others or not method.repeatable else min(left, max(HASTY_TIMEOUT, left / 3))
            connection.calls += 1
            try:
                return await self._once(connection.channel, method, request, patience)
            except grpc.aio.AioRpcError as error:
                code = int(error.code().value[0])
                text = error.details() or ""
                if code == errors.CANCELLED:  # by the member, which stops
                    code = errors.UNAVAILABLE
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not connection.given_up or (task is not None and task.cancelling()):
                    raise
                unknown = not method.repeatable
                raise errors.StoreUnavailable("the store client is closed", outcome_unknown=unknown) from None
            finally:
                connection.calls -= 1
                if connection.given_up and not connection.calls:
                    await connection.channel.close()
            unapplied = code == errors.UNAVAILABLE and ("failed to connect" in text or text in UNAPPLIED)
            wait = 0.0
            if attempt >= others:
                wait = min(2.0, 0.05 * 2 ** (attempt - others)) * random.uniform(0.5, 1.0)
            left = deadline - asyncio.get_running_loop().time()
            silent = code in (errors.UNAVAILABLE, errors.DEADLINE_EXCEEDED)
            if silent:
                await self._give_up(connection)
            if not silent or not (method.repeatable or unapplied) or wait >= left:
                raise errors.from_wire(code, text, outcome_unknown=not (unapplied or method.repeatable))
            attempt += 1
            await asyncio.sleep(wait)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.given_up = True
            await self._connection.channel.close()
            self._connection = None

    def _open(self) -> _Connection:
        if self._connection is None:
            endpoint = self._endpoints[self._turn % len(self._endpoints)]
            try:
                self._connection = _Connection(open_channel(endpoint, self._tls))
            except OSError as error:
                raise errors.StoreUnavailable(str(error), outcome_unknown=False) from error
        return self._connection

    async def _give_up(self, connection: _Connection) -> None:
        if self._connection is connection:
            self._connection = None
            self._turn += 1
        connection.given_up = True
        if not connection.calls:
            await connection.channel.close()

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
            )(one(), timeout=timeout, metadata=WANT_LEADER)
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
        response: Message = await unary(request, timeout=timeout, metadata=WANT_LEADER)
        return response
