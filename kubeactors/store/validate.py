"""What is refused before it reaches the log: pure checks of a request's form, in etcd's order and words."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import (
    DuplicateKey,
    EmptyKey,
    InvalidRequest,
    KeyNotFound,
    LeaseProvided,
    LeaseTtlTooLarge,
    TooManyOps,
    ValueProvided,
)
from kubeactors.store.keys import FROM_KEY, contains
from kubeactors.store.machine.lease import MAX_TTL


def check_range(request: rpc_pb2.RangeRequest) -> None:
    if not request.key:
        raise EmptyKey
    if request.sort_order not in rpc_pb2.RangeRequest.SortOrder.values():
        raise InvalidRequest("etcdserver: invalid sort option")
    if request.sort_target not in rpc_pb2.RangeRequest.SortTarget.values():
        raise InvalidRequest("etcdserver: invalid sort option")


def check_put(request: rpc_pb2.PutRequest) -> None:
    if not request.key:
        raise EmptyKey
    if request.ignore_value and request.value:
        raise ValueProvided
    if request.ignore_lease and request.lease:
        raise LeaseProvided


def check_delete_range(request: rpc_pb2.DeleteRangeRequest) -> None:
    if not request.key:
        raise EmptyKey


def check_lease_grant(request: rpc_pb2.LeaseGrantRequest) -> None:
    if request.TTL > MAX_TTL:
        raise LeaseTtlTooLarge


def check_txn(request: rpc_pb2.TxnRequest, max_ops: int) -> None:
    """`max_ops`: how many comparisons, or operations of a branch, a transaction may have (etcd's --max-txn-ops)."""
    _check_parts(request, max_ops)
    if _many_writes(request):
        _writes_once(request)


def _check_parts(request: rpc_pb2.TxnRequest, max_ops: int) -> None:
    size = max(len(request.compare), len(request.success), len(request.failure))
    if size > max_ops:
        raise TooManyOps
    for compare in request.compare:
        if not compare.key:
            raise EmptyKey
        if compare.target not in rpc_pb2.Compare.CompareTarget.values():
            raise InvalidRequest("etcdserver: invalid compare target")
        if compare.result not in rpc_pb2.Compare.CompareResult.values():
            raise InvalidRequest("etcdserver: invalid compare result")
    for op in (*request.success, *request.failure):
        which = op.WhichOneof("request")
        if which == "request_put":
            check_put(op.request_put)
        elif which == "request_range":
            check_range(op.request_range)
        elif which == "request_delete_range":
            check_delete_range(op.request_delete_range)
        elif which == "request_txn":
            _check_parts(op.request_txn, max_ops - size)
        else:
            raise KeyNotFound  # etcd's word for an operation without content


def _many_writes(request: rpc_pb2.TxnRequest) -> bool:
    return any(
        len(branch) > 1 or (branch and branch[0].HasField("request_txn"))
        for branch in (request.success, request.failure)
    )


Interval = tuple[bytes, bytes]


def _writes_once(request: rpc_pb2.TxnRequest) -> tuple[list[bytes], list[Interval]]:
    """The keys that the transaction may put, sorted, and the ranges it may delete. Raises DuplicateKey."""
    success = _branch_writes(request.success)
    failure = _branch_writes(request.failure)
    # Only one branch is taken: what both write is no conflict between them.
    return sorted({*success[0], *failure[0]}), success[1] + failure[1]


def _branch_writes(branch: Iterable[rpc_pb2.RequestOp]) -> tuple[list[bytes], list[Interval]]:
    puts: list[bytes] = []
    deletes: list[Interval] = []
    for op in branch:
        if op.HasField("request_put"):
            _add(puts, deletes, [op.request_put.key], [])
        elif op.HasField("request_delete_range"):
            request = op.request_delete_range
            _add(puts, deletes, [], [(request.key, request.range_end)])
        elif op.HasField("request_txn"):
            _add(puts, deletes, *_writes_once(op.request_txn))
    return puts, deletes


def _add(puts: list[bytes], deletes: list[Interval], new_puts: list[bytes], new_deletes: list[Interval]) -> None:
    for key in new_puts:
        position = bisect_left(puts, key)
        if position < len(puts) and puts[position] == key:
            raise DuplicateKey
        if any(contains(start, end, key) for start, end in deletes):
            raise DuplicateKey
    for start, end in new_deletes:
        position = bisect_left(puts, start)
        if position < len(puts) and (contains(start, end, puts[position]) if end != FROM_KEY else True):
            raise DuplicateKey
    for key in new_puts:
        insort(puts, key)
    deletes.extend(new_deletes)


def is_read_only(request: rpc_pb2.TxnRequest) -> bool:
    """Whether no branch writes, so that the log need not know of the transaction."""
    for op in (*request.success, *request.failure):
        if op.HasField("request_put") or op.HasField("request_delete_range"):
            return False
        if op.HasField("request_txn") and not is_read_only(op.request_txn):
            return False
    return True
