"""A Range request's options, with etcd's meanings."""

from __future__ import annotations

import pytest

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.mvcc import range as ranges
from kubeactors.store.mvcc.state import Mvcc

R = rpc_pb2.RangeRequest


@pytest.fixture
def mvcc() -> Mvcc:
    """a: written at 2 and 5, b: at 3, c: at 4 (value order c < a < b)."""
    mvcc = Mvcc()
    for key, value in ((b"a", b"0"), (b"b", b"9"), (b"c", b"1"), (b"a", b"5")):
        write = mvcc.begin()
        write.put(key, value, 0)
        write.commit()
    return mvcc


def keys(mvcc: Mvcc, **options: object) -> list[bytes]:
    request = rpc_pb2.RangeRequest(key=b"a", range_end=b"z", **options)  # type: ignore[arg-type]
    return [record[0] for record in ranges.read(mvcc, request).records]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [b"a", b"b", b"c"]),
        ({"sort_order": R.DESCEND}, [b"c", b"b", b"a"]),
        ({"sort_target": R.VALUE}, [b"c", b"a", b"b"]),
        ({"sort_target": R.VALUE, "sort_order": R.DESCEND}, [b"b", b"a", b"c"]),
        ({"sort_target": R.MOD, "sort_order": R.ASCEND}, [b"b", b"c", b"a"]),
        ({"sort_target": R.CREATE, "sort_order": R.DESCEND}, [b"c", b"b", b"a"]),
        ({"sort_target": R.VERSION, "sort_order": R.DESCEND}, [b"a", b"b", b"c"]),
        ({"min_mod_revision": 4}, [b"a", b"c"]),
        ({"max_mod_revision": 4}, [b"b", b"c"]),
        ({"min_create_revision": 3, "max_create_revision": 3}, [b"b"]),
        ({"limit": 2}, [b"a", b"b"]),
        ({"limit": 1, "sort_target": R.VALUE}, [b"c"]),
        ({"limit": 1, "min_mod_revision": 4}, [b"a"]),
        ({"revision": 4, "sort_order": R.DESCEND, "limit": 2}, [b"c", b"b"]),
        ({"count_only": True}, []),
    ],
)
def test_options(mvcc: Mvcc, options: dict[str, object], expected: list[bytes]) -> None:
    assert keys(mvcc, **options) == expected


def test_count_is_that_of_the_range_whatever_else_is_asked(mvcc: Mvcc) -> None:
    for options in ({"count_only": True}, {"limit": 1}, {"min_mod_revision": 5}, {"revision": 4}):
        request = rpc_pb2.RangeRequest(key=b"a", range_end=b"z", **options)  # type: ignore[arg-type]
        assert ranges.read(mvcc, request).total == 3, options
    assert ranges.read(mvcc, rpc_pb2.RangeRequest(key=b"a", range_end=b"z", revision=3)).total == 2


def test_an_empty_or_reversed_range_holds_nothing(mvcc: Mvcc) -> None:
    for key, end in ((b"b", b"b"), (b"z", b"a"), (b"x", b"")):
        found = ranges.read(mvcc, rpc_pb2.RangeRequest(key=key, range_end=end, limit=5))
        assert (found.records, found.total, found.more) == ([], 0, False)
