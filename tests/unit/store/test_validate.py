"""What is refused before it reaches the log."""

from __future__ import annotations

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import validate
from kubeactors.store.client import ops
from kubeactors.store.errors import DuplicateKey, EmptyKey, InvalidRequest, LeaseTtlTooLarge, StoreError, TooManyOps

put, delete, get, txn = ops.put, ops.delete, ops.get, ops.txn


@pytest.mark.parametrize(
    "success",
    [
        [put(b"a", b""), put(b"a", b"")],
        [put(b"b", b""), delete(b"a", b"c")],
        [delete(b"a", b"\0"), put(b"b", b"")],
        [put(b"a", b""), txn([], [put(b"a", b"")])],
        [txn([], [delete(b"a")]), put(b"a", b"")],
        [txn([], [put(b"a", b"")], []), txn([], [], [put(b"a", b"")])],
        [txn([], [put(b"x", b""), txn([], [put(b"x", b"")])])],
    ],
)
def test_no_key_is_written_twice(success: list[ops.Op]) -> None:
    for request in (rpc_pb2.TxnRequest(success=success), rpc_pb2.TxnRequest(failure=success)):
        with pytest.raises(DuplicateKey):
            validate.check_txn(request, 128)


@pytest.mark.parametrize(
    "request_",
    [
        rpc_pb2.TxnRequest(success=[put(b"a", b"")], failure=[put(b"a", b"")]),
        rpc_pb2.TxnRequest(success=[delete(b"a"), delete(b"a", b"c"), get(b"a"), get(b"a")]),
        rpc_pb2.TxnRequest(success=[put(b"a", b""), delete(b"b", b"c"), put(b"c", b"")]),
        rpc_pb2.TxnRequest(success=[txn([], [put(b"a", b"")], [put(b"a", b"")])]),
    ],
)
def test_what_cannot_clash_passes(request_: rpc_pb2.TxnRequest) -> None:
    validate.check_txn(request_, 128)


def test_the_number_of_operations_is_bounded() -> None:
    keys = [put(b"%d" % n, b"") for n in range(4)]
    validate.check_txn(rpc_pb2.TxnRequest(success=keys), 4)
    with pytest.raises(TooManyOps):
        validate.check_txn(rpc_pb2.TxnRequest(success=keys), 3)
    with pytest.raises(TooManyOps):
        validate.check_txn(rpc_pb2.TxnRequest(success=[txn([], keys)]), 4)


@pytest.mark.parametrize(
    ("check", "request_", "error"),
    [
        (validate.check_put, rpc_pb2.PutRequest(), EmptyKey),
        (validate.check_put, rpc_pb2.PutRequest(key=b"k", value=b"v", ignore_value=True), InvalidRequest),
        (validate.check_put, rpc_pb2.PutRequest(key=b"k", lease=1, ignore_lease=True), InvalidRequest),
        (validate.check_range, rpc_pb2.RangeRequest(), EmptyKey),
        (validate.check_range, rpc_pb2.RangeRequest(key=b"k", sort_order=9), InvalidRequest),
        (validate.check_delete_range, rpc_pb2.DeleteRangeRequest(range_end=b"z"), EmptyKey),
        (validate.check_lease_grant, rpc_pb2.LeaseGrantRequest(TTL=10**10), LeaseTtlTooLarge),
    ],
)
def test_forms(check, request_, error: type[StoreError]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error):
        check(request_)


def test_an_operation_without_a_kind_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        validate.check_txn(rpc_pb2.TxnRequest(success=[rpc_pb2.RequestOp()]), 128)
    with pytest.raises(EmptyKey):
        validate.check_txn(rpc_pb2.TxnRequest(compare=[rpc_pb2.Compare()]), 128)


def test_read_only() -> None:
    assert validate.is_read_only(rpc_pb2.TxnRequest(success=[get(b"a"), txn([], [get(b"a")])]))
    assert not validate.is_read_only(rpc_pb2.TxnRequest(success=[txn([], [], [delete(b"a")])]))
