"""Requests that are odd or wrong, each with a name, to be answered alike by both stores: code, words, and content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2 as rpc


@dataclass(frozen=True)
class Case:
    """One request to one method, e.g. `KV.Put`. Cases of one table run in order on the same store."""

    name: str
    method: str
    request: Message


def _put(key: bytes = b"k", value: bytes = b"", **options: object) -> rpc.PutRequest:
    return rpc.PutRequest(key=key, value=value, **options)  # type: ignore[arg-type]


def op(request: Message) -> rpc.RequestOp:
    field = {
        rpc.PutRequest: "request_put",
        rpc.RangeRequest: "request_range",
        rpc.DeleteRangeRequest: "request_delete_range",
        rpc.TxnRequest: "request_txn",
    }[type(request)]
    return rpc.RequestOp(**{field: request})  # type: ignore[arg-type]


def txn(
    success: Sequence[Message] = (), failure: Sequence[Message] = (), compare: Sequence[rpc.Compare] = ()
) -> rpc.TxnRequest:
    return rpc.TxnRequest(compare=compare, success=map(op, success), failure=map(op, failure))


Range, Delete, Compare = rpc.RangeRequest, rpc.DeleteRangeRequest, rpc.Compare


def _nested(depth: int) -> rpc.TxnRequest:
    request = txn([_put(b"deep%d" % depth, b"x")])
    for _ in range(depth):
        request = txn([request])
    return request


KV: list[Case] = [
    Case("first put", "KV.Put", _put(b"a", b"1")),
    Case("put without a key", "KV.Put", _put(b"", b"v")),
    Case("put with an unknown lease", "KV.Put", _put(b"a", b"v", lease=77)),
    Case("put with a negative lease", "KV.Put", _put(b"a", b"v", lease=-5)),
    Case("ignore_value with a value", "KV.Put", _put(b"a", b"v", ignore_value=True)),
    Case("ignore_value of a missing key", "KV.Put", _put(b"missing", ignore_value=True)),
    Case("ignore_lease with a lease", "KV.Put", _put(b"a", b"v", lease=77, ignore_lease=True)),
    Case("ignore_lease of a missing key", "KV.Put", _put(b"missing", b"v", ignore_lease=True)),
    Case("ignore_value and an unknown lease", "KV.Put", _put(b"missing", ignore_value=True, lease=77)),
    Case("ignore_value keeps the value", "KV.Put", _put(b"a", ignore_value=True, prev_kv=True)),
    Case("put of 1.6 MB", "KV.Put", _put(b"big", bytes(1_600_000))),
    Case("put of an empty value", "KV.Put", _put(b"empty", b"", prev_kv=True)),
    Case("range without a key", "KV.Range", Range()),
    Case("range without a key but an end", "KV.Range", Range(range_end=b"z")),
    Case("range of the future", "KV.Range", Range(key=b"a", revision=1_000_000)),
    Case("range at a negative revision", "KV.Range", Range(key=b"a", revision=-3)),
    Case("range with a negative limit", "KV.Range", Range(key=b"a", range_end=b"\0", limit=-3)),
    Case("range that ends before it begins", "KV.Range", Range(key=b"z", range_end=b"a")),
    Case("range that ends where it begins", "KV.Range", Range(key=b"a", range_end=b"a")),
    Case("count only, with limit", "KV.Range", Range(key=b"\0", range_end=b"\0", count_only=True, limit=1)),
    Case("count and keys only", "KV.Range", Range(key=b"\0", range_end=b"\0", count_only=True, keys_only=True)),
    Case("limit 1 of many", "KV.Range", Range(key=b"\0", range_end=b"\0", limit=1, keys_only=True)),
    Case(
        "descending by value, limited",
        "KV.Range",
        Range(key=b"\0", range_end=b"\0", limit=1, sort_order=rpc.RangeRequest.DESCEND, sort_target=4),
    ),
    Case("no order but a target", "KV.Range", Range(key=b"\0", range_end=b"\0", sort_target=2, keys_only=True)),
    Case("least mod revision", "KV.Range", Range(key=b"\0", range_end=b"\0", min_mod_revision=3, keys_only=True)),
    Case("mod revisions, limited", "KV.Range", Range(key=b"\0", range_end=b"\0", min_mod_revision=3, limit=1)),
    Case("most create revision", "KV.Range", Range(key=b"\0", range_end=b"\0", max_create_revision=2)),
    Case("delete without a key", "KV.DeleteRange", Delete()),
    Case("delete without a key but an end", "KV.DeleteRange", Delete(range_end=b"z")),
    Case("delete of nothing", "KV.DeleteRange", Delete(key=b"nothing", prev_kv=True)),
    Case("delete of a backward range", "KV.DeleteRange", Delete(key=b"z", range_end=b"a")),
    Case("delete", "KV.DeleteRange", Delete(key=b"empty", prev_kv=True)),
    Case("transaction of nothing", "KV.Txn", txn()),
    Case("transaction with an empty operation", "KV.Txn", rpc.TxnRequest(success=[rpc.RequestOp()])),
    Case("transaction that reads only", "KV.Txn", txn([Range(key=b"a")])),
    Case("129 operations", "KV.Txn", txn([_put(b"t%d" % n) for n in range(129)])),
    Case("128 operations", "KV.Txn", txn([_put(b"t%d" % n) for n in range(128)])),
    Case("129 comparisons", "KV.Txn", txn(compare=[Compare(key=b"a", version=1)] * 129)),
    Case("129 operations when it fails", "KV.Txn", txn(failure=[Range(key=b"a")] * 129)),
    Case("nested too many", "KV.Txn", txn([_put(b"n")] + [Range(key=b"a")] * 120 + [txn([Range(key=b"a")] * 9)])),
    Case("nested just enough", "KV.Txn", txn([_put(b"n"), txn([Range(key=b"a")] * 126)])),
    Case("one key twice", "KV.Txn", txn([_put(b"d"), _put(b"d")])),
    Case("one key in both branches", "KV.Txn", txn([_put(b"d")], [_put(b"d")])),
    Case("put then delete", "KV.Txn", txn([_put(b"d"), Delete(key=b"d")])),
    Case("delete then put", "KV.Txn", txn([Delete(key=b"d"), _put(b"d")])),
    Case("delete twice", "KV.Txn", txn([Delete(key=b"d"), Delete(key=b"d")])),
    Case("delete a range with a put in it", "KV.Txn", txn([_put(b"d"), Delete(key=b"c", range_end=b"e")])),
    Case("delete a range beside a put", "KV.Txn", txn([_put(b"d"), Delete(key=b"e", range_end=b"f")])),
    Case("delete from a later key on", "KV.Txn", txn([_put(b"d"), Delete(key=b"zz", range_end=b"\0")])),
    Case("nested put of the same key", "KV.Txn", txn([_put(b"d"), txn([_put(b"d")])])),
    Case("nested put of the same key, branches", "KV.Txn", txn([_put(b"d"), txn([], [_put(b"d")])])),
    Case("nested puts in both branches", "KV.Txn", txn([txn([_put(b"d")], [_put(b"d")])])),
    Case("two nested puts of a key", "KV.Txn", txn([txn([_put(b"d")]), txn([_put(b"d")])])),
    Case("nested delete over a put", "KV.Txn", txn([_put(b"d"), txn([Delete(key=b"d")])])),
    Case("put over a nested delete", "KV.Txn", txn([txn([Delete(key=b"d")]), _put(b"d")])),
    Case("deep", "KV.Txn", _nested(20)),
    Case("comparison without a key", "KV.Txn", txn(compare=[Compare(version=1)])),
    Case("comparison without a value", "KV.Txn", txn(compare=[Compare(key=b"a", target=rpc.Compare.VERSION)])),
    Case(
        "comparison with another target's value",
        "KV.Txn",
        txn(compare=[Compare(key=b"a", target=rpc.Compare.VALUE, version=1)]),
    ),
    Case(
        "value of a missing key, not equal",
        "KV.Txn",
        txn(compare=[Compare(key=b"nothing", target=rpc.Compare.VALUE, result=rpc.Compare.NOT_EQUAL, value=b"x")]),
    ),
    Case("lease of a missing key", "KV.Txn", txn(compare=[Compare(key=b"nothing", target=rpc.Compare.LEASE, lease=0)])),
    Case(
        "comparison over a range",
        "KV.Txn",
        txn(
            compare=[
                Compare(key=b"a", range_end=b"\0", target=rpc.Compare.VERSION, result=rpc.Compare.GREATER, version=0)
            ]
        ),
    ),
    Case(
        "comparison over an empty range",
        "KV.Txn",
        txn(
            compare=[
                Compare(key=b"x", range_end=b"y", target=rpc.Compare.VERSION, result=rpc.Compare.GREATER, version=5)
            ]
        ),
    ),
    Case(
        "comparison of values over an empty range",
        "KV.Txn",
        txn(compare=[Compare(key=b"x", range_end=b"y", target=rpc.Compare.VALUE, value=b"1")]),
    ),
    Case("transaction with a put without key", "KV.Txn", txn([_put(b"")])),
    Case("transaction with a range without key", "KV.Txn", txn([Range()])),
    Case("transaction with a delete without key", "KV.Txn", txn([Delete()])),
    Case("transaction with a range of the future", "KV.Txn", txn([_put(b"tf"), Range(key=b"a", revision=10_000)])),
    Case("read of the future in a transaction that reads", "KV.Txn", txn([Range(key=b"a", revision=10_000)])),
    Case("transaction with an unknown lease", "KV.Txn", txn([_put(b"tl"), _put(b"tm", lease=77)])),
    Case("the other branch's unknown lease", "KV.Txn", txn([_put(b"tl")], [_put(b"tm", lease=77)])),
    Case("ignore_value of a missing key in a transaction", "KV.Txn", txn([_put(b"ti", ignore_value=True)])),
    Case(
        "ignore_value and an unknown lease in a transaction",
        "KV.Txn",
        txn([_put(b"ti", ignore_value=True, lease=1234)]),
    ),
    Case(
        "ignore_value of a key that the transaction puts",
        "KV.Txn",
        txn([txn([_put(b"tj", b"v")]), _put(b"tk", ignore_value=True)]),
    ),
    Case("put and read it in one", "KV.Txn", txn([_put(b"pr", b"1"), Range(key=b"pr")])),
    Case("read before the put", "KV.Txn", txn([Range(key=b"pr"), _put(b"pr", b"2", prev_kv=True)])),
    Case("nothing of it was applied", "KV.Range", Range(key=b"t", range_end=b"u", keys_only=True)),
    Case("compaction of the future", "KV.Compact", rpc.CompactionRequest(revision=100_000)),
    Case("compaction at 3", "KV.Compact", rpc.CompactionRequest(revision=3)),
    Case("compaction at 3 again", "KV.Compact", rpc.CompactionRequest(revision=3)),
    Case("compaction at 2", "KV.Compact", rpc.CompactionRequest(revision=2, physical=True)),
    Case("compaction at 0", "KV.Compact", rpc.CompactionRequest(revision=0)),
    Case("compaction at a negative revision", "KV.Compact", rpc.CompactionRequest(revision=-1)),
    Case("range of the compacted", "KV.Range", Range(key=b"a", revision=2)),
    Case("range at the compacted revision", "KV.Range", Range(key=b"a", revision=3)),
    Case("transaction that reads the compacted", "KV.Txn", txn([Range(key=b"a", revision=2)])),
    Case("transaction that puts and reads the compacted", "KV.Txn", txn([_put(b"x"), Range(key=b"a", revision=2)])),
    Case("revision at the end", "KV.Range", Range(key=b"\0", range_end=b"\0")),
]

LEASES: list[Case] = [
    Case("grant for no time", "Lease.LeaseGrant", rpc.LeaseGrantRequest()),
    Case("grant for a negative time", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=-1, ID=5)),
    Case("grant for too long", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=9_000_000_001, ID=6)),
    Case("grant for the longest time", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=9_000_000_000, ID=7)),
    Case("grant for a second", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=1, ID=8)),
    Case("grant", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=500, ID=77)),
    Case("grant with the same id", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=500, ID=77)),
    Case("grant with a negative id", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=500, ID=-77)),
    Case("put with it", "KV.Put", _put(b"leased", b"x", lease=77)),
    Case("keep it with ignore_lease", "KV.Put", _put(b"leased", b"y", ignore_lease=True)),
    Case("read it", "KV.Range", Range(key=b"leased")),
    Case("time to live", "Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=77)),
    Case("time to live with keys", "Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=77, keys=True)),
    Case("time to live of nothing", "Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=1234)),
    Case("time to live of 0", "Lease.LeaseTimeToLive", rpc.LeaseTimeToLiveRequest()),
    Case("leases", "Lease.LeaseLeases", rpc.LeaseLeasesRequest()),
    Case("keep alive", "Lease.LeaseKeepAlive", rpc.LeaseKeepAliveRequest(ID=77)),
    Case("keep alive of nothing", "Lease.LeaseKeepAlive", rpc.LeaseKeepAliveRequest(ID=1234)),
    Case("keep alive of 0", "Lease.LeaseKeepAlive", rpc.LeaseKeepAliveRequest()),
    Case("revoke of nothing", "Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=1234)),
    Case("revoke of 0", "Lease.LeaseRevoke", rpc.LeaseRevokeRequest()),
    Case("revoke", "Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=77)),
    Case("revoke again", "Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=77)),
    Case("its key is gone", "KV.Range", Range(key=b"leased")),
]

CLUSTER: list[Case] = [
    Case("add without URLs", "Cluster.MemberAdd", rpc.MemberAddRequest()),
    Case("add with a bad URL", "Cluster.MemberAdd", rpc.MemberAddRequest(peerURLs=["nonsense"])),
    Case("add with a URL without port", "Cluster.MemberAdd", rpc.MemberAddRequest(peerURLs=["http://127.0.0.1"])),
    Case("add with a path", "Cluster.MemberAdd", rpc.MemberAddRequest(peerURLs=["http://127.0.0.1:1/x"])),
    Case("add with another scheme", "Cluster.MemberAdd", rpc.MemberAddRequest(peerURLs=["ftp://127.0.0.1:1"])),
    Case("remove nobody", "Cluster.MemberRemove", rpc.MemberRemoveRequest(ID=1234)),
    Case("remove 0", "Cluster.MemberRemove", rpc.MemberRemoveRequest()),
    Case("update nobody", "Cluster.MemberUpdate", rpc.MemberUpdateRequest(ID=1234, peerURLs=["http://127.0.0.1:9"])),
    Case("promote nobody", "Cluster.MemberPromote", rpc.MemberPromoteRequest(ID=1234)),
]

MAINTENANCE: list[Case] = [
    Case("hash of the future", "Maintenance.HashKV", rpc.HashKVRequest(revision=1_000_000)),
    Case("hash of the compacted", "Maintenance.HashKV", rpc.HashKVRequest(revision=1)),
    Case("move to nobody", "Maintenance.MoveLeader", rpc.MoveLeaderRequest(targetID=1234)),
    Case("move to 0", "Maintenance.MoveLeader", rpc.MoveLeaderRequest()),
    Case("no alarms", "Maintenance.Alarm", rpc.AlarmRequest()),
    Case("raise no kind of alarm", "Maintenance.Alarm", rpc.AlarmRequest(action=1, memberID=5)),
    Case("raise one", "Maintenance.Alarm", rpc.AlarmRequest(action=1, memberID=5, alarm=1)),
    Case("raise it again", "Maintenance.Alarm", rpc.AlarmRequest(action=1, memberID=5, alarm=1)),
    Case("alarms", "Maintenance.Alarm", rpc.AlarmRequest()),
    Case("alarms of a kind", "Maintenance.Alarm", rpc.AlarmRequest(alarm=2)),
    Case("put without space", "KV.Put", _put(b"a", b"1")),
    Case("transaction with a put without space", "KV.Txn", txn([_put(b"a", b"1")])),
    Case("transaction that deletes without space", "KV.Txn", txn([Delete(key=b"a")])),
    Case("transaction that reads without space", "KV.Txn", txn([Range(key=b"a")])),
    Case("grant without space", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=500, ID=99)),
    Case("read without space", "KV.Range", Range(key=b"a")),
    Case("delete without space", "KV.DeleteRange", Delete(key=b"a")),
    Case("end another's alarm", "Maintenance.Alarm", rpc.AlarmRequest(action=2, memberID=6, alarm=1)),
    Case("end it", "Maintenance.Alarm", rpc.AlarmRequest(action=2, memberID=5, alarm=1)),
    Case("put with space", "KV.Put", _put(b"a", b"1")),
    Case("raise corruption", "Maintenance.Alarm", rpc.AlarmRequest(action=1, memberID=5, alarm=2)),
    Case("put on corruption", "KV.Put", _put(b"a", b"1")),
    Case("read on corruption", "KV.Range", Range(key=b"a")),
    Case("serializable read on corruption", "KV.Range", Range(key=b"a", serializable=True)),
    Case("delete on corruption", "KV.DeleteRange", Delete(key=b"a")),
    Case("compaction on corruption", "KV.Compact", rpc.CompactionRequest(revision=1)),
    Case("grant on corruption", "Lease.LeaseGrant", rpc.LeaseGrantRequest(TTL=500, ID=98)),
    Case("revoke on corruption", "Lease.LeaseRevoke", rpc.LeaseRevokeRequest(ID=98)),
    Case("end corruption", "Maintenance.Alarm", rpc.AlarmRequest(action=2, memberID=5, alarm=2)),
    Case("no alarms again", "Maintenance.Alarm", rpc.AlarmRequest()),
    Case("downgrade to nothing", "Maintenance.Downgrade", rpc.DowngradeRequest()),
    Case("downgrade to nonsense", "Maintenance.Downgrade", rpc.DowngradeRequest(version="x")),
    Case("downgrade to the future", "Maintenance.Downgrade", rpc.DowngradeRequest(version="3.6.0")),
    Case("downgrade to the present", "Maintenance.Downgrade", rpc.DowngradeRequest(action=1, version="3.5.0")),
    Case("downgrade too far", "Maintenance.Downgrade", rpc.DowngradeRequest(action=1, version="3.3.0")),
    Case("cancel a downgrade", "Maintenance.Downgrade", rpc.DowngradeRequest(action=2)),
]


@dataclass(frozen=True)
class Difference:
    """A request that this store answers otherwise on purpose. `etcd`, `ours`: (status code, words)."""

    case: Case
    etcd: tuple[str, str]
    ours: tuple[str, str]
    why: str


OK = ("OK", "")

DIFFERENCES: list[Difference] = [
    Difference(
        Case("delete from a key on with a put in it", "KV.Txn", txn([_put(b"d"), Delete(key=b"c", range_end=b"\0")])),
        OK,
        ("INVALID_ARGUMENT", "etcdserver: duplicate key given in txn request"),
        'etcd looks for the key before "\\0", where nothing is, and then writes one key twice at one revision',
    ),
    Difference(
        Case("unknown comparison", "KV.Txn", txn(compare=[Compare(key=b"a", result=9, version=1)])),  # type: ignore[arg-type]
        OK,
        ("INVALID_ARGUMENT", "etcdserver: invalid compare result"),
        "etcd takes a comparison that it does not know as one that holds",
    ),
    Difference(
        Case("unknown target of a comparison", "KV.Txn", txn(compare=[Compare(key=b"a", target=9, version=1)])),  # type: ignore[arg-type]
        OK,
        ("INVALID_ARGUMENT", "etcdserver: invalid compare target"),
        "etcd takes a target that it does not know as equal",
    ),
    Difference(
        Case("unknown order", "KV.Range", Range(key=b"a", sort_order=9)),  # type: ignore[arg-type]
        OK,
        ("INVALID_ARGUMENT", "etcdserver: invalid sort option"),
        "etcd 3.5.1 takes an order that it does not know as none; from 3.5.5 on it refuses as we do",
    ),
    Difference(
        Case("downgrade", "Maintenance.Downgrade", rpc.DowngradeRequest(version="3.4.0")),
        OK,
        ("UNIMPLEMENTED", "etcdserver: this store cannot be downgraded"),
        "there is no older version of this store",
    ),
]
