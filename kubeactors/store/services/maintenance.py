"""etcdserverpb.Maintenance: what a member says of itself."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import NoReturn, cast

import grpc
import grpc.aio

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.api import StoreApi
from kubeactors.store.disk import Disk
from kubeactors.store.errors import (
    BadDowngradeVersion,
    BadTransferee,
    InvalidDowngradeTarget,
    NoDowngrade,
    NoLeader,
    NotBuilt,
    NotLeaderError,
    StoreError,
)
from kubeactors.store.mvcc import hash as hashes
from kubeactors.store.node import Node
from kubeactors.store.services.calls import abort, answer
from kubeactors.store.snapshot.export import Exporter, parts

logger = logging.getLogger(__name__)

API_VERSION = "3.5.13"
"""The version of etcd whose client API is offered; clients decide by it what they may ask for."""


class MaintenanceService(rpc_pb2_grpc.MaintenanceServicer):
    """`export_dir`: where snapshots are written before they are sent."""

    def __init__(self, node: Node, api: StoreApi, disk: Disk, export_dir: Path) -> None:
        self._node = node
        self._api = api
        self._disk = disk
        self._exporter = Exporter(disk, export_dir, node.cluster_id, node.member_id, node.check_serving, node.released)

    async def Status(self, request: rpc_pb2.StatusRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.StatusResponse:
        node = self._node
        problems = [problem for problem in (node.failure, node.snapshot_problem) if problem]
        if not node.leader:
            problems.append(NoLeader.default)
        for raised in node.machine.alarms.get().alarms:
            problems.append(f"memberID:{raised.memberID} alarm:{rpc_pb2.AlarmType.Name(raised.alarm)} ")
        own = node.machine.membership.get(node.member_id)
        return rpc_pb2.StatusResponse(
            header=node.header(),
            version=API_VERSION,
            dbSize=node.machine.mvcc.bytes_in_use + node.log_bytes,
            dbSizeInUse=node.machine.mvcc.bytes_in_use,
            leader=node.leader,
            raftIndex=node.commit,
            raftTerm=node.term,
            raftAppliedIndex=node.machine.applied_index,
            errors=problems,
            isLearner=own is not None and own.learner,
        )

    async def HashKV(self, request: rpc_pb2.HashKVRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.HashKVResponse:
        try:
            return await self._hash(request.revision)
        except StoreError as error:
            await abort(context, error)

    async def Hash(self, request: rpc_pb2.HashRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.HashResponse:
        answer = await self._hash(0)
        return rpc_pb2.HashResponse(header=answer.header, hash=answer.hash)

    async def _hash(self, revision: int) -> rpc_pb2.HashKVResponse:
        node = self._node
        mvcc = node.machine.mvcc
        mvcc.check_revision(revision)
        header, compact_revision = node.header(), mvcc.told_compact_revision
        checksum = 0
        mvcc.hold()
        try:
            for step in hashes.steps(mvcc, revision if revision > 0 else mvcc.revision):
                checksum = step
                await asyncio.sleep(0)  # let others have the loop between the steps
        finally:
            mvcc.release()
            node.released()
        return rpc_pb2.HashKVResponse(header=header, hash=checksum, compact_revision=compact_revision)

    async def Alarm(self, request: rpc_pb2.AlarmRequest, context: grpc.aio.ServicerContext) -> rpc_pb2.AlarmResponse:
        return cast(rpc_pb2.AlarmResponse, await answer(self._api, "alarm", request, context))

    async def Defragment(
        self, request: rpc_pb2.DefragmentRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.DefragmentResponse:
        # The state is in memory and the log is trimmed by snapshots: there never is anything to defragment.
        return rpc_pb2.DefragmentResponse(header=self._node.header())

    async def Snapshot(  # type: ignore[override]  # grpc.aio also takes a coroutine
        self, request: rpc_pb2.SnapshotRequest, context: grpc.aio.ServicerContext
    ) -> None:
        node = self._node
        try:
            header = node.header()
            async with self._exporter.take(node.machine) as path:
                async for remaining, blob in parts(self._disk, path):
                    await context.write(rpc_pb2.SnapshotResponse(header=header, remaining_bytes=remaining, blob=blob))
        except StoreError as error:
            await abort(context, error)
        except OSError as error:
            logger.error("a snapshot cannot be sent: %s", error)
            await context.abort(grpc.StatusCode.INTERNAL, f"etcdserver: a snapshot cannot be written: {error.strerror}")

    async def MoveLeader(
        self, request: rpc_pb2.MoveLeaderRequest, context: grpc.aio.ServicerContext
    ) -> rpc_pb2.MoveLeaderResponse:
        node = self._node
        try:
            if node.leader != node.member_id:
                raise NotLeaderError
            target = node.machine.membership.get(request.targetID)
            if target is None or target.learner:
                raise BadTransferee
            await node.transfer(request.targetID)
        except StoreError as error:
            await abort(context, error)
        return rpc_pb2.MoveLeaderResponse(header=node.header())

    async def Downgrade(self, request: rpc_pb2.DowngradeRequest, context: grpc.aio.ServicerContext) -> NoReturn:
        await abort(context, _refusal(request))


def _refusal(request: rpc_pb2.DowngradeRequest) -> StoreError:
    """As etcd refuses what makes no sense; else that there is nothing older to go back to."""
    if request.action == rpc_pb2.DowngradeRequest.CANCEL:
        return NoDowngrade()
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)([-+].*)?", request.version)
    if match is None:
        return BadDowngradeVersion()
    major, minor = map(int, API_VERSION.split(".")[:2])
    if (int(match[1]), int(match[2])) != (major, minor - 1):
        return InvalidDowngradeTarget()
    return NotBuilt("etcdserver: this store cannot be downgraded")
