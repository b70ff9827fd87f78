"""Asking other members what cluster they form, before there is any data of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import grpc
import grpc.aio

from kubeactors.pb.raft.v1 import raft_pb2, raft_pb2_grpc
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.machine.membership import Member
from kubeactors.store.transport.channel import open_channel
from kubeactors.store.transport.interface import ClusterRecord


async def ask(
    urls: Collection[str], tls: TlsFiles | None, seconds: float
) -> tuple[dict[str, ClusterRecord], dict[str, str]]:
    """What the members at these peer URLs say, all asked at once: (answers, problems) by URL."""
    answers: dict[str, ClusterRecord] = {}
    problems: dict[str, str] = {}

    async def one(url: str) -> None:
        try:
            answers[url] = await _ask(url, tls, seconds)
        except grpc.aio.AioRpcError as error:
            problems[url] = error.details() or error.code().name
        except (OSError, ValueError, TimeoutError) as error:
            problems[url] = str(error) or "no answer"

    await asyncio.gather(*map(one, urls))
    return answers, problems


async def _ask(url: str, tls: TlsFiles | None, seconds: float) -> ClusterRecord:
    channel = open_channel(url, tls)
    try:
        async with asyncio.timeout(seconds):
            answer = await raft_pb2_grpc.RaftStub(channel).GetCluster(raft_pb2.ClusterRequest())
    finally:
        await channel.close()
    members = tuple(Member(m.id, m.name, tuple(m.peer_urls), tuple(m.client_urls), m.learner) for m in answer.members)
    return ClusterRecord(answer.cluster_id, members, tuple(answer.removed))
