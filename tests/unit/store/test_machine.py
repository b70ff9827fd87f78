"""Commands applied: transactions, leases, and that a refused one changes nothing."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.client import ops
from kubeactors.store.errors import KeyNotFound, LeaseExists, LeaseNotFound, StoreError
from kubeactors.store.machine import command
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine


class Store:
    """A machine that is given requests as decoded log entries, at a clock that the test sets (milliseconds)."""

    def __init__(self) -> None:
        self.machine = StateMachine()
        self.now = 0

    def __call__(self, kind: Kind, request: Message) -> Message:
        return self.machine.apply(command.decode(command.encode(Command(kind, self.now, request))))

    def put(self, key: bytes, value: bytes = b"", **more: object) -> Message:
        return self(Kind.PUT, rpc_pb2.PutRequest(key=key, value=value, **more))  # type: ignore[arg-type]

    def txn(self, compare=(), success=(), failure=()) -> rpc_pb2.TxnResponse:  # type: ignore[no-untyped-def]
        response = self(Kind.TXN, rpc_pb2.TxnRequest(compare=compare, success=success, failure=failure))
        assert isinstance(response, rpc_pb2.TxnResponse)
        return response

    def value(self, key: bytes) -> bytes | None:
        record = self.machine.mvcc.get(key)
        return record[1] if record else None


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.mark.parametrize(
    ("compare", "holds"),
    [
        (ops.mod_revision(b"k", "=", 3), True),
        (ops.mod_revision(b"k", "=", 2), False),
        (ops.mod_revision(b"k", ">", 2), True),
        (ops.mod_revision(b"k", "<", 3), False),
        (ops.mod_revision(b"k", "!=", 3), False),
        (ops.create_revision(b"k", "=", 2), True),
        (ops.version(b"k", "=", 2), True),
        (ops.value(b"k", "=", b"two"), True),
        (ops.value(b"k", ">", b"one"), True),
        (ops.value(b"k", "<", b"one"), False),
        (ops.lease(b"k", "=", 0), True),
        (ops.mod_revision(b"none", "=", 0), True),
        (ops.create_revision(b"none", "!=", 0), False),
        (ops.version(b"none", "<", 1), True),
        (ops.value(b"none", "=", b""), False),
        (ops.value(b"none", "!=", b"x"), False),
        (ops.mod_revision(b"k", ">", 0, range_end=b"\0"), True),
        (ops.mod_revision(b"k", "=", 3, range_end=b"\0"), False),
        (ops.mod_revision(b"x", "=", 77, range_end=b"z"), False),  # no key compares as one that does not exist
        (ops.mod_revision(b"x", "=", 0, range_end=b"z"), True),
        (ops.value(b"x", "=", b"", range_end=b"z"), False),
    ],
)
def test_comparisons(store: Store, compare: ops.Compare, holds: bool) -> None:
    store.put(b"k", b"one")
    store.put(b"k", b"two")
    store.put(b"l", b"three")
    assert store.txn(compare=[compare]).succeeded is holds


def test_all_comparisons_must_hold_and_one_branch_is_carried_out(store: Store) -> None:
    store.put(b"k", b"1")
    yes, no = ops.version(b"k", "=", 1), ops.version(b"k", "=", 2)
    assert not store.txn([yes, no], [ops.put(b"k", b"then")], [ops.put(b"k", b"else")]).succeeded
    assert store.value(b"k") == b"else"


def test_one_revision_for_all_writes_and_reads_see_the_writes_before_them(store: Store) -> None:
    store.put(b"a", b"1")
    before = store.machine.mvcc.revision
    response = store.txn(
        success=[ops.get(b"b"), ops.put(b"b", b"2", prev_kv=True), ops.get(b"b"), ops.delete(b"a", prev_kv=True)]
    )
    assert store.machine.mvcc.revision == before + 1
    first, put, second, deleted = response.responses
    assert not first.response_range.kvs
    assert not put.response_put.HasField("prev_kv")
    assert second.response_range.kvs[0].mod_revision == before + 1
    assert deleted.response_delete_range.deleted == 1
    assert deleted.response_delete_range.prev_kvs[0].value == b"1"
    changed = store.machine.mvcc.changes(before + 1, before + 1)[0]
    assert [(record[0], record[3], record[6]) for record, _ in changed] == [(b"b", 3, 0), (b"a", 3, 1)]


def test_a_transaction_that_writes_nothing_takes_no_revision(store: Store) -> None:
    store.put(b"a")
    store.txn(success=[ops.get(b"a"), ops.delete(b"nothing")])
    assert store.machine.mvcc.revision == 2


def test_nested_transactions_compare_with_the_state_before_all_of_it(store: Store) -> None:
    nested = ops.txn([ops.version(b"a", "=", 0)], [ops.put(b"b", b"fresh")], [ops.put(b"b", b"stale")])
    response = store.txn(success=[ops.put(b"a", b"1"), nested])
    assert response.responses[1].response_txn.succeeded
    assert store.value(b"b") == b"fresh"
    assert store.machine.mvcc.revision == 2


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"x", lease=99)), LeaseNotFound),
        (rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"x", ignore_value=True)), KeyNotFound),
        (ops.get(b"a", revision=1000), StoreError),
    ],
)
def test_a_transaction_happens_wholly_or_not_at_all(store: Store, bad: ops.Op, error: type[StoreError]) -> None:
    store.put(b"a", b"1")
    with pytest.raises(error):
        store.txn(success=[ops.put(b"a", b"2"), ops.txn([], [bad])])
    assert store.value(b"a") == b"1"
    assert store.machine.mvcc.revision == 2


def test_put_can_keep_the_value_or_the_lease(store: Store) -> None:
    store(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=5, TTL=10))
    store.put(b"k", b"v", lease=5)
    store.put(b"k", b"w", ignore_lease=True)
    assert store.machine.mvcc.get(b"k")[1:6] == (b"w", 2, 3, 2, 5)  # type: ignore[index]
    store.put(b"k", ignore_value=True)
    assert store.machine.mvcc.get(b"k")[1:6] == (b"w", 2, 4, 3, 0)  # type: ignore[index]
    assert store.machine.mvcc.lease_keys == {}


def test_a_lease_takes_its_keys_with_it_at_one_revision(store: Store) -> None:
    store(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=5, TTL=10))
    store.put(b"b", lease=5)
    store.put(b"a", lease=5)
    store.put(b"c")
    store(Kind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=5))
    assert len(store.machine.mvcc) == 1
    assert [r[0] for r, _ in store.machine.mvcc.changes(5, 5)[0]] == [b"a", b"b"]
    with pytest.raises(LeaseNotFound):
        store(Kind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=5))
    with pytest.raises(LeaseNotFound):
        store.put(b"d", lease=5)


def test_expiry_is_decided_by_the_time_in_the_entries(store: Store) -> None:
    store(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=5, TTL=10))
    store.put(b"k", lease=5)
    leases = store.machine.leases
    assert leases.next_expiry() == 10_000
    store.now = 6_000
    assert store(Kind.LEASE_KEEP_ALIVE, rpc_pb2.LeaseKeepAliveRequest(ID=5)).TTL == 10  # type: ignore[attr-defined]
    store.now = 10_500
    assert leases.expired(10_500) == []
    with pytest.raises(LeaseNotFound):  # proposed before the renewal was applied
        store(Kind.LEASE_EXPIRE, rpc_pb2.LeaseRevokeRequest(ID=5))
    assert store.value(b"k") is not None
    store.now = 16_000
    assert leases.expired(16_000) == [5]
    assert leases.expired(16_000) == []
    leases.rearm()
    assert leases.expired(16_000) == [5]
    store(Kind.LEASE_EXPIRE, rpc_pb2.LeaseRevokeRequest(ID=5))
    assert store.value(b"k") is None and 5 not in leases


def test_cluster_time_does_not_go_back(store: Store) -> None:
    store.now = 9_000
    store.put(b"k")
    store.now = 1_000
    store(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=1, TTL=1))
    assert store.machine.leases.get(1).expiry == 10_000  # type: ignore[union-attr]


def test_time_to_live(store: Store) -> None:
    store(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=5, TTL=10))
    with pytest.raises(LeaseExists):
        store(Kind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=5, TTL=10))
    store.put(b"k", lease=5)

    def ask(now: int) -> tuple[int, int, list[bytes]]:
        answer = store.machine.time_to_live(rpc_pb2.LeaseTimeToLiveRequest(ID=5, keys=True), now)
        return answer.TTL, answer.grantedTTL, list(answer.keys)

    assert ask(0) == (10, 10, [b"k"])
    assert ask(8_999) == (1, 10, [b"k"])  # whole seconds that are left, as etcd counts
    assert ask(9_001) == (0, 10, [b"k"])
    assert ask(11_000) == (0, 10, [b"k"])
    assert store.machine.time_to_live(rpc_pb2.LeaseTimeToLiveRequest(ID=6), 0).TTL == -1
