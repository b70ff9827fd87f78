"""etcdserverpb.KV: one call, one answer."""

from __future__ import annotations

from typing import cast

import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.api import StoreApi
from kubeactors.store.services.calls import answer


class KvService(rpc_pb2_grpc.KVServicer):
    def __init__(self, api: StoreApi) -> None:
        self._api = api

    async def Range(self, request: rpc_pb2.RangeRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.RangeResponse:
        return cast(rpc_pb2.RangeResponse, await answer(self._api, "range", request, context))

    async def Put(self, request: rpc_pb2.PutRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.PutResponse:
        return cast(rpc_pb2.PutResponse, await answer(self._api, "put", request, context))

    async def DeleteRange(
        self, request: rpc_pb2.DeleteRangeRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.DeleteRangeResponse:
        return cast(rpc_pb2.DeleteRangeResponse, await answer(self._api, "delete_range", request, context))

    async def Txn(self, request: rpc_pb2.TxnRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.TxnResponse:
        return cast(rpc_pb2.TxnResponse, await answer(self._api, "txn", request, context))

    async def Compact(
        self, request: rpc_pb2.CompactionRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.CompactionResponse:
        return cast(rpc_pb2.CompactionResponse, await answer(self._api, "compact", request, context))
