"""Alarms: what a member has raised against the whole cluster, and which commands are refused while it lasts.

NOSPACE refuses what makes the state larger, CORRUPT what changes it at all, as etcd's capped and corrupt appliers do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import CorruptCluster, InvalidRequest, NoSpace
from kubeactors.store.machine.command import Kind

Alarm = tuple[int, int]
"""(the member that raised it, its AlarmType)"""

_CHANGES = {
    Kind.PUT,
    Kind.DELETE_RANGE,
    Kind.TXN,
    Kind.COMPACT,
    Kind.LEASE_GRANT,
    Kind.LEASE_REVOKE,
    Kind.LEASE_EXPIRE,
}


class AlarmTable:
    def __init__(self, alarms: Iterable[Alarm] = ()) -> None:
        self._alarms = {(int(member), int(kind)) for member, kind in alarms}
        self._count()

    def __bool__(self) -> bool:
        return bool(self._alarms)

    def __contains__(self, alarm: object) -> bool:
        return alarm in self._alarms

    def all(self) -> list[Alarm]:
        return sorted(self._alarms)

    def check(self, kind: Kind, request: Message) -> None:
        """Raises NoSpace or CorruptCluster when the command must not be carried out."""
        if not self._alarms:
            return
        if self._corrupt and kind in _CHANGES:
            raise CorruptCluster
        if self._no_space and grows(kind, request):
            raise NoSpace

    def apply(self, request: rpc_pb2.AlarmRequest) -> rpc_pb2.AlarmResponse:
        """Raises InvalidRequest for an action that is not known."""
        alarm = (request.memberID, request.alarm)
        response = rpc_pb2.AlarmResponse()
        if request.action == rpc_pb2.AlarmRequest.GET:
            return self.get(request.alarm)
        if request.action == rpc_pb2.AlarmRequest.ACTIVATE:
            if request.alarm == rpc_pb2.NONE:
                return response
            self._alarms.add(alarm)
            response.alarms.add(memberID=alarm[0], alarm=request.alarm)
        elif request.action == rpc_pb2.AlarmRequest.DEACTIVATE:
            if alarm in self._alarms:
                self._alarms.remove(alarm)
                response.alarms.add(memberID=alarm[0], alarm=request.alarm)
        else:
            raise InvalidRequest("etcdserver: unknown alarm action")
        self._count()
        return response

    def get(self, wanted: int = rpc_pb2.NONE) -> rpc_pb2.AlarmResponse:
        """The alarms of one type, or of all (NONE)."""
        found = [alarm for alarm in self.all() if wanted in (rpc_pb2.NONE, alarm[1])]
        return rpc_pb2.AlarmResponse(
            alarms=[rpc_pb2.AlarmMember(memberID=member, alarm=_type(kind)) for member, kind in found]
        )

    def raised(self, wanted: int) -> bool:
        return any(kind == wanted for _, kind in self._alarms)

    def _count(self) -> None:
        self._no_space = self.raised(rpc_pb2.NOSPACE)
        self._corrupt = self.raised(rpc_pb2.CORRUPT)


def _type(kind: int) -> rpc_pb2.AlarmType.ValueType:
    return cast("rpc_pb2.AlarmType.ValueType", kind)  # an enum is a number at run time


PUT_OVERHEAD = 256
LEASE_OVERHEAD = 64


def cost(kind: Kind, request: Message) -> int:
    """By how many bytes a request may make the state larger, at the most, reckoned as etcd does (quota.go)."""
    if kind == Kind.PUT:
        put = cast(rpc_pb2.PutRequest, request)
        return PUT_OVERHEAD + len(put.key) + len(put.value)
    if kind == Kind.TXN:
        txn = cast(rpc_pb2.TxnRequest, request)
        return max(_branch_cost(txn.success), _branch_cost(txn.failure))
    return LEASE_OVERHEAD if kind == Kind.LEASE_GRANT else 0


def grows(kind: Kind, request: Message) -> bool:
    return cost(kind, request) > 0


def _branch_cost(branch: Iterable[rpc_pb2.RequestOp]) -> int:
    total = 0
    for op in branch:
        if op.HasField("request_put"):
            total += cost(Kind.PUT, op.request_put)
        elif op.HasField("request_txn"):
            total += cost(Kind.TXN, op.request_txn)
    return total
