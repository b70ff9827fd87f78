"""etcdserverpb.Watch. Responses are encoded by the watch stream itself, so gRPC is given their bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import cast

import grpc
import grpc.aio

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.rpc.call import Call
from kubeactors.rpc.server import RpcServer
from kubeactors.store.errors import NoLeader, StoreError
from kubeactors.store.node import Node
from kubeactors.store.services import leader
from kubeactors.store.services.calls import abort, run_stream
from kubeactors.store.services.leader import LeaderMonitor
from kubeactors.store.watch.hub import WatchHub
from kubeactors.store.watch.stream import WatchStream


class WatchService:
    def __init__(
        self, hub: WatchHub, node: Node, monitor: LeaderMonitor, closing: asyncio.Event, progress_interval: float
    ) -> None:
        self._hub = hub
        self._node = node
        self._monitor = monitor
        self._closing = closing
        self._progress_interval = progress_interval

    def add_to(self, server: RpcServer) -> None:
        handler = grpc.stream_stream_rpc_method_handler(
            self._watch, request_deserializer=rpc_pb2.WatchRequest.FromString, response_serializer=_as_is
        )
        server.add_registered_method_handlers("etcdserverpb.Watch", {"Watch": handler})

    async def _watch(self, requests: AsyncIterator[rpc_pb2.WatchRequest], context: grpc.aio.ServicerContext) -> None:
        try:
            self._node.check_serving()
            leader.check(self._node, context)
        except StoreError as error:
            await abort(context, error)
        stream = WatchStream(self._hub, self._node.header, time.monotonic, self._progress_interval, cast(Call, context))

        async def take() -> None:
            async for request in requests:
                stream.handle(request)

        async def send() -> None:
            while True:
                for response in await stream.next():
                    await context.write(response)

        async def closing() -> None:
            await self._closing.wait()

        async def no_leader() -> None:
            await self._monitor.wait_lost()
            raise NoLeader

        parts = [take, send, closing, *([no_leader] if leader.asks(context) else [])]
        try:
            await run_stream(*(asyncio.create_task(part()) for part in parts))
        except StoreError as error:
            await abort(context, error)
        finally:
            stream.close()


def _as_is(encoded: bytes) -> bytes:
    return encoded
