"""Applying commands to the key space and the leases."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import LeaseNotFound
from kubeactors.store.machine import membership as members
from kubeactors.store.machine import txn
from kubeactors.store.machine.alarm import AlarmTable
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.lease import LeaseTable
from kubeactors.store.machine.membership import Membership
from kubeactors.store.mvcc.state import Mvcc


class StateMachine:
    """The state that every member has after the same entries. `apply` is the only way to change it.

    `applied_index` and `applied_term` name the last entry; `time` is the cluster time it carried, in milliseconds.
    """

    def __init__(
        self,
        mvcc: Mvcc | None = None,
        leases: LeaseTable | None = None,
        alarms: AlarmTable | None = None,
        membership: Membership | None = None,
    ) -> None:
        self.mvcc = mvcc if mvcc is not None else Mvcc()
        self.leases = leases if leases is not None else LeaseTable()
        self.alarms = alarms if alarms is not None else AlarmTable()
        self.membership = membership if membership is not None else Membership()
        self.applied_index = 0
        self.applied_term = 0
        self.time = 0
        self._handlers: dict[Kind, Callable[[Message], Message]] = {
            Kind.PUT: self._put,
            Kind.DELETE_RANGE: self._delete_range,
            Kind.TXN: self._txn,
            Kind.COMPACT: self._compact,
            Kind.LEASE_GRANT: self._lease_grant,
            Kind.LEASE_REVOKE: self._lease_revoke,
            Kind.LEASE_KEEP_ALIVE: self._lease_keep_alive,
            Kind.LEASE_EXPIRE: self._lease_expire,
            Kind.ALARM: self._alarm,
            Kind.MEMBER_ADD: self._member_add,
            Kind.MEMBER_REMOVE: self._member_remove,
            Kind.MEMBER_PROMOTE: self._member_promote,
            Kind.MEMBER_UPDATE: self._member_update,
            Kind.MEMBER_PUBLISH: self._member_publish,
        }

    def apply(self, command: Command) -> Message:
        """The response, its header still empty. Raises StoreError; then nothing but the time has changed."""
        return self.carry_out(command.kind, command.time, command.request)

    def carry_out(self, kind: Kind, time: int, request: Message) -> Message:
        """As `apply`."""
        if time > self.time:
            self.time = time
        self.alarms.check(kind, request)
        return self._handlers[kind](request)

    def _put(self, message: Message) -> Message:
        request = cast(rpc_pb2.PutRequest, message)
        txn.check_put(self.mvcc, self.leases, request)
        write = self.mvcc.begin()
        response = rpc_pb2.PutResponse()
        txn.put(self.mvcc, write, request, response)
        write.commit()
        return response

    def _delete_range(self, message: Message) -> Message:
        write = self.mvcc.begin()
        response = rpc_pb2.DeleteRangeResponse()
        txn.delete_range(write, cast(rpc_pb2.DeleteRangeRequest, message), response)
        write.commit()
        return response

    def _txn(self, message: Message) -> Message:
        branch = txn.choose(self.mvcc, cast(rpc_pb2.TxnRequest, message))
        txn.check(self.mvcc, self.leases, branch)
        write = self.mvcc.begin()
        response = rpc_pb2.TxnResponse()
        txn.carry_out(self.mvcc, write, branch, response)
        write.commit()
        return response

    def _compact(self, message: Message) -> Message:
        self.mvcc.compact(cast(rpc_pb2.CompactionRequest, message).revision)
        return rpc_pb2.CompactionResponse()

    def _lease_grant(self, message: Message) -> Message:
        request = cast(rpc_pb2.LeaseGrantRequest, message)
        lease = self.leases.grant(request.ID, request.TTL, self.time)
        return rpc_pb2.LeaseGrantResponse(ID=lease.id, TTL=lease.ttl)

    def _lease_revoke(self, message: Message) -> Message:
        lease_id = cast(rpc_pb2.LeaseRevokeRequest, message).ID
        self.leases.revoke(lease_id)
        write = self.mvcc.begin()
        for key in sorted(self.mvcc.lease_keys.get(lease_id, ())):
            write.delete_range(key, b"")
        write.commit()
        return rpc_pb2.LeaseRevokeResponse()

    def _lease_keep_alive(self, message: Message) -> Message:
        lease = self.leases.keep_alive(cast(rpc_pb2.LeaseKeepAliveRequest, message).ID, self.time)
        return rpc_pb2.LeaseKeepAliveResponse(ID=lease.id, TTL=lease.ttl)

    def _lease_expire(self, message: Message) -> Message:
        lease = self.leases.get(cast(rpc_pb2.LeaseRevokeRequest, message).ID)
        if lease is None or lease.expiry > self.time:
            raise LeaseNotFound  # revoked or renewed by an entry before this one
        return self._lease_revoke(message)

    def _alarm(self, message: Message) -> Message:
        response = self.alarms.apply(cast(rpc_pb2.AlarmRequest, message))
        self.leases.rearm()  # an expiry that an alarm refused comes up again
        return response

    # ---- membership. Whoever applies these entries tells Raft of them ----

    def _member_add(self, message: Message) -> Message:
        member = cast(rpc_pb2.Member, message)
        self.membership.add(members.from_wire(member), self.applied_index)
        return rpc_pb2.MemberAddResponse(member=member, members=self._members())

    def _member_remove(self, message: Message) -> Message:
        self.membership.remove(cast(rpc_pb2.Member, message).ID, self.applied_index)
        return rpc_pb2.MemberRemoveResponse(members=self._members())

    def _member_promote(self, message: Message) -> Message:
        self.membership.promote(cast(rpc_pb2.Member, message).ID, self.applied_index)
        return rpc_pb2.MemberPromoteResponse(members=self._members())

    def _member_update(self, message: Message) -> Message:
        self.membership.update(members.from_wire(cast(rpc_pb2.Member, message)), self.applied_index)
        return rpc_pb2.MemberUpdateResponse(members=self._members())

    def _member_publish(self, message: Message) -> Message:
        self.membership.publish(members.from_wire(cast(rpc_pb2.Member, message)), self.applied_index)
        return rpc_pb2.MemberUpdateResponse(members=self._members())

    def _members(self) -> list[rpc_pb2.Member]:
        return [members.to_wire(member) for member in self.membership.all()]

    # ---- reads ----

    def txn_read(self, request: rpc_pb2.TxnRequest) -> rpc_pb2.TxnResponse:
        """A transaction without writes. Raises Compacted and FutureRevision."""
        branch = txn.choose(self.mvcc, request)
        txn.check(self.mvcc, self.leases, branch)
        response = rpc_pb2.TxnResponse()
        txn.carry_out(self.mvcc, self.mvcc.begin(), branch, response)
        return response

    def time_to_live(self, request: rpc_pb2.LeaseTimeToLiveRequest, now: int) -> rpc_pb2.LeaseTimeToLiveResponse:
        """`now`: cluster time in milliseconds."""
        lease = self.leases.get(request.ID)
        if lease is None:
            return rpc_pb2.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        left = max(0, (lease.expiry - now) // 1000)
        response = rpc_pb2.LeaseTimeToLiveResponse(ID=lease.id, TTL=min(left, lease.ttl), grantedTTL=lease.ttl)
        if request.keys:
            response.keys.extend(sorted(self.mvcc.lease_keys.get(lease.id, ())))
        return response
