"""The store's other members, as a member that joins or looks after itself sees them (etcd's Cluster service)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import TlsFiles
from kubeactors.store.client.channel import open_channel

CALL_TIMEOUT = 5.0
_Answer = TypeVar("_Answer")


class PeersUnavailableError(RuntimeError):
    """No member of the store answered, or all refused; the message says what each said."""


@dataclass(frozen=True)
class Member:
    """A member as the store lists it. One that was added but never started has no name yet."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    learner: bool


class StorePeers:
    """Asks the members at `endpoints` in turn until one answers."""

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles) -> None:
        self._endpoints = tuple(endpoints)
        self._tls = tls

    async def members(self) -> list[Member]:
        """All members, as the majority knows them. Raises PeersUnavailableError."""
        request = rpc_pb2.MemberListRequest(linearizable=True)
        answer = await self._ask(lambda stub: stub.MemberList(request, timeout=CALL_TIMEOUT))
        return [_member(member) for member in answer.members]

    async def add_learner(self, peer_url: str) -> list[Member]:
        """Add a member that does not vote yet; returns all members. Raises PeersUnavailableError."""
        request = rpc_pb2.MemberAddRequest(peerURLs=[peer_url], isLearner=True)
        answer = await self._ask(lambda stub: stub.MemberAdd(request, timeout=CALL_TIMEOUT))
        return [_member(member) for member in answer.members]

    async def promote(self, member: int) -> None:
        """Let a learner vote. Raises PeersUnavailableError, also while it has not caught up."""
        request = rpc_pb2.MemberPromoteRequest(ID=member)
        await self._ask(lambda stub: stub.MemberPromote(request, timeout=CALL_TIMEOUT))

    async def remove(self, member: int) -> None:
        """Remove a member for good. Raises PeersUnavailableError."""
        request = rpc_pb2.MemberRemoveRequest(ID=member)
        await self._ask(lambda stub: stub.MemberRemove(request, timeout=CALL_TIMEOUT))

    async def _ask(self, call: Callable[[Any], Awaitable[_Answer]]) -> _Answer:
        problems = []
        for endpoint in self._endpoints:
            channel = open_channel(endpoint, self._tls)
            try:
                return await call(rpc_pb2_grpc.ClusterStub(channel))
            except grpc.aio.AioRpcError as error:
                problems.append(f"{endpoint}: {error.details() or error.code().name}")
            finally:
                await channel.close()
        raise PeersUnavailableError("; ".join(problems) or "there is no other member of the store")


def _member(member: rpc_pb2.Member) -> Member:
    return Member(member.ID, member.name, tuple(member.peerURLs), member.isLearner)
