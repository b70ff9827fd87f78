"""v3electionpb.Election: elections that the store waits for on its callers' behalf."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc.aio

from kubeactors.pb.etcd import election_pb2, election_pb2_grpc, kv_pb2, rpc_pb2
from kubeactors.store.errors import StoreError
from kubeactors.store.keys import prefix_end
from kubeactors.store.services.calls import abort, run_stream
from kubeactors.store.services.recipes import RecipeError, Recipes

_NO_KEY = RecipeError('"leader" field must be provided')
_NOT_LEADER = RecipeError("election: not leader")
_NO_LEADER = RecipeError("election: no leader")


class ElectionService(election_pb2_grpc.ElectionServicer):
    """`closing`: set when the member stops, to end the streams."""

    def __init__(self, recipes: Recipes, closing: asyncio.Event) -> None:
        self._recipes = recipes
        self._closing = closing

    async def Campaign(
        self, request: election_pb2.CampaignRequest, context: grpc.aio.ServicerContext
    ) -> election_pb2.CampaignResponse:
        recipes, prefix = self._recipes, request.name + b"/"
        try:
            async with recipes.lease(request.lease) as lease:
                key, revision, placed = await recipes.contend(prefix, lease, request.value)
                leader = election_pb2.LeaderKey(name=request.name, key=key, rev=revision, lease=lease)
                try:
                    if not placed.succeeded and placed.responses[0].response_range.kvs[0].value != request.value:
                        await self._proclaim(leader, request.value)
                    await recipes.wait_turn(prefix, revision)
                except (StoreError, asyncio.CancelledError):
                    recipes.drop(key)
                    raise
            return election_pb2.CampaignResponse(header=placed.header, leader=leader)
        except StoreError as error:
            await abort(context, error)

    async def Proclaim(
        self, request: election_pb2.ProclaimRequest, context: grpc.aio.ServicerContext
    ) -> election_pb2.ProclaimResponse:
        try:
            if not request.HasField("leader"):
                raise _NO_KEY
            header = await self._proclaim(request.leader, request.value)
            return election_pb2.ProclaimResponse(header=header)
        except StoreError as error:
            await abort(context, error)

    async def _proclaim(self, leader: election_pb2.LeaderKey, value: bytes) -> rpc_pb2.ResponseHeader:
        put = rpc_pb2.PutRequest(key=leader.key, value=value, lease=leader.lease)
        answer = await self._if_leading(leader, rpc_pb2.RequestOp(request_put=put))
        if not answer.succeeded:
            raise _NOT_LEADER
        return answer.header

    async def Resign(
        self, request: election_pb2.ResignRequest, context: grpc.aio.ServicerContext
    ) -> election_pb2.ResignResponse:
        try:
            if not request.HasField("leader"):
                raise _NO_KEY
            delete = rpc_pb2.DeleteRangeRequest(key=request.leader.key)
            answer = await self._if_leading(request.leader, rpc_pb2.RequestOp(request_delete_range=delete))
            return election_pb2.ResignResponse(header=answer.header)
        except StoreError as error:
            await abort(context, error)

    async def _if_leading(self, leader: election_pb2.LeaderKey, op: rpc_pb2.RequestOp) -> rpc_pb2.TxnResponse:
        compare = rpc_pb2.Compare(key=leader.key, target=rpc_pb2.Compare.CREATE, create_revision=leader.rev)
        return await self._recipes.txn(rpc_pb2.TxnRequest(compare=[compare], success=[op]))

    async def Leader(
        self, request: election_pb2.LeaderRequest, context: grpc.aio.ServicerContext
    ) -> election_pb2.LeaderResponse:
        try:
            first = await self._recipes.first(request.name + b"/")
            if not first.kvs:
                raise _NO_LEADER
            return election_pb2.LeaderResponse(header=first.header, kv=first.kvs[0])
        except StoreError as error:
            await abort(context, error)

    async def Observe(  # type: ignore[override]  # grpc.aio also takes a coroutine
        self, request: election_pb2.LeaderRequest, context: grpc.aio.ServicerContext
    ) -> None:
        async def send() -> None:
            async for response in self._observed(request.name + b"/"):
                await context.write(response)

        async def closing() -> None:
            await self._closing.wait()

        try:
            await run_stream(asyncio.create_task(send()), asyncio.create_task(closing()))
        except StoreError as error:
            await abort(context, error)

    async def _observed(self, prefix: bytes) -> AsyncIterator[election_pb2.LeaderResponse]:
        recipes = self._recipes
        while True:
            first = await recipes.first(prefix)
            revision = first.header.revision
            if not first.kvs:
                async with recipes.watch(prefix, prefix_end(prefix), revision + 1) as events:
                    async for event in events:
                        if event.type == kv_pb2.Event.PUT:
                            break
                continue  # who was first with its key is found by asking again
            leader = first.kvs[0]
            yield election_pb2.LeaderResponse(header=first.header, kv=leader)
            async with recipes.watch(leader.key, b"", revision + 1) as events:
                async for event in events:
                    if event.type == kv_pb2.Event.DELETE:
                        break
                    header = rpc_pb2.ResponseHeader()
                    header.CopyFrom(first.header)
                    header.revision = event.kv.mod_revision
                    yield election_pb2.LeaderResponse(header=header, kv=event.kv)
