"""The gRPC service that other members call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import grpc
import grpc.aio

from kubeactors.pb.raft.v1 import raft_pb2, raft_pb2_grpc
from kubeactors.pb.raft.v1.raft_pb2 import Refusal
from kubeactors.rpc.call import Call
from kubeactors.store.errors import StoreError
from kubeactors.store.transport import certificate, snapshot
from kubeactors.store.transport.admission import View, judge
from kubeactors.store.transport.codec import BadFrame, decode_message
from kubeactors.store.transport.interface import Receiver, SnapshotRefused
from kubeactors.store.transport.link import Link
from kubeactors.store.transport.peer import PeerConnection

logger = logging.getLogger(__name__)

HELLO_SECONDS = 5.0


class RaftService(raft_pb2_grpc.RaftServicer):
    """`peer` gives the connection to a member that is let in."""

    def __init__(
        self,
        view: View,
        receiver: Receiver,
        rules: certificate.PeerRules,
        peer: Callable[[raft_pb2.Hello], PeerConnection],
    ) -> None:
        self._view = view
        self._receiver = receiver
        self._rules = rules
        self._peer = peer
        self._told: dict[int, str] = {}

    async def Connect(self, requests: object, context: grpc.aio.ServicerContext) -> None:  # type: ignore[override]  # grpc.aio also takes a coroutine
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                first: raft_pb2.Frame = await context.read()
        except TimeoutError:
            first = grpc.aio.EOF
        if first is grpc.aio.EOF or not first.HasField("hello"):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first frame must be a hello")
        hello = first.hello
        refusal = await self._admit(hello, context)
        if refusal is None:
            peer = self._peer(hello)
            now = asyncio.get_running_loop().time()
            if peer.refuses_call(now):
                refusal = Refusal(reason=Refusal.ALREADY_CONNECTED, text="connected by this member's own call")
        if refusal is not None:
            await context.write(raft_pb2.Frame(refusal=refusal))
            return
        await context.write(raft_pb2.Frame(hello=self._view.hello(hello.sender)))
        link = Link(hello.sender, cast(Call, context), dialled=False, since=now)
        if peer.take(link):
            await peer.serve(link)

    async def SendSnapshot(self, requests: object, context: grpc.aio.ServicerContext) -> raft_pb2.SnapshotAnswer:
        async with asyncio.timeout(HELLO_SECONDS):
            first: raft_pb2.SnapshotPart = await context.read()
        if first is grpc.aio.EOF or not first.HasField("head"):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first part must have the head")
        head = first.head
        refusal = await self._admit(head.hello, context)
        if refusal is not None:
            return raft_pb2.SnapshotAnswer(problem=refusal.text)
        sender = head.hello.sender
        try:
            message = decode_message(head.message, self._view.member_id, sender)
            sink = self._receiver.open_snapshot(sender, message, head.size)
            await snapshot.receive(context.read, sink, head.size)
        except (SnapshotRefused, snapshot.SnapshotFailed, BadFrame, StoreError, OSError) as error:
            logger.warning("snapshot of member %x not taken: %s", sender, error)
            return raft_pb2.SnapshotAnswer(problem=str(error) or type(error).__name__)
        return raft_pb2.SnapshotAnswer()

    async def GetCluster(self, request: raft_pb2.ClusterRequest, context: grpc.aio.ServicerContext) -> raft_pb2.Cluster:
        problem = await self._certificate_problem(context)
        if problem:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, problem)
        cluster = self._receiver.cluster()
        members = [
            raft_pb2.Member(id=m.id, name=m.name, peer_urls=m.peer_urls, client_urls=m.client_urls, learner=m.learner)
            for m in cluster.members
        ]
        return raft_pb2.Cluster(cluster_id=cluster.cluster_id, members=members, removed=sorted(cluster.removed))

    async def _admit(self, hello: raft_pb2.Hello, context: grpc.aio.ServicerContext) -> Refusal | None:
        problem = await self._certificate_problem(context)
        refusal = Refusal(reason=Refusal.CERTIFICATE, text=problem) if problem else judge(self._view, hello)
        if refusal is None:
            self._told.pop(hello.sender, None)
        elif self._told.get(hello.sender) != refusal.text:
            if len(self._told) > 1000:
                self._told.clear()
            self._told[hello.sender] = refusal.text
            logger.warning("member %x at %s is refused: %s", hello.sender, context.peer(), refusal.text)
        return refusal

    async def _certificate_problem(self, context: grpc.aio.ServicerContext) -> str:
        pem = context.auth_context().get("x509_pem_cert")
        if not pem:
            return ""  # this listener is without TLS, where the connection itself proves nothing
        try:
            await certificate.check(pem[0], context.peer(), self._rules)
        except (certificate.WrongCertificate, ValueError) as error:
            return str(error)
        return ""
