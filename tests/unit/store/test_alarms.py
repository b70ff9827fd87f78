"""Alarms: what they refuse, that they are part of the state, and the quota that raises one."""

from __future__ import annotations

from pathlib import Path

import grpc
import grpc.aio
import pytest

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.errors import CorruptCluster, LeaseNotFound, NoSpace, StoreError
from kubeactors.store.machine.alarm import AlarmTable, cost
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine
from tests.support.eventually import eventually
from tests.support.store import member_config, running_member

ACTIVATE, DEACTIVATE = rpc_pb2.AlarmRequest.ACTIVATE, rpc_pb2.AlarmRequest.DEACTIVATE
PUT = rpc_pb2.PutRequest(key=b"k", value=b"v")
NESTED = rpc_pb2.TxnRequest(
    success=[
        rpc_pb2.RequestOp(
            request_txn=rpc_pb2.TxnRequest(failure=[rpc_pb2.RequestOp(request_put=PUT)]),
        )
    ]
)
DELETING = rpc_pb2.TxnRequest(
    success=[rpc_pb2.RequestOp(request_delete_range=rpc_pb2.DeleteRangeRequest(key=b"k"))],
)


def alarm(action: int, kind: int, member: int = 5) -> rpc_pb2.AlarmRequest:
    return rpc_pb2.AlarmRequest(action=action, memberID=member, alarm=kind)  # type: ignore[arg-type]


def apply(machine: StateMachine, kind: Kind, request: object, time: int = 0) -> object:
    return machine.apply(Command(kind, time, request))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "request_", "no_space"),
    [
        (Kind.PUT, PUT, NoSpace),
        (Kind.TXN, NESTED, NoSpace),
        (Kind.TXN, DELETING, None),
        (Kind.DELETE_RANGE, rpc_pb2.DeleteRangeRequest(key=b"k"), None),
        (Kind.COMPACT, rpc_pb2.CompactionRequest(revision=1), None),
        (Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=9, TTL=9), NoSpace),
        (Kind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=7), None),
    ],
)
def test_what_alarms_refuse(kind: Kind, request_: object, no_space: type[StoreError] | None) -> None:
    def machine(raised: int) -> StateMachine:
        machine = StateMachine()
        apply(machine, Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=7, TTL=9))
        apply(machine, Kind.ALARM, alarm(ACTIVATE, raised))
        return machine

    if no_space is None:
        apply(machine(rpc_pb2.NOSPACE), kind, request_)
    else:
        with pytest.raises(no_space):
            apply(machine(rpc_pb2.NOSPACE), kind, request_)
    with pytest.raises(CorruptCluster):
        apply(machine(rpc_pb2.CORRUPT), kind, request_)


def test_renewals_go_on_whatever_is_raised() -> None:
    machine = StateMachine()
    apply(machine, Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=7, TTL=9))
    for kind in (rpc_pb2.NOSPACE, rpc_pb2.CORRUPT):
        apply(machine, Kind.ALARM, alarm(ACTIVATE, kind))
    apply(machine, Kind.LEASE_KEEP_ALIVE, rpc_pb2.LeaseKeepAliveRequest(ID=7), 5_000)
    assert machine.leases.next_expiry() == 14_000


def test_an_alarm_lasts_until_its_own_member_s_is_disarmed() -> None:
    machine = StateMachine()
    apply(machine, Kind.ALARM, alarm(ACTIVATE, rpc_pb2.NOSPACE, 5))
    apply(machine, Kind.ALARM, alarm(ACTIVATE, rpc_pb2.NOSPACE, 6))
    apply(machine, Kind.ALARM, alarm(DEACTIVATE, rpc_pb2.NOSPACE, 6))
    assert machine.alarms.all() == [(5, rpc_pb2.NOSPACE)]
    with pytest.raises(NoSpace):
        apply(machine, Kind.PUT, PUT)
    apply(machine, Kind.ALARM, alarm(DEACTIVATE, rpc_pb2.NOSPACE, 5))
    apply(machine, Kind.PUT, PUT)
    assert machine.mvcc.get(b"k") is not None


def test_an_expiry_that_an_alarm_refused_comes_up_again() -> None:
    machine = StateMachine()
    apply(machine, Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=7, TTL=2))
    apply(machine, Kind.ALARM, alarm(ACTIVATE, rpc_pb2.CORRUPT))
    expire = rpc_pb2.LeaseRevokeRequest(ID=7)
    assert machine.leases.expired(2_000) == [7]
    with pytest.raises(CorruptCluster):
        apply(machine, Kind.LEASE_EXPIRE, expire, 2_000)
    assert machine.leases.expired(2_000) == []
    apply(machine, Kind.ALARM, alarm(DEACTIVATE, rpc_pb2.CORRUPT))
    assert machine.leases.expired(2_000) == [7]
    apply(machine, Kind.LEASE_EXPIRE, expire, 2_000)
    with pytest.raises(LeaseNotFound):
        apply(machine, Kind.LEASE_KEEP_ALIVE, rpc_pb2.LeaseKeepAliveRequest(ID=7))


def test_what_a_request_costs() -> None:
    assert cost(Kind.PUT, PUT) == 258
    assert cost(Kind.TXN, NESTED) == 258
    assert cost(Kind.TXN, DELETING) == 0
    both = rpc_pb2.TxnRequest(
        success=[rpc_pb2.RequestOp(request_put=PUT)], failure=[rpc_pb2.RequestOp(request_put=PUT)] * 3
    )
    assert cost(Kind.TXN, both) == 3 * 258  # only one branch is taken: the dearer one counts


def test_the_table_names_alarms_of_one_type() -> None:
    table = AlarmTable([(2, rpc_pb2.CORRUPT), (1, rpc_pb2.NOSPACE)])
    assert [(a.memberID, a.alarm) for a in table.get().alarms] == [(1, rpc_pb2.NOSPACE), (2, rpc_pb2.CORRUPT)]
    assert [a.memberID for a in table.get(rpc_pb2.CORRUPT).alarms] == [2]


async def test_an_alarm_is_in_a_snapshot(tmp_path: Path) -> None:
    config = member_config(tmp_path, snapshot_count=10)
    async with running_member(config) as member, grpc.aio.insecure_channel(member.client_urls[0][7:]) as channel:
        kv, maintenance = rpc_pb2_grpc.KVStub(channel), rpc_pb2_grpc.MaintenanceStub(channel)
        await maintenance.Alarm(alarm(ACTIVATE, rpc_pb2.NOSPACE, 77))
        for _ in range(20):
            await kv.DeleteRange(rpc_pb2.DeleteRangeRequest(key=b"nothing"))
        await eventually(lambda: list(tmp_path.rglob("*.snap")))  # written beside the requests
    async with running_member(config) as member, grpc.aio.insecure_channel(member.client_urls[0][7:]) as channel:
        raised = await rpc_pb2_grpc.MaintenanceStub(channel).Alarm(rpc_pb2.AlarmRequest())
        assert [(a.memberID, a.alarm) for a in raised.alarms] == [(77, rpc_pb2.NOSPACE)]
        with pytest.raises(grpc.aio.AioRpcError, match="database space exceeded"):
            await rpc_pb2_grpc.KVStub(channel).Put(PUT)
