"""What the store answers, as typed values. Revisions are the store's; TTLs are seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kubeactors.pb.etcd import kv_pb2, rpc_pb2


class KeyValue(NamedTuple):
    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int


class Event(NamedTuple):
    """One change. `deleted`: `kv` holds only the key and, as `mod_revision`, the revision of the deletion."""

    deleted: bool
    kv: KeyValue
    prev_kv: KeyValue | None

    @property
    def created(self) -> bool:
        return self.kv.version == 1


@dataclass(frozen=True, slots=True)
class RangeResult:
    """`count` counts the range whatever limit says; `more`: the limit cut the answer; `revision`: the store's."""

    kvs: list[KeyValue]
    count: int
    revision: int
    more: bool


@dataclass(frozen=True, slots=True)
class PutResult:
    revision: int
    prev_kv: KeyValue | None


@dataclass(frozen=True, slots=True)
class DeleteResult:
    deleted: int
    revision: int
    prev_kvs: list[KeyValue]


@dataclass(frozen=True, slots=True)
class TxnResult:
    """`responses`: one for each operation of the branch that was taken, in its order."""

    succeeded: bool
    revision: int
    responses: list[OpResult]


OpResult = RangeResult | PutResult | DeleteResult | TxnResult


@dataclass(frozen=True, slots=True)
class WatchBatch:
    """Changes in the order of their revisions. After this batch the watch has seen everything up to `revision`.

    `events` is empty when the store only tells how far it has come (progress).
    """

    events: list[Event]
    revision: int


@dataclass(frozen=True, slots=True)
class LeaseGranted:
    id: int
    ttl: int


@dataclass(frozen=True, slots=True)
class LeaseTimeToLive:
    """`ttl`: seconds left, -1 when the lease does not exist."""

    id: int
    ttl: int
    granted_ttl: int
    keys: list[bytes]


@dataclass(frozen=True, slots=True)
class MemberStatus:
    cluster_id: int
    member_id: int
    leader_id: int
    version: str
    db_size: int
    revision: int
    term: int
    index: int
    applied_index: int
    errors: list[str]


@dataclass(frozen=True, slots=True)
class MemberInfo:
    id: int
    name: str
    peer_urls: list[str]
    client_urls: list[str]
    is_learner: bool


def key_value(kv: kv_pb2.KeyValue) -> KeyValue:
    return KeyValue(kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def events(encoded: Iterable[kv_pb2.Event]) -> list[Event]:
    return [
        Event(e.type == kv_pb2.Event.DELETE, key_value(e.kv), key_value(e.prev_kv) if e.HasField("prev_kv") else None)
        for e in encoded
    ]


def range_result(r: rpc_pb2.RangeResponse) -> RangeResult:
    return RangeResult([key_value(kv) for kv in r.kvs], r.count, r.header.revision, r.more)


def put_result(r: rpc_pb2.PutResponse) -> PutResult:
    return PutResult(r.header.revision, key_value(r.prev_kv) if r.HasField("prev_kv") else None)


def delete_result(r: rpc_pb2.DeleteRangeResponse) -> DeleteResult:
    return DeleteResult(r.deleted, r.header.revision, [key_value(kv) for kv in r.prev_kvs])


def txn_result(r: rpc_pb2.TxnResponse) -> TxnResult:
    return TxnResult(r.succeeded, r.header.revision, [op_result(op) for op in r.responses])


def op_result(op: rpc_pb2.ResponseOp) -> OpResult:
    which = op.WhichOneof("response")
    if which == "response_put":
        return put_result(op.response_put)
    if which == "response_range":
        return range_result(op.response_range)
    if which == "response_delete_range":
        return delete_result(op.response_delete_range)
    return txn_result(op.response_txn)
