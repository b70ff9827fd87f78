"""The parts of a transaction: comparisons and operations.

    await store.txn(
        compare=[ops.mod_revision(key, "=", seen)],
        success=[ops.put(key, value)],
        failure=[ops.get(key)],
    )

A key that does not exist has revision, version and lease 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kubeactors.pb.etcd import rpc_pb2

Compare = rpc_pb2.Compare
Op = rpc_pb2.RequestOp
Sign = Literal["=", "!=", "<", ">"]

_SIGNS: dict[str, rpc_pb2.Compare.CompareResult.ValueType] = {
    "=": rpc_pb2.Compare.EQUAL,
    "!=": rpc_pb2.Compare.NOT_EQUAL,
    "<": rpc_pb2.Compare.LESS,
    ">": rpc_pb2.Compare.GREATER,
}


def mod_revision(key: bytes, sign: Sign, revision: int, range_end: bytes = b"") -> Compare:
    return Compare(result=_SIGNS[sign], target=Compare.MOD, key=key, mod_revision=revision, range_end=range_end)


def create_revision(key: bytes, sign: Sign, revision: int, range_end: bytes = b"") -> Compare:
    return Compare(result=_SIGNS[sign], target=Compare.CREATE, key=key, create_revision=revision, range_end=range_end)


def version(key: bytes, sign: Sign, number: int, range_end: bytes = b"") -> Compare:
    return Compare(result=_SIGNS[sign], target=Compare.VERSION, key=key, version=number, range_end=range_end)


def value(key: bytes, sign: Sign, content: bytes, range_end: bytes = b"") -> Compare:
    return Compare(result=_SIGNS[sign], target=Compare.VALUE, key=key, value=content, range_end=range_end)


def lease(key: bytes, sign: Sign, lease_id: int, range_end: bytes = b"") -> Compare:
    return Compare(result=_SIGNS[sign], target=Compare.LEASE, key=key, lease=lease_id, range_end=range_end)


def put(key: bytes, content: bytes, *, lease: int = 0, prev_kv: bool = False) -> Op:
    return Op(request_put=rpc_pb2.PutRequest(key=key, value=content, lease=lease, prev_kv=prev_kv))


def delete(key: bytes, range_end: bytes = b"", *, prev_kv: bool = False) -> Op:
    return Op(request_delete_range=rpc_pb2.DeleteRangeRequest(key=key, range_end=range_end, prev_kv=prev_kv))


def get(key: bytes, range_end: bytes = b"", *, limit: int = 0, revision: int = 0, keys_only: bool = False) -> Op:
    return Op(
        request_range=rpc_pb2.RangeRequest(
            key=key, range_end=range_end, limit=limit, revision=revision, keys_only=keys_only
        )
    )


def txn(compare: Sequence[Compare], success: Sequence[Op], failure: Sequence[Op] = ()) -> Op:
    return Op(request_txn=rpc_pb2.TxnRequest(compare=compare, success=success, failure=failure))
