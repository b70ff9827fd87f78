"""What locks and elections are made of: a key for each contender, whose turn comes when every older one is gone.

As etcd's client library does it (v3.5, client/v3/concurrency), so that contenders that use this service and such that
use the library on their own side respect each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from google.protobuf.message import Message

from kubeactors.pb.etcd import kv_pb2, rpc_pb2
from kubeactors.store.api import StoreApi
from kubeactors.store.errors import StoreError
from kubeactors.store.keys import prefix_end
from kubeactors.store.services.calls import ask
from kubeactors.store.watch.hub import WatchHub
from kubeactors.store.watch.stream import WatchStream

DEFAULT_TTL = 60
"""Seconds of the lease that is granted to a contender without one."""
UNKNOWN = 2


class RecipeError(StoreError):
    """etcd gives these no code of their own."""

    code = UNKNOWN


class Recipes:
    def __init__(self, api: StoreApi, hub: WatchHub) -> None:
        self._api = api
        self._hub = hub

    # ---- requests ----

    async def get(self, request: rpc_pb2.RangeRequest) -> rpc_pb2.RangeResponse:
        return cast(rpc_pb2.RangeResponse, await ask(self._api, "range", request))

    async def txn(self, request: rpc_pb2.TxnRequest) -> rpc_pb2.TxnResponse:
        return cast(rpc_pb2.TxnResponse, await ask(self._api, "txn", request))

    async def delete(self, key: bytes) -> rpc_pb2.ResponseHeader:
        answer = await ask(self._api, "delete_range", rpc_pb2.DeleteRangeRequest(key=key))
        return cast(rpc_pb2.DeleteRangeResponse, answer).header

    def drop(self, key: bytes) -> None:
        """Delete it without waiting for that: its owner has gone away."""
        self._api.submit("delete_range", rpc_pb2.DeleteRangeRequest(key=key), _ignore)

    @asynccontextmanager
    async def lease(self, given: int) -> AsyncIterator[int]:
        """The lease that was given, or a new one, which is renewed meanwhile and left to itself then."""
        if given:
            yield given
            return
        answer = await ask(self._api, "lease_grant", rpc_pb2.LeaseGrantRequest(TTL=DEFAULT_TTL))
        granted = cast(rpc_pb2.LeaseGrantResponse, answer).ID
        renewing = asyncio.create_task(self._renew(granted))
        try:
            yield granted
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError, StoreError):
                await renewing

    async def _renew(self, lease: int) -> None:
        while True:
            await asyncio.sleep(DEFAULT_TTL / 3)
            await ask(self._api, "lease_keep_alive", rpc_pb2.LeaseKeepAliveRequest(ID=lease))

    # ---- turns ----

    async def contend(self, prefix: bytes, lease: int, value: bytes) -> tuple[bytes, int, rpc_pb2.TxnResponse]:
        """Take a place in the queue, or keep the one there is: (its key, its create_revision, the transaction)."""
        key = b"%s%s" % (prefix, b"%x" % lease if lease >= 0 else b"-%x" % -lease)
        answer = await self.txn(
            rpc_pb2.TxnRequest(
                compare=[rpc_pb2.Compare(key=key, target=rpc_pb2.Compare.CREATE, create_revision=0)],
                success=[rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=key, value=value, lease=lease))],
                failure=[rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=key))],
            )
        )
        if answer.succeeded:
            return key, answer.header.revision, answer
        return key, answer.responses[0].response_range.kvs[0].create_revision, answer

    async def wait_turn(self, prefix: bytes, revision: int) -> rpc_pb2.ResponseHeader:
        """Until no key of the prefix is older than `revision`."""
        while True:
            older = await self.get(
                rpc_pb2.RangeRequest(
                    key=prefix,
                    range_end=prefix_end(prefix),
                    limit=1,
                    sort_order=rpc_pb2.RangeRequest.DESCEND,
                    sort_target=rpc_pb2.RangeRequest.CREATE,
                    max_create_revision=revision - 1,
                )
            )
            if not older.kvs:
                return older.header
            async with self.watch(older.kvs[0].key, b"", older.header.revision + 1) as events:
                async for event in events:
                    if event.type == kv_pb2.Event.DELETE:
                        break

    async def first(self, prefix: bytes) -> rpc_pb2.RangeResponse:
        """The oldest contender, whose turn it is."""
        return await self.get(
            rpc_pb2.RangeRequest(
                key=prefix,
                range_end=prefix_end(prefix),
                limit=1,
                sort_order=rpc_pb2.RangeRequest.ASCEND,
                sort_target=rpc_pb2.RangeRequest.CREATE,
            )
        )

    @asynccontextmanager
    async def watch(self, key: bytes, range_end: bytes, start: int) -> AsyncIterator[AsyncIterator[kv_pb2.Event]]:
        """Raises StoreError when the watch cannot go on here."""
        stream = WatchStream(self._hub, self._api.node.header, time.monotonic, math.inf)
        try:
            stream.handle(
                rpc_pb2.WatchRequest(
                    create_request=rpc_pb2.WatchCreateRequest(key=key, range_end=range_end, start_revision=start)
                )
            )
            yield self._events(stream)
        finally:
            stream.close()

    @staticmethod
    async def _events(stream: WatchStream) -> AsyncIterator[kv_pb2.Event]:
        while True:
            for encoded in await stream.next():
                response = rpc_pb2.WatchResponse.FromString(encoded)
                if response.canceled:
                    raise RecipeError(
                        response.cancel_reason or "etcdserver: mvcc: required revision has been compacted"
                    )
                for event in response.events:
                    yield event


def _ignore(outcome: Message | StoreError) -> None:
    """If this fails, the key goes with its lease."""
