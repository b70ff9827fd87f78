"""etcdserverpb.Lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.api import StoreApi
from kubeactors.store.errors import LeaseNotFound, StoreError
from kubeactors.store.node import Node
from kubeactors.store.services import leader
from kubeactors.store.services.calls import abort, answer, ask, run_stream


class LeaseService(rpc_pb2_grpc.LeaseServicer):
    """`closing`: set when the member stops, to end the streams."""

    def __init__(self, api: StoreApi, node: Node, closing: asyncio.Event) -> None:
        self._api = api
        self._node = node
        self._closing = closing

    async def LeaseGrant(
        self, request: rpc_pb2.LeaseGrantRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.LeaseGrantResponse:
        return cast(rpc_pb2.LeaseGrantResponse, await answer(self._api, "lease_grant", request, context))

    async def LeaseRevoke(
        self, request: rpc_pb2.LeaseRevokeRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.LeaseRevokeResponse:
        return cast(rpc_pb2.LeaseRevokeResponse, await answer(self._api, "lease_revoke", request, context))

    async def LeaseTimeToLive(
        self, request: rpc_pb2.LeaseTimeToLiveRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.LeaseTimeToLiveResponse:
        return cast(rpc_pb2.LeaseTimeToLiveResponse, await answer(self._api, "lease_time_to_live", request, context))

    async def LeaseLeases(
        self, request: rpc_pb2.LeaseLeasesRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.LeaseLeasesResponse:
        return cast(rpc_pb2.LeaseLeasesResponse, await answer(self._api, "lease_leases", request, context))

    async def LeaseKeepAlive(  # type: ignore[override]  # grpc.aio also takes a coroutine
        self, requests: AsyncIterator[rpc_pb2.LeaseKeepAliveRequest], context: grpc.aio.ServicerContext
    ) -> None:
        async def serve() -> None:
            async for request in requests:
                leader.check(self._node, context)
                try:
                    response = await ask(self._api, "lease_keep_alive", request)
                except LeaseNotFound:
                    # etcd's way to say it on this stream: a TTL of 0.
                    response = rpc_pb2.LeaseKeepAliveResponse(header=self._node.header(), ID=request.ID)
                await context.write(response)

        async def closing() -> None:
            await self._closing.wait()

        try:
            await run_stream(asyncio.create_task(serve()), asyncio.create_task(closing()))
        except StoreError as error:
            await abort(context, error)
