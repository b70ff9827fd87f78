"""etcdserverpb.Cluster: who the members are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.errors import NotBuilt
from kubeactors.store.node import Node
from kubeactors.store.services.calls import abort


class ClusterService(rpc_pb2_grpc.ClusterServicer):
    def __init__(self, node: Node, name: str, client_urls: Sequence[str]) -> None:
        self._node = node
        self._name = name
        self._client_urls = client_urls

    async def MemberList(
        self, request: rpc_pb2.MemberListRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MemberListResponse:
        member = rpc_pb2.Member(ID=self._node.member_id, name=self._name, clientURLs=self._client_urls)
        return rpc_pb2.MemberListResponse(header=self._node.header(), members=[member])

    async def MemberAdd(self, request: Message, context: grpc.aio.ServicerContext) -> NoReturn:
        await self._refuse(context)

    async def MemberRemove(self, request: Message, context: grpc.aio.ServicerContext) -> NoReturn:
        await self._refuse(context)

    async def MemberUpdate(self, request: Message, context: grpc.aio.ServicerContext) -> NoReturn:
        await self._refuse(context)

    async def MemberPromote(self, request: Message, context: grpc.aio.ServicerContext) -> NoReturn:
        await self._refuse(context)

    @staticmethod
    async def _refuse(context: grpc.aio.ServicerContext) -> NoReturn:
        await abort(context, NotBuilt("etcdserver: this store runs with one member; its membership cannot change yet"))
