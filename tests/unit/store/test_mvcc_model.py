"""The key space against a model that keeps every revision whole, under random histories."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import Compacted, FutureRevision
from kubeactors.store.keys import FROM_KEY, contains
from kubeactors.store.mvcc import hash as hashes
from kubeactors.store.mvcc import range as ranges
from kubeactors.store.mvcc.codec import decode_records, encode_records
from kubeactors.store.mvcc.record import Record
from kubeactors.store.mvcc.state import Mvcc

State = dict[bytes, tuple[bytes, int, int, int, int]]  # value, create, mod, version, lease


@dataclass
class Model:
    """Every revision's whole state, kept for ever."""

    states: list[State] = field(default_factory=lambda: [{}, {}])
    events: list[list[tuple[bool, bytes]]] = field(default_factory=lambda: [[], []])
    compacted: int = 0

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def write(self, ops: list[tuple[bytes, bytes | None, bytes, int]]) -> None:
        """(key, value or None for a deletion, range_end of the deletion, lease), each key once."""
        state = dict(self.states[-1])
        events: list[tuple[bool, bytes]] = []
        main = self.revision + 1
        for key, value, range_end, lease in ops:
            if value is None:
                for victim in sorted(k for k in state if contains(key, range_end, k)):
                    del state[victim]
                    events.append((True, victim))
            else:
                _, create, _, version, _ = state.get(key, (b"", main, 0, 0, 0))
                state[key] = (value, create, main, version + 1, lease)
                events.append((False, key))
        if events:
            self.states.append(state)
            self.events.append(events)


KEYS = st.sampled_from([b"a", b"a/1", b"a/2", b"b", b"b\xff", b"c", b"\xff", b"\xff\xff"])
ENDS = st.one_of(st.just(b""), st.just(FROM_KEY), KEYS)
OP = st.tuples(KEYS, st.one_of(st.none(), st.binary(max_size=3)), ENDS, st.sampled_from([0, 0, 7, 9]))
STEP = st.one_of(
    st.tuples(st.just("write"), st.lists(OP, min_size=1, max_size=3)),
    st.tuples(st.just("compact"), st.integers(0, 30)),
    st.tuples(st.just("purge"), st.integers(0, 5)),
    st.tuples(st.just("restore"), st.just(0)),
)


def without_conflicts(
    ops: list[tuple[bytes, bytes | None, bytes, int]],
) -> list[tuple[bytes, bytes | None, bytes, int]]:
    """What check_txn would let through: no key put twice, none both put and deleted."""
    kept: list[tuple[bytes, bytes | None, bytes, int]] = []
    for op in ops:
        key, value, range_end, _ = op
        if value is not None:
            clash = any(
                (other_value is not None and other == key) or (other_value is None and contains(other, other_end, key))
                for other, other_value, other_end, _ in kept
            )
        else:
            clash = any(v is not None and contains(key, range_end, other) for other, v, _, _ in kept)
        if not clash:
            kept.append(op)
    return kept


def restored(mvcc: Mvcc) -> Mvcc:
    """Through the bytes of a snapshot and back."""
    start = mvcc.compact_revision
    base: list[Record] = []
    boundary: list[Record] = []
    if start:
        base = [record for chunk in mvcc.base(start, 2) for record in chunk]
        boundary = [r for changes in mvcc.kept_changes(start, start) for r, _ in changes]
    after = [r for changes in mvcc.kept_changes(start + 1, mvcc.revision) for r, _ in changes]
    parts = [list(decode_records(encode_records(part))) for part in (base, boundary, after)]
    again = Mvcc()
    for _ in again.restore(mvcc.revision, start, *([part] for part in parts)):
        pass
    return again


def checksum(mvcc: Mvcc) -> int:
    """Of everything; in how many steps depends on what was freed already."""
    return (0, *hashes.steps(mvcc, mvcc.revision))[-1]


def check(mvcc: Mvcc, model: Model, key: bytes, range_end: bytes, limit: int) -> None:
    assert mvcc.revision == model.revision
    assert len(mvcc) == len(model.states[-1])
    for revision in range(0, model.revision + 2):
        request = rpc_pb2.RangeRequest(key=key, range_end=range_end, revision=revision, limit=limit)
        if revision > model.revision:
            with pytest.raises(FutureRevision):
                ranges.read(mvcc, request)
            continue
        if 0 < revision < model.compacted:
            with pytest.raises(Compacted):
                ranges.read(mvcc, request)
            continue
        state = model.states[revision or model.revision]
        wanted = sorted(k for k in state if contains(key, range_end, k))
        found = ranges.read(mvcc, request)
        assert found.total == len(wanted)
        assert found.more == (0 < limit < len(wanted))
        assert [(r[0], *r[1:6]) for r in found.records] == [
            (k, *state[k]) for k in (wanted[:limit] if limit else wanted)
        ]
    first = max(model.compacted, 1)
    events = [[(not record[4], record[0]) for record, _ in changes] for changes in mvcc.changes(first, model.revision)]
    # Revision 1, at which nothing can change, may or may not have its empty place.
    assert [e for e in events if e] == [e for e in model.events[first:] if e]
    attached: dict[int, set[bytes]] = {}
    for k, (_, _, _, _, lease) in model.states[-1].items():
        if lease:
            attached.setdefault(lease, set()).add(k)
    assert mvcc.lease_keys == attached


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=25), KEYS, ENDS, st.integers(0, 3))
def test_every_kept_revision_reads_as_the_model_does(steps, key, range_end, limit):  # type: ignore[no-untyped-def]
    mvcc, model = Mvcc(), Model()
    for name, argument in steps:
        if name == "write":
            ops = without_conflicts(argument)
            write = mvcc.begin()
            for op_key, value, op_end, lease in ops:
                if value is None:
                    write.delete_range(op_key, op_end)
                else:
                    write.put(op_key, value, lease)
            write.commit()
            model.write(ops)
        elif name == "compact":
            if argument <= model.compacted:
                with pytest.raises(Compacted):
                    mvcc.compact(argument)
            elif argument > model.revision:
                with pytest.raises(FutureRevision):
                    mvcc.compact(argument)
            else:
                mvcc.compact(argument)
                model.compacted = argument
        elif name == "purge":
            mvcc.purge(argument)
        else:
            before = checksum(mvcc)
            mvcc = restored(mvcc)
            assert checksum(mvcc) == before
    check(mvcc, model, key, range_end, limit)
    while not mvcc.purge(1):
        pass
    check(mvcc, model, key, range_end, limit)


def test_purging_everything_leaves_only_what_lives():
    mvcc = Mvcc()
    for number in range(100):
        write = mvcc.begin()
        write.put(b"k%d" % (number % 10), b"x" * 100, 0)
        write.commit()
    write = mvcc.begin()
    write.delete_range(b"k0", b"")
    write.commit()
    full = mvcc.bytes_in_use
    mvcc.compact(mvcc.revision)
    assert mvcc.purge(10**6)
    assert len(mvcc) == 9
    assert mvcc.bytes_in_use < full / 10
    assert not mvcc._past and not mvcc._past_keys and len(mvcc._log) == 1


def test_holding_keeps_history_that_was_compacted_meanwhile():
    mvcc = Mvcc()
    for value in (b"1", b"2", b"3"):
        write = mvcc.begin()
        write.put(b"k", value, 0)
        write.commit()
    mvcc.hold()
    mvcc.compact(4)
    assert not mvcc.purge(100)
    assert [r[1] for changes in mvcc.kept_changes(2, 4) for r, _ in changes] == [b"1", b"2", b"3"]
    mvcc.release()
    assert mvcc.purge(100)
