"""What the store does with a request, whatever stream or call brought it: check → read, or propose → answer."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any, cast

from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import validate, wire
from kubeactors.store.errors import InvalidRequest, NoSpace, StoreError
from kubeactors.store.machine import alarm as alarms
from kubeactors.store.machine.command import Kind
from kubeactors.store.mvcc import range as ranges
from kubeactors.store.node import Done, Node

logger = logging.getLogger(__name__)

DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024
MIN_LEASE_TTL = 2


class StoreApi:
    """`submit` takes any request of the KV and Lease services by the name that it has in session frames.

    `quota_bytes`: how large the state may get before a NOSPACE alarm is raised; 0: etcd's default, below: no limit.
    `min_lease_ttl`: seconds; a lease for less is granted for this long, so that it outlives an election (etcd: one and
    a half times the election timeout).
    """

    def __init__(self, node: Node, max_txn_ops: int, quota_bytes: int = 0, min_lease_ttl: int = MIN_LEASE_TTL) -> None:
        self._node = node
        self._max_txn_ops = max_txn_ops
        self._quota_bytes = quota_bytes or DEFAULT_QUOTA_BYTES
        self._min_lease_ttl = min_lease_ttl
        # Typed as Any: each method takes its own request class, which `submit` is given beside the name.
        self._methods: dict[str, Callable[[Any, Done], None]] = {
            "range": self._range,
            "put": self._put,
            "delete_range": self._delete_range,
            "txn": self._txn,
            "compact": self._compact,
            "lease_grant": self._lease_grant,
            "lease_revoke": self._lease_revoke,
            "lease_keep_alive": self._lease_keep_alive,
            "lease_time_to_live": self._lease_time_to_live,
            "lease_leases": self._lease_leases,
            "alarm": self._alarm,
        }

    @property
    def node(self) -> Node:
        return self._node

    def submit(self, field: str, request: Message, done: Done) -> None:
        """`done` is called once with the response or the error, perhaps before this returns."""
        try:
            method = self._methods.get(field)
            if method is None:
                raise InvalidRequest(f"etcdserver: unknown request {field!r}")
            method(request, done)
        except StoreError as error:
            done(error)

    def _range(self, request: rpc_pb2.RangeRequest, done: Done) -> None:
        validate.check_range(request)

        def read() -> Message:
            response = rpc_pb2.RangeResponse()
            wire.fill_range(response, ranges.read(self._node.machine.mvcc, request), request.keys_only)
            return response

        self._read(read, done, serializable=request.serializable)

    def _put(self, request: rpc_pb2.PutRequest, done: Done) -> None:
        validate.check_put(request)
        self._propose_growth(Kind.PUT, request, done)

    def _delete_range(self, request: rpc_pb2.DeleteRangeRequest, done: Done) -> None:
        validate.check_delete_range(request)
        self._node.propose(Kind.DELETE_RANGE, request, done)

    def _txn(self, request: rpc_pb2.TxnRequest, done: Done) -> None:
        validate.check_txn(request, self._max_txn_ops)
        if validate.is_read_only(request):
            self._read(lambda: self._node.machine.txn_read(request), done)
        else:
            self._propose_growth(Kind.TXN, request, done)

    def _compact(self, request: rpc_pb2.CompactionRequest, done: Done) -> None:
        self._node.propose(Kind.COMPACT, request, done)

    def _lease_grant(self, request: rpc_pb2.LeaseGrantRequest, done: Done) -> None:
        validate.check_lease_grant(request)
        request.TTL = max(request.TTL, self._min_lease_ttl)
        while not request.ID:
            chosen = secrets.randbits(63)
            request.ID = 0 if chosen in self._node.machine.leases else chosen
        self._propose_growth(Kind.LEASE_GRANT, request, done)

    def _lease_revoke(self, request: rpc_pb2.LeaseRevokeRequest, done: Done) -> None:
        self._node.propose(Kind.LEASE_REVOKE, request, done)

    def _lease_keep_alive(self, request: rpc_pb2.LeaseKeepAliveRequest, done: Done) -> None:
        self._node.propose(Kind.LEASE_KEEP_ALIVE, request, done)

    def _lease_time_to_live(self, request: rpc_pb2.LeaseTimeToLiveRequest, done: Done) -> None:
        self._read(lambda: self._node.machine.time_to_live(request, self._node.now()), done)

    def _lease_leases(self, request: rpc_pb2.LeaseLeasesRequest, done: Done) -> None:
        def read() -> Message:
            leases = sorted(self._node.machine.leases.all(), key=lambda lease: lease.expiry)
            return rpc_pb2.LeaseLeasesResponse(leases=[rpc_pb2.LeaseStatus(ID=lease.id) for lease in leases])

        self._read(read, done)

    def _alarm(self, request: rpc_pb2.AlarmRequest, done: Done) -> None:
        if request.action == rpc_pb2.AlarmRequest.GET:
            self._read(lambda: self._node.machine.alarms.get(request.alarm), done)
        else:
            self._node.propose(Kind.ALARM, request, done)

    def _propose_growth(self, kind: Kind, request: Message, done: Done) -> None:
        """Propose what may make the state larger. Without room for it, raise an alarm, and then NoSpace."""
        node = self._node
        if self._quota_bytes > 0:
            size = alarms.cost(kind, request)
            if size and node.machine.mvcc.bytes_in_use + size > self._quota_bytes:
                self._raise_no_space(done)
                return
        node.propose(kind, request, done)

    def _raise_no_space(self, done: Done) -> None:
        machine, member = self._node.machine, self._node.member_id
        if (member, rpc_pb2.NOSPACE) in machine.alarms:
            done(NoSpace())
            return
        logger.warning(
            "the state takes %d bytes, its quota is %d: compact it and disarm the alarm",
            machine.mvcc.bytes_in_use,
            self._quota_bytes,
        )
        alarm = rpc_pb2.AlarmRequest(action=rpc_pb2.AlarmRequest.ACTIVATE, memberID=member, alarm=rpc_pb2.NOSPACE)
        self._node.propose(Kind.ALARM, alarm, lambda _: done(NoSpace()))

    def barrier(self, done: Done) -> None:
        """An empty message once the applied state reflects every write acknowledged before now."""
        self._read(rpc_pb2.RangeResponse, done)

    def _read(self, read: Callable[[], Message], done: Done, *, serializable: bool = False) -> None:
        """Answer from the applied state, once it reflects every write acknowledged before now."""
        barrier = None if serializable else self._node.read_barrier()
        if barrier is None:
            self._node.check_serving()
            done(self._with_header(read()))
            return

        def passed(_: object) -> None:
            try:
                barrier.result()
                outcome: Message | StoreError = self._with_header(read())
            except StoreError as error:
                outcome = error
            done(outcome)

        barrier.add_done_callback(passed)

    def _with_header(self, response: Message) -> Message:
        # Every response of the API has this field; protobuf's common base class does not know it.
        cast(rpc_pb2.RangeResponse, response).header.CopyFrom(self._node.header())
        return response
