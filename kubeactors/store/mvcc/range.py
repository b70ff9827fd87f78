"""A Range request against the state, with etcd's meaning of its many options."""

from __future__ import annotations

from typing import NamedTuple

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.mvcc.record import CREATE, KEY, MOD, VALUE, VERSION, Record
from kubeactors.store.mvcc.state import Mvcc

_SORT_FIELD = {
    rpc_pb2.RangeRequest.KEY: KEY,
    rpc_pb2.RangeRequest.VERSION: VERSION,
    rpc_pb2.RangeRequest.CREATE: CREATE,
    rpc_pb2.RangeRequest.MOD: MOD,
    rpc_pb2.RangeRequest.VALUE: VALUE,
}


class Found(NamedTuple):
    """`total`: keys in the range, whatever limit and filters say."""

    records: list[Record]
    total: int
    more: bool


def read(mvcc: Mvcc, request: rpc_pb2.RangeRequest) -> Found:
    """Raises Compacted and FutureRevision."""
    key, range_end, revision, limit = request.key, request.range_end, request.revision, request.limit
    mvcc.check_revision(revision)
    if request.count_only:
        return Found([], mvcc.count(key, range_end, revision), False)
    low_mod, high_mod = request.min_mod_revision, request.max_mod_revision
    low_create, high_create = request.min_create_revision, request.max_create_revision
    filtered = bool(low_mod or high_mod or low_create or high_create)
    sort_field = _SORT_FIELD.get(request.sort_target, KEY)
    sorts = sort_field != KEY or request.sort_order == rpc_pb2.RangeRequest.DESCEND
    if limit > 0 and not filtered and not sorts:
        records = mvcc.records(key, range_end, revision, limit + 1)
        count = len(records)
        if count > limit:
            return Found(records[:limit], mvcc.count(key, range_end, revision), True)
        return Found(records, count, False)
    records = mvcc.records(key, range_end, revision)
    count = len(records)
    if filtered:
        records = [
            r
            for r in records
            if (not low_mod or r[MOD] >= low_mod)
            and (not high_mod or r[MOD] <= high_mod)
            and (not low_create or r[CREATE] >= low_create)
            and (not high_create or r[CREATE] <= high_create)
        ]
    if sorts:
        descending = request.sort_order == rpc_pb2.RangeRequest.DESCEND
        records.sort(key=lambda r: r[sort_field], reverse=descending)
    if 0 < limit < len(records):
        return Found(records[:limit], count, True)
    return Found(records, count, False)
