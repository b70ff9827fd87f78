"""Transactions: which branch is taken, whether it can be carried out, and carrying it out.

Every comparison, those of nested transactions included, looks at the state before the transaction; every check is made
before the first write, so that a transaction happens wholly or not at all (etcd's applyTxn has the same order).
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import wire
from kubeactors.store.errors import KeyNotFound, LeaseNotFound
from kubeactors.store.mvcc import range as ranges
from kubeactors.store.mvcc.record import CREATE, LEASE, MOD, VALUE, VERSION, Record
from kubeactors.store.mvcc.state import Mvcc, Write

_TARGETS: dict[int, tuple[int, str]] = {
    rpc_pb2.Compare.VERSION: (VERSION, "version"),
    rpc_pb2.Compare.CREATE: (CREATE, "create_revision"),
    rpc_pb2.Compare.MOD: (MOD, "mod_revision"),
    rpc_pb2.Compare.VALUE: (VALUE, "value"),
    rpc_pb2.Compare.LEASE: (LEASE, "lease"),
}

# A branch that was chosen: its operations, each with the chosen branch of a nested transaction.
Plan = list[tuple[rpc_pb2.RequestOp, "Branch | None"]]
Branch = tuple[bool, Plan]


def holds(mvcc: Mvcc, compare: rpc_pb2.Compare) -> bool:
    """Whether the comparison holds; over a range, whether it holds for every key."""
    if compare.range_end:
        # Nothing in the range compares as one key that does not exist, as in etcd.
        records: Sequence[Record | None] = mvcc.records(compare.key, compare.range_end) or (None,)
    else:
        records = (mvcc.get(compare.key),)
    index, field = _TARGETS[compare.target]
    wanted = getattr(compare, field)
    for record in records:
        if record is None:
            if compare.target == rpc_pb2.Compare.VALUE:
                return False  # a value that does not exist compares with nothing
            actual: object = 0
        else:
            actual = record[index]
        if not _compare(compare.result, actual, wanted):
            return False
    return True


def _compare(result: int, actual: object, wanted: object) -> bool:
    if result == rpc_pb2.Compare.EQUAL:
        return actual == wanted
    if result == rpc_pb2.Compare.NOT_EQUAL:
        return actual != wanted
    if isinstance(actual, bytes) and isinstance(wanted, bytes):
        return actual > wanted if result == rpc_pb2.Compare.GREATER else actual < wanted
    assert isinstance(actual, int) and isinstance(wanted, int)
    return actual > wanted if result == rpc_pb2.Compare.GREATER else actual < wanted


def choose(mvcc: Mvcc, request: rpc_pb2.TxnRequest) -> Branch:
    """The branch to take, nested ones included."""
    succeeded = all(holds(mvcc, compare) for compare in request.compare)
    plan: Plan = []
    for op in request.success if succeeded else request.failure:
        nested = choose(mvcc, op.request_txn) if op.HasField("request_txn") else None
        plan.append((op, nested))
    return succeeded, plan


def check(mvcc: Mvcc, leases: Container[int], branch: Branch) -> None:
    """Raises what any operation of the branch would raise: KeyNotFound, LeaseNotFound, Compacted, FutureRevision."""
    for op, nested in branch[1]:
        if nested is not None:
            check(mvcc, leases, nested)
        elif op.HasField("request_put"):
            _check_present(mvcc, op.request_put)
            _check_lease(leases, op.request_put)
        elif op.HasField("request_range"):
            mvcc.check_revision(op.request_range.revision)


def check_put(mvcc: Mvcc, leases: Container[int], request: rpc_pb2.PutRequest) -> None:
    _check_lease(leases, request)
    _check_present(mvcc, request)


def _check_lease(leases: Container[int], request: rpc_pb2.PutRequest) -> None:
    if request.lease and request.lease not in leases:
        raise LeaseNotFound


def _check_present(mvcc: Mvcc, request: rpc_pb2.PutRequest) -> None:
    if (request.ignore_value or request.ignore_lease) and mvcc.get(request.key) is None:
        raise KeyNotFound


def put(mvcc: Mvcc, write: Write, request: rpc_pb2.PutRequest, response: rpc_pb2.PutResponse) -> None:
    key, value, lease = request.key, request.value, request.lease
    if request.ignore_value or request.ignore_lease:
        present = mvcc.get(key)
        assert present is not None  # check_put saw it
        value = present[VALUE] if request.ignore_value else value
        lease = present[LEASE] if request.ignore_lease else lease
    previous = write.put(key, value, lease)
    if request.prev_kv and previous is not None:
        wire.fill_key_value(response.prev_kv, previous)


def delete_range(write: Write, request: rpc_pb2.DeleteRangeRequest, response: rpc_pb2.DeleteRangeResponse) -> None:
    gone = write.delete_range(request.key, request.range_end)
    response.deleted = len(gone)
    if request.prev_kv:
        for record in gone:
            wire.fill_key_value(response.prev_kvs.add(), record)


def carry_out(mvcc: Mvcc, write: Write, branch: Branch, response: rpc_pb2.TxnResponse) -> None:
    """Do what the branch says and fill in the answers, in order."""
    response.succeeded = branch[0]
    for op, nested in branch[1]:
        answer = response.responses.add()
        if nested is not None:
            carry_out(mvcc, write, nested, answer.response_txn)
            answer.response_txn.header.SetInParent()  # there and empty, as in etcd
        elif op.HasField("request_put"):
            put(mvcc, write, op.request_put, answer.response_put)
            answer.response_put.header.revision = write.revision
        elif op.HasField("request_delete_range"):
            delete_range(write, op.request_delete_range, answer.response_delete_range)
            answer.response_delete_range.header.revision = write.revision
        else:
            wire.fill_range(answer.response_range, ranges.read(mvcc, op.request_range), op.request_range.keys_only)
            answer.response_range.header.revision = write.revision
