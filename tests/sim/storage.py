"""One member's data directory through crashes at every point: what was acknowledged is there, whatever else is not.

The real log, snapshot file and start-up code on a simulated disk. A scenario appends entries (a new leader's in the
place of uncommitted ones, too), takes snapshots, trims the log, and is cut off again and again: the process killed or
the power lost, between two operations or in the middle of one, the start-up's own included, with a failed sync or a
full disk now and then. After each start what was loaded must be what was acknowledged, or that and the beginning of
the one write that was under way; and what a start has loaded counts as acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store import storage
from kubeactors.store.errors import CorruptData
from kubeactors.store.machine import command
from kubeactors.store.machine.command import Command, Kind
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.mvcc import hash as hashes
from kubeactors.store.snapshot import snapshotter
from kubeactors.store.snapshot.file import SnapshotWriter, list_snapshots
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.reader import NO_STATE
from kubeactors.store.wal.record import Entry, HardState, SnapshotMark
from tests.sim.disk import Crash, SimDisk
from tests.sim.trace import Trace, Violation

DATA_DIR = Path("/data")
PLENTY = 1 << 40


State = tuple[HardState, list[Entry]]


@dataclass
class Model:
    """What must be there. `log[i]` is entry i + 1, those that only a leader's snapshot told of included. `unsure`: the
    records of the write under way, each may be there; `replaced`: the state that a leader's snapshot under way makes.
    """

    log: list[Entry] = field(default_factory=list)
    hard_state: HardState = NO_STATE
    unsure: list[Entry | HardState] = field(default_factory=list)
    replaced: State | None = None

    def states(self) -> list[State]:
        """Every state that may be found."""
        found = [(self.hard_state, self.log)]
        for one in self.unsure:
            state, log = found[-1]
            found.append((one, log) if isinstance(one, HardState) else (state, [*log[: one.index - 1], one]))
        return found if self.replaced is None else [*found, self.replaced]


def _as_found(state: HardState, log: list[Entry], applied: int) -> HardState:
    """What storage.load makes of it: a snapshot is committed, a vote belongs to the newest term that was written."""
    newest = max(state.term, log[-1].term if log else 0)
    vote = state.vote if newest == state.term else 0
    return HardState(newest, vote, min(max(state.commit, applied), len(log)))


class StorageRun:
    def __init__(self, seed: int, trace: Trace) -> None:
        self.rng = Random(seed)
        self.trace = trace
        self.disk = SimDisk(Random(self.rng.getrandbits(32)))
        if trace.verbose:
            self.disk.trace = trace.note
        self.segment_bytes = self.rng.choice((600, 2048, 8192))
        self.keep_entries = self.rng.choice((0, 3, 20))
        self.tail = self.rng.choice((0, 5, 1000))
        self.bootstrap = storage.new_cluster({name: [f"http://{name}"] for name in "abc"}, "sim", "a")
        self.model = Model()
        self.loaded: storage.Loaded | None = None
        self.machine = StateMachine()
        self.states: dict[int, int] = {0: _checksum(StateMachine())}
        """Checksum of the state after each entry that was ever applied."""
        self.commit = 0
        self.counter = 0
        self.ever_started = False

    def run(self) -> None:
        rng = self.rng
        for _ in range(rng.choice((3, 6, 12))):
            self._boot()
            for _ in range(rng.choice((1, 2, 4, 8, 16))):
                if self.loaded is None:
                    break
                self._one_operation()
            if self.loaded is not None:
                self._end(rng.random() < 0.6)
        self._boot(spared=True)

    # ---- one life ----

    def _boot(self, spared: bool = False) -> None:
        """Start until it succeeds; a start may itself be cut off."""
        disk, rng = self.disk, self.rng
        disk.capacity = PLENTY
        while True:
            if not spared and rng.random() < 0.3:
                disk.crash_at = disk.ops + rng.randrange(14)
            try:
                loaded = storage.load(disk, DATA_DIR, self.segment_bytes, self.bootstrap, self.tail)
                break
            except Crash:
                self._lose(rng.random() < 0.5)
            except CorruptData as error:
                raise Violation(f"what a crash left is taken for damage: {error}") from error
        disk.crash_at = -1
        self.loaded = loaded
        self._check(loaded)
        self.ever_started = True

    def _check(self, loaded: storage.Loaded) -> None:
        machine = loaded.machine
        applied = machine.applied_index
        self.trace.mix(self.disk.ops, applied, len(loaded.entries), *loaded.hard_state)
        self.trace.note(
            f"loaded: applied {applied}, {len(loaded.entries)} entries after it, hard state {tuple(loaded.hard_state)}"
        )
        if _checksum(machine) != self.states[applied]:
            raise Violation(f"the snapshot at entry {applied} holds another state than entry {applied} led to")
        if not self.ever_started:
            self.model = Model(list(loaded.entries), loaded.hard_state)
            self.commit = len(loaded.entries)
        found = (loaded.hard_state, list(loaded.entries))
        for state in reversed(self.model.states()):
            log = state[1]
            if applied <= len(log) and found == (_as_found(*state, applied), log[applied:]):
                break
        else:
            raise Violation(f"loaded {_words(*found)} after entry {applied}, but written was {self._expected()}")
        if list(loaded.tail) != log[applied - len(loaded.tail) : applied]:
            raise Violation(f"before entry {applied} stand other entries than were written")
        if state is self.model.replaced:
            self.commit = applied
        if applied > self.commit:
            raise Violation(f"loaded a snapshot of entry {applied}, but only {self.commit} entries are committed")
        self.model = Model(list(log), loaded.hard_state)
        self.machine = machine
        for entry in log[applied : self.commit]:
            self._apply(entry)

    def _expected(self) -> str:
        return " or ".join(_words(state, log) for state, log in self.model.states())

    def _one_operation(self) -> None:
        rng = self.rng
        chance = rng.random()
        if chance < 0.08:
            self.disk.crash_at = self.disk.ops + rng.randrange(12)
        elif chance < 0.11:
            self.disk.fail_syncs = 1
        elif chance < 0.14:
            self.disk.capacity = self.disk.used + rng.randrange(3000)
        try:
            what = rng.random()
            if what < 0.8:
                self._append()
            elif what < 0.93:
                self._snapshot(self.machine)
            else:
                self._install()
            if chance < 0.08 and self.disk.crash_at >= 0 and rng.random() < 0.5:
                self.disk.crash_at = -1
        except Crash:
            self._end(rng.random() < 0.5)
        except OSError as error:
            # The member stops serving; what it had not acknowledged may be there or not.
            self.trace.note(f"the member stops: {error}")
            self._end(rng.random() < 0.3)

    def _append(self) -> None:
        assert self.loaded is not None
        rng, model = self.rng, self.model
        records: list[Entry | HardState] = []
        term = model.hard_state.term
        if term == 0 or rng.random() < 0.35:
            term += 1
        first = len(model.log) + 1
        if term > model.hard_state.term and first > self.commit + 1 and rng.random() < 0.7:
            first = rng.randrange(self.commit + 1, first)
        for index in range(first, first + rng.choice((0, 1, 1, 2, 5))):
            records.append(self._entry(term, index))
        last = first + len(records) - 1
        keeps = last if last >= first else len(model.log)
        commit = rng.randrange(self.commit, keeps + 1) if rng.random() < 0.5 else self.commit
        if term > model.hard_state.term or not records or rng.random() < 0.5:
            records.insert(0, HardState(term, rng.randrange(4), max(model.hard_state.commit, min(commit, self.commit))))
        model.unsure, model.replaced = records, None
        self.trace.note(f"append {_words_of(records)}")
        encoded = [rec.encode_hard_state(r) if isinstance(r, HardState) else rec.encode_entry(r) for r in records]
        self.loaded.log.append(encoded, last + 1 if last >= first else None)
        state, log = model.states()[-1]
        self.model = Model(list(log), state)
        for entry in log[self.commit : commit]:
            self._apply(entry)
        self.commit = max(self.commit, commit)

    def _entry(self, term: int, index: int) -> Entry:
        rng = self.rng
        self.counter += 1
        key = b"k%d" % rng.randrange(5)
        value = b"%d " % self.counter + b"v" * rng.choice((0, 10, 300, 1500))
        kind = rng.randrange(10)
        if kind == 0:
            return Entry(term, index, 0, b"")
        if kind == 1:
            request: object = rpc_pb2.LeaseGrantRequest(ID=self.counter, TTL=60)
            return Entry(term, index, 0, command.encode(Command(Kind.LEASE_GRANT, self.counter, request)))  # type: ignore[arg-type]
        put = rpc_pb2.PutRequest(key=key, value=value)
        return Entry(term, index, 0, command.encode(Command(Kind.PUT, self.counter, put)))

    def _apply(self, entry: Entry) -> None:
        machine = self.machine
        if entry.index != machine.applied_index + 1:
            return
        if entry.data:
            machine.apply(command.decode(entry.data))
        machine.applied_index, machine.applied_term = entry.index, entry.term
        self.states[entry.index] = _checksum(machine)

    def _write_snapshot(self, machine: StateMachine) -> SnapshotMark:
        assert self.loaded is not None
        head = snapshotter.describe(machine, self.loaded.cluster_id, self.loaded.member_id)
        self.trace.note(f"snapshot at entry {head.index}")
        writer = SnapshotWriter(self.disk, self.loaded.snapshot_dir, head)
        for tag, records in snapshotter.portions(machine.mvcc, head):
            writer.records(tag, records)
        snapshot = writer.finish()
        return SnapshotMark(snapshot.index, snapshot.term)

    def _snapshot(self, machine: StateMachine) -> None:
        assert self.loaded is not None
        self.model.unsure, self.model.replaced = [], None
        mark = self._write_snapshot(machine)
        self.loaded.log.append([rec.encode_snapshot(mark)], None)
        self._clean(mark)

    def _clean(self, mark: SnapshotMark) -> None:
        assert self.loaded is not None
        self.loaded.log.trim(max(1, mark.index - self.keep_entries))
        for old in list_snapshots(self.disk, self.loaded.snapshot_dir):
            if old.index < mark.index:
                self.disk.remove(old.path)

    def _install(self) -> None:
        """A leader that is ahead sends its snapshot: the machine goes on with entries that this log never had."""
        assert self.loaded is not None
        model, rng = self.model, self.rng
        term = model.hard_state.term + 1
        state = HardState(term, 0, model.hard_state.commit)
        model.unsure, model.replaced = [state], None
        self.loaded.log.append([rec.encode_hard_state(state)], None)
        self.model = model = Model(model.log, state)
        log = model.log[: self.commit]
        for index in range(len(log) + 1, len(log) + rng.choice((2, 3, 10))):
            log.append(self._entry(term, index))
        for entry in log[self.commit :]:
            self._apply(entry)
        self.trace.note(f"a leader's snapshot at entry {len(log)}")
        state = HardState(term, 0, len(log))
        model.replaced = (state, log)
        mark = self._write_snapshot(self.machine)
        self.loaded.log.append([rec.encode_restart(mark), rec.encode_hard_state(state)], len(log) + 1)
        self.model, self.commit = Model(log, state), len(log)
        if rng.random() < 0.7:
            self._clean(mark)

    def _end(self, power: bool) -> None:
        self.loaded = None
        self._lose(power)

    def _lose(self, power: bool) -> None:
        self.trace.note("power lost" if power else "killed")
        self.disk.fail_syncs = 0
        if power:
            self.disk.power_loss()
        else:
            self.disk.kill()


def _checksum(machine: StateMachine) -> int:
    steps = list(hashes.steps(machine.mvcc, machine.mvcc.revision))
    leases = hash(tuple((lease.id, lease.ttl, lease.expiry) for lease in machine.leases.all()))
    return hash((steps[-1] if steps else 0, leases, machine.time))


def _words_of(records: list[Entry | HardState]) -> str:
    return ", ".join(
        f"state {tuple(r)}" if isinstance(r, HardState) else f"{r.term}:{r.index} ({len(r.data)} bytes)"
        for r in records
    )


def _words(state: HardState, log: list[Entry]) -> str:
    last = f"{log[-1].term}:{log[-1].index}" if log else "none"
    return f"[state {tuple(state)}, {len(log)} entries to {last}]"
