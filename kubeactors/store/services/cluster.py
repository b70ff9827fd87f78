"""etcdserverpb.Cluster: who the members are, and changing that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store import reconfiguration
from kubeactors.store.api import StoreApi
from kubeactors.store.errors import StoreError
from kubeactors.store.machine.command import Kind
from kubeactors.store.machine.membership import Member, Membership, member_id, to_wire
from kubeactors.store.node import Node
from kubeactors.store.reconfiguration import ConnectedFor
from kubeactors.store.services.calls import abort, outcome


class ClusterService(rpc_pb2_grpc.ClusterServicer):
    """`connected_for`: how long this member has been connected to another one; `now`: seconds since 1970, which makes
    the id of a member that is added differ from the one that it had before it was removed."""

    def __init__(
        self, node: Node, api: StoreApi, connected_for: ConnectedFor, now: Callable[[], float] = time.time
    ) -> None:
        self._node = node
        self._api = api
        self._connected_for = connected_for
        self._now = now

    @property
    def _membership(self) -> Membership:
        return self._node.machine.membership

    async def MemberList(
        self, request: rpc_pb2.MemberListRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MemberListResponse:
        if request.linearizable:
            try:
                await outcome(self._api.barrier)
            except StoreError as error:
                await abort(context, error)
        members = [to_wire(member) for member in self._membership.all()]
        response: rpc_pb2.MemberListResponse = _plain(
            rpc_pb2.MemberListResponse(header=self._node.header(), members=members)
        )
        return response

    async def MemberAdd(
        self, request: rpc_pb2.MemberAddRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MemberAddResponse:
        def check() -> None:
            reconfiguration.check_urls(request.peerURLs)
            reconfiguration.check_add(self._membership, request.isLearner, self._node.member_id, self._connected_for)

        member = rpc_pb2.Member(
            ID=member_id(request.peerURLs, "", int(self._now())),
            peerURLs=request.peerURLs,
            isLearner=request.isLearner,
        )
        response: rpc_pb2.MemberAddResponse = await self._change(Kind.MEMBER_ADD, member, check, context)
        return response

    async def MemberRemove(
        self, request: rpc_pb2.MemberRemoveRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MemberRemoveResponse:
        def check() -> None:
            reconfiguration.check_remove(self._membership, request.ID, self._node.member_id, self._connected_for)

        response: rpc_pb2.MemberRemoveResponse = await self._change(
            Kind.MEMBER_REMOVE, rpc_pb2.Member(ID=request.ID), check, context
        )
        return response

    async def MemberUpdate(
        self, request: rpc_pb2.MemberUpdateRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MemberUpdateResponse:
        def check() -> None:
            # In etcd's order: who the member is comes before what its URLs are.
            self._membership.check_update(from_request)
            reconfiguration.check_urls(request.peerURLs)

        from_request = Member(request.ID, "", tuple(sorted(request.peerURLs)))
        response: rpc_pb2.MemberUpdateResponse = await self._change(
            Kind.MEMBER_UPDATE, rpc_pb2.Member(ID=request.ID, peerURLs=request.peerURLs), check, context
        )
        return response

    async def MemberPromote(
        self, request: rpc_pb2.MemberPromoteRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MemberPromoteResponse:
        response: rpc_pb2.MemberPromoteResponse = await self._change(
            Kind.MEMBER_PROMOTE,
            rpc_pb2.Member(ID=request.ID),
            lambda: reconfiguration.check_promote(self._membership, request.ID),
            context,
        )
        return response

    async def _change(
        self, kind: Kind, member: rpc_pb2.Member, check: Callable[[], None], context: grpc.aio.ServicerContext
    ) -> Any:
        """Typed as Any: the response's class follows from the kind."""
        try:
            check()
            return _plain(await outcome(lambda done: self._node.propose(kind, member, done)))
        except StoreError as error:
            await abort(context, error)


def _plain(response: Any) -> Any:
    """Any: a response of this service. Their headers tell no revision, as in etcd."""
    assert isinstance(response, Message)
    response.header.ClearField("revision")  # type: ignore[attr-defined]
    return response
