"""v3lockpb.Lock: locks that the store waits for on its callers' behalf."""

from __future__ import annotations

import asyncio

import grpc.aio

from kubeactors.pb.etcd import lock_pb2, lock_pb2_grpc, rpc_pb2
from kubeactors.store.errors import StoreError
from kubeactors.store.services.calls import abort
from kubeactors.store.services.recipes import RecipeError, Recipes


class LockService(lock_pb2_grpc.LockServicer):
    def __init__(self, recipes: Recipes) -> None:
        self._recipes = recipes

    async def Lock(self, request: lock_pb2.LockRequest, context: grpc.aio.ServicerContext) -> lock_pb2.LockResponse:
        recipes, prefix = self._recipes, request.name + b"/"
        try:
            async with recipes.lease(request.lease) as lease:
                key, revision, _ = await recipes.contend(prefix, lease, b"")
                try:
                    header = await recipes.wait_turn(prefix, revision)
                    held = await recipes.get(rpc_pb2.RangeRequest(key=key))
                except (StoreError, asyncio.CancelledError):
                    recipes.drop(key)  # nobody waits for it any more
                    raise
                if not held.kvs:
                    raise RecipeError("mutex: session is expired")
            return lock_pb2.LockResponse(header=header, key=key)
        except StoreError as error:
            await abort(context, error)

    async def Unlock(
        self, request: lock_pb2.UnlockRequest, context: grpc.aio.ServicerContext
    ) -> lock_pb2.UnlockResponse:
        try:
            return lock_pb2.UnlockResponse(header=await self._recipes.delete(request.key))
        except StoreError as error:
            await abort(context, error)
