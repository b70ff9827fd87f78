"""Random storms: messages lost, doubled and in any order, crashes between write and sync, changes of the configuration,
transfers, compaction, snapshots. After every step Raft's promises must hold (Raft paper, figure 3), and reads must be
linearizable. `STORM_SEED` runs one seed, `STORM_COUNT` as many as wanted.
"""

from __future__ import annotations

import os
import random

import pytest

from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.core import Role
from kubeactors.store.raft.errors import NoLeader, ProposalRefused
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.wal.record import Entry
from tests.support.raft_members import Member, Stored, voters

STEPS = 400
COUNT = int(os.environ.get("STORM_COUNT", "120"))


class Storm:
    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        size = rng.choice((3, 3, 3, 4, 5))
        self.loss = rng.choice((0.0, 0.02, 0.1, 0.2))
        self.double = rng.choice((0.0, 0.05, 0.2))
        self.coups = rng.choice((0.0, 0.05, 0.15))
        self.disk = rng.choice((0.1, 0.5, 0.9))
        self.storms = rng.choice((0.0, 0.02, 0.05))
        self.ticks = rng.choice((0.05, 0.1, 0.3))
        self.window = rng.choice((1, 1, 8, 400))  # how far messages overtake each other
        self.crashes = rng.choice((0.0, 0.02, 0.1))
        self.changes = rng.choice((0.0, 0.0, 0.02, 0.1))
        self.members: dict[int, Member] = {}
        self.network: list[tuple[Message, list[Entry] | None]] = []
        self.cut: set[tuple[int, int]] = set()
        self.next_data = 0
        self.next_read = 0
        # What must stay true.
        self.leaders: dict[int, int] = {}
        self.votes: dict[tuple[int, int], int] = {}
        self.committed: list[Entry] = []
        self.committed_in: list[int] = []  # the term in which it was first seen as committed
        self.known: dict[tuple[int, int], tuple[Entry, int]] = {}
        self.reads: dict[int, int] = {}
        self.checked: dict[int, tuple[int, int]] = {}
        self.answered = 0
        self.initial = voters(*range(1, size + 1))
        for key in self.initial.voters:
            self._start(key, Stored(base=SnapshotMeta(0, 0, self.initial)))
        self.members[1].core.campaign()

    def _start(self, key: int, stored: Stored) -> None:
        config = RaftConfig(
            key, election_ticks=6, heartbeat_ticks=2, max_append_bytes=40, max_inflight=4, max_write_bytes=30
        )
        self.checked.pop(key, None)
        self.members[key] = Member(key, stored, random.Random(self.rng.random()), config, self._applied)

    # ---- steps ----

    def step(self) -> None:
        rng = self.rng
        for member in list(self.members.values()):
            if rng.random() < self.ticks:
                member.core.tick()
            if rng.random() < 0.6:
                self._work(member)
            if rng.random() < self.disk:
                self._sync(member)
            self._check(member)
        for _ in range(rng.randrange(12)):
            self._deliver()
        member = rng.choice(list(self.members.values()))
        dice = rng.random()
        if dice < 0.6:
            self._ask(member)
        elif dice < 0.6 + self.crashes:
            self._crash(member)
        elif dice < 0.7 + self.storms:
            self._partition()
        elif dice < 0.75 + self.coups:
            self._force_election(member)
        elif dice > 0.9:
            self._disturb(member)
        self._check(member)

    def _force_election(self, member: Member) -> None:
        """As if the leader had asked for it, whether anybody leads or not: leases are no part of what is promised."""
        core = member.core
        core.step(Message(MessageType.TIMEOUT_NOW, member.id, core.leader, core.term))

    def _deliver(self) -> None:
        if not self.network:
            return
        at = self.rng.randrange(min(self.window, len(self.network)))
        message, state = self.network[at]
        if self.rng.random() >= self.double:
            self.network.pop(at)
        passes = (message.sender, message.to) not in self.cut and self.rng.random() >= self.loss
        if message.type == MessageType.SNAPSHOT:
            self.members[message.sender].core.report_snapshot(message.to, passes)
        if passes and message.to in self.members:
            self.members[message.to].receive(message, state)
            self._check(self.members[message.to])

    def _send(self, messages: list[Message], sender: Member) -> None:
        for message in messages:
            if message.type == MessageType.VOTE_RESPONSE and not message.reject:
                before = self.votes.setdefault((message.sender, message.term), message.to)
                assert before == message.to, f"{message.sender} voted twice in term {message.term}"
            self.network.append((message, sender.state if message.type == MessageType.SNAPSHOT else None))
        del self.network[:-400]  # the network forgets what is too old

    def _work(self, member: Member) -> None:
        count = len(member.reads)
        messages = member.work()
        for context, index in member.reads[count:]:
            assert index >= self.reads[context], f"read {context} at {index} misses what was committed before it"
            self.answered += 1
        if messages:
            self._send(messages, member)

    def _sync(self, member: Member) -> None:
        if member.writing is not None and member.writing.snapshot is not None:
            self.checked.pop(member.id, None)
        self._send(member.sync(), member)

    def _ask(self, member: Member) -> None:
        core = member.core
        if self.rng.random() < 0.3:
            self.next_read += 1
            self.reads[self.next_read] = len(self.committed)
            try:
                core.read_index(self.next_read)
            except NoLeader:
                assert core.leader == 0
            return
        try:
            for _ in range(self.rng.randrange(1, 5)):
                self.next_data += 1
                core.propose(b"%d" % self.next_data)
        except ProposalRefused:
            assert core.role is not Role.LEADER or core.transferring
        if core.role is Role.LEADER and self.rng.random() < self.changes * 10:
            self._change(member)

    def _change(self, member: Member) -> None:
        core, configuration = member.core, member.core.configuration
        other = self.rng.randrange(1, 8)
        if other in configuration.learners:
            change = f"+{other}" if self.rng.random() < 0.7 else f"-{other}"
        elif other in configuration.voters:
            change = f"-{other}" if len(configuration.voters) > 2 else ""
        else:
            change = self.rng.choice((f"+{other}", f"~{other}"))
        if not change:
            return
        try:
            core.propose_change(change.encode())
        except ProposalRefused:
            return
        if other not in self.members:
            self._start(other, Stored(base=SnapshotMeta(0, 0, self.initial)))

    def _crash(self, member: Member) -> None:
        """Of what was being written, any part may be on the disk."""
        ready, stored = member.writing, member.stored
        if ready is not None and ready.snapshot is None and self.rng.random() < 0.5:
            kept = list(ready.entries[: self.rng.randrange(len(ready.entries) + 1)])
            ready.entries = kept
            if self.rng.random() < 0.5:
                ready.hard_state = None
            stored.write(ready, None)
        if self.rng.random() < 0.3 and not (ready is not None and ready.snapshot is not None):
            self._take_snapshot(member)
        self._start(member.id, stored)

    def _take_snapshot(self, member: Member) -> None:
        """The disk gets a snapshot of what is applied, and its log keeps what follows."""
        core, stored = member.core, member.stored
        index = core.applied
        term = core.term_at(index)
        if index <= stored.base.index or term is None or len(member.state) != index:
            return
        stored.entries = [entry for entry in stored.entries if entry.index > index]
        stored.base, stored.state = SnapshotMeta(index, term, core.configuration), list(member.state)

    def _partition(self) -> None:
        if self.cut and self.rng.random() < 0.6:
            self.cut.clear()
            return
        keys = list(self.members)
        if self.rng.random() < 0.5:
            alone = self.rng.choice(keys)
            self.cut |= {(alone, other) for other in keys} | {(other, alone) for other in keys}
            return
        for _ in range(self.rng.randrange(1, 5)):
            self.cut.add((self.rng.choice(keys), self.rng.choice(keys)))

    def _disturb(self, member: Member) -> None:
        core = member.core
        what = self.rng.randrange(4)
        if what == 0:
            core.compact(core.applied - self.rng.randrange(6))
        elif what == 1:
            core.report_unreachable(self.rng.choice(list(self.members)))
        elif what == 2:
            core.campaign()
        elif core.role is Role.LEADER:
            core.transfer(self.rng.choice(sorted(core.configuration.voters)))

    # ---- what must hold ----

    def _applied(self, member: Member, entry: Entry) -> None:
        """State machine safety: one entry at one index, for ever."""
        if entry.index <= len(self.committed):
            assert self.committed[entry.index - 1] == entry, f"{member.id} applied another entry at {entry.index}"
        else:
            assert entry.index == len(self.committed) + 1
            self.committed.append(entry)
            self.committed_in.append(member.core.term)

    def _check(self, member: Member) -> None:
        core = member.core
        if core.role is Role.LEADER:
            # Election safety.
            known = self.leaders.setdefault(core.term, member.id)
            assert known == member.id, f"{known} and {member.id} lead in term {core.term}"
        self._check_log(member)
        assert core.applied <= core.commit <= core.last_index
        assert core.stable_index <= core.last_index or member.writing is not None

    def _check_log(self, member: Member) -> None:
        """Log matching: the same index and term is the same entry after the same one. Leader completeness: the log of
        a leader has every entry that was committed in an earlier term (Raft paper, 5.4.3)."""
        core = member.core
        last = core.last_index
        first = core.first_index
        seen = self.checked.get(member.id)
        if seen is not None and seen[0] <= last and core.term_at(seen[0]) == seen[1]:
            first = max(first, seen[0] + 1)
        log = core._log
        for entry in log.between(first, last):
            before = core.term_at(entry.index - 1)
            assert before is not None
            known = self.known.setdefault((entry.index, entry.term), (entry, before))
            assert known == (entry, before), f"{member.id} has {entry} after term {before}, others have {known}"
        if last >= core.first_index:
            self.checked[member.id] = (last, core.term_at(last) or 0)
        if core.role is Role.LEADER:
            # One of an earlier term may go on for a while without what was committed after it was overtaken.
            for entry in self.committed[max(core.first_index - 1, len(self.committed) - 50) :]:
                if self.committed_in[entry.index - 1] < core.term:
                    assert core.term_at(entry.index) == entry.term, f"leader {member.id} lacks the committed {entry}"


def run(seed: int) -> Storm:
    storm = Storm(seed)
    for _ in range(8):
        for member in list(storm.members.values()):
            storm._work(member)
            storm._sync(member)
        for _ in range(len(storm.network)):
            storm._deliver()
    for _ in range(STEPS):
        storm.step()
    return storm


def calm(storm: Storm) -> None:
    """Without faults a leader is found, and everybody has everything."""
    storm.cut.clear()
    storm.loss = storm.double = storm.crashes = 0.0
    storm.window = 1
    before = len(storm.committed)
    proposed = 0
    for _ in range(400):
        for member in list(storm.members.values()):
            member.core.tick()
            for _ in range(3):
                storm._work(member)
                storm._sync(member)
                while storm.network:
                    storm._deliver()
        leading = [m.core for m in storm.members.values() if m.core.role is Role.LEADER]
        if leading:
            top = max(leading, key=lambda core: core.term)
            if top.term > proposed and not top.transferring:
                top.propose(b"calm")
                proposed = top.term
        if proposed and _equal(storm):
            return
    raise AssertionError(f"no agreement after the storm, {before} committed then, {len(storm.committed)} now")


def _equal(storm: Storm) -> bool:
    inside = max((m.core for m in storm.members.values()), key=lambda core: core.applied).configuration.members
    return (
        all(
            len(m.state) == len(storm.committed) and m.core.commit == m.core.last_index
            for m in storm.members.values()
            if m.id in inside
        )
        and storm.committed[-1].data == b"calm"
    )


SEEDS = [int(os.environ["STORM_SEED"])] if "STORM_SEED" in os.environ else range(COUNT)


@pytest.mark.parametrize("block", range(0, len(SEEDS), 20))
def test_storm(block: int) -> None:
    committed = reads = 0
    for seed in SEEDS[block : block + 20]:
        try:
            storm = run(seed)
            committed, reads = committed + len(storm.committed), reads + storm.answered
            calm(storm)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    if len(SEEDS) > 1:
        assert committed > 200 and reads > 20, f"the storms were too strong to mean anything: {committed}, {reads}"
