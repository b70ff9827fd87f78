"""Raft cores with a simple disk, state machine and network in memory, for tests of the core alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.core import RaftCore, Role
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import Message, MessageType, SnapshotMeta
from kubeactors.store.raft.ready import Ready
from kubeactors.store.wal.record import Entry, EntryKind, HardState

NO_STATE = HardState(0, 0, 0)
NOTHING = SnapshotMeta(0, 0, Configuration())


def voters(*members: int, learners: tuple[int, ...] = ()) -> Configuration:
    return Configuration(frozenset(members), frozenset(learners))


def log_of(*terms: int, index: int = 0, term: int = 0) -> RaftLog:
    """A log of entries of these terms, as the paper draws them, after entry `index` of `term`."""
    entries = [Entry(each, index + 1 + i, EntryKind.NORMAL, b"") for i, each in enumerate(terms)]
    return RaftLog(entries, index, term)


def changed(configuration: Configuration, change: str) -> Configuration:
    """`change`: +4 adds voter 4 or promotes it, ~4 adds it as a learner, -4 removes it."""
    member = int(change[1:])
    if change[0] == "+":
        return configuration.with_voter(member)
    return configuration.with_learner(member) if change[0] == "~" else configuration.without(member)


@dataclass
class Stored:
    """What a member's disk holds. `base`: the snapshot in place, `state`: the entries that it reflects."""

    hard_state: HardState = NO_STATE
    base: SnapshotMeta = NOTHING
    state: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def write(self, ready: Ready, state: list[Entry] | None) -> None:
        if ready.snapshot is not None:
            assert state is not None and len(state) == ready.snapshot.index
            self.base, self.state, self.entries = ready.snapshot, state, []
        if ready.entries:
            position = ready.entries[0].index - self.base.index - 1
            assert 0 <= position <= len(self.entries), "the log has a gap"
            del self.entries[position:]
            self.entries.extend(ready.entries)
        if ready.hard_state is not None:
            self.hard_state = ready.hard_state


class Member:
    """One core and its host. The state machine is the list of applied entries; CONFIG entries change the configuration
    as `changed` says. `on_apply` is called with each entry."""

    def __init__(
        self,
        member_id: int,
        stored: Stored,
        rng: random.Random,
        config: RaftConfig | None = None,
        on_apply: Callable[[Member, Entry], None] | None = None,
    ) -> None:
        self.id = member_id
        self.stored = stored
        self.state = list(stored.state)
        self.reads: list[tuple[int, int]] = []
        self.writing: Ready | None = None
        self._arrived: dict[int, list[Entry]] = {}
        self._on_apply = on_apply
        log = RaftLog(stored.entries, stored.base.index, stored.base.term)
        self.core = RaftCore(
            config or RaftConfig(member_id),
            stored.hard_state,
            log,
            stored.base.configuration,
            stored.base.index,
            rng,
        )

    def work(self) -> list[Message] | None:
        """Take one Ready without syncing it. The messages that may leave now; None: there was nothing to do."""
        ready = self.core.ready()
        if ready is None:
            return None
        for entry in ready.committed:
            self.apply(entry)
        self.reads.extend(ready.reads)
        messages = [self._complete(message) for message in ready.messages]
        if ready.must_sync:
            assert self.writing is None, "two writes at once"
            self.writing = ready
        else:
            messages += ready.responses
        return messages

    def sync(self) -> list[Message]:
        """What is being written is on the disk. The messages that have waited for it."""
        ready, self.writing = self.writing, None
        if ready is None:
            return []
        state = None
        if ready.snapshot is not None:
            state = self._arrived.pop(ready.snapshot.index)
        self.stored.write(ready, state)
        self.core.advance(ready)
        if state is not None:
            self.state = list(state)
            self.core.applied_to(len(state))
        return list(ready.responses)

    def apply(self, entry: Entry) -> None:
        assert entry.index == len(self.state) + 1, f"{entry.index} applied after {len(self.state)}"
        self.state.append(entry)
        if entry.kind == EntryKind.CONFIG:
            self.core.apply_configuration(changed(self.core.configuration, entry.data.decode()))
        self.core.applied_to(entry.index)
        if self._on_apply is not None:
            self._on_apply(self, entry)

    def _complete(self, message: Message) -> Message:
        """The host chooses the snapshot: here always one of what is applied now."""
        if message.type != MessageType.SNAPSHOT:
            return message
        index = self.core.applied
        return message._replace(snapshot=SnapshotMeta(index, self.core.term_at(index) or 0, self.core.configuration))

    def receive(self, message: Message, state: list[Entry] | None = None) -> None:
        """`state`: what comes with a SNAPSHOT."""
        if message.snapshot is not None:
            assert state is not None
            self._arrived[message.snapshot.index] = state[: message.snapshot.index]
        self.core.step(message)


class Cluster:
    """Members and the messages between them. `cut`: pairs (sender, to) that nothing passes."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.members: dict[int, Member] = {}
        self.down: set[int] = set()
        self.network: list[Message] = []
        self.cut: set[tuple[int, int]] = set()

    def add(
        self,
        member_id: int,
        configuration: Configuration,
        *,
        terms: tuple[int, ...] = (),
        hard_state: HardState | None = None,
        base: tuple[int, int] = (0, 0),
        config: RaftConfig | None = None,
    ) -> Member:
        """`configuration` as of `base`, the (index, term) before the first of the entries of `terms`."""
        log = log_of(*terms, index=base[0], term=base[1])
        term = max([base[1], *terms])
        stored = Stored(
            hard_state or HardState(term, 0, base[0]),
            SnapshotMeta(base[0], base[1], configuration),
            [Entry(base[1], i + 1, EntryKind.NORMAL, b"") for i in range(base[0])],
            log.between(base[0] + 1, log.last_index),
        )
        self.members[member_id] = Member(member_id, stored, self.rng, config)
        return self.members[member_id]

    def __getitem__(self, member_id: int) -> RaftCore:
        return self.members[member_id].core

    @property
    def leader(self) -> RaftCore:
        """The one that leads in the highest term."""
        leading = [
            each.core for key, each in self.members.items() if each.core.role is Role.LEADER and key not in self.down
        ]
        return max(leading, key=lambda core: core.term)

    def send(self, messages: list[Message]) -> None:
        self.network.extend(messages)

    def deliver(self, message: Message) -> None:
        """`message` arrives, if the network lets it."""
        to, sender = self.members.get(message.to), self.members.get(message.sender)
        passes = to is not None and message.to not in self.down and (message.sender, message.to) not in self.cut
        if passes and to is not None:
            to.receive(message, sender.state if sender is not None else None)
        if message.type == MessageType.SNAPSHOT and sender is not None and message.sender not in self.down:
            sender.core.report_snapshot(message.to, passes)

    def settle(self) -> None:
        """Work, sync and deliver until nothing is left to do."""
        while True:
            for key, member in self.members.items():
                while key not in self.down and (messages := member.work()) is not None:
                    self.send(messages)
                    self.send(member.sync())
            if not self.network:
                return
            pending, self.network = self.network, []
            for message in pending:
                self.deliver(message)

    def tick(self, count: int = 1, *only: int) -> None:
        """Each tick is followed by all that comes of it."""
        for _ in range(count):
            for key, member in self.members.items():
                if key not in self.down and (not only or key in only):
                    member.core.tick()
            self.settle()

    def elect(self, member_id: int) -> RaftCore:
        self[member_id].campaign()
        self.settle()
        core = self[member_id]
        assert core.role is Role.LEADER, f"member {member_id} did not win: {core.role.name} in term {core.term}"
        return core

    def crash(self, member_id: int) -> None:
        """What was not synced is lost; nothing is sent or received until `restart`."""
        self.down.add(member_id)

    def restart(self, member_id: int) -> RaftCore:
        self.down.discard(member_id)
        old = self.members[member_id]
        self.members[member_id] = Member(member_id, old.stored, self.rng, on_apply=old._on_apply)
        return self[member_id]

    def isolate(self, member_id: int) -> None:
        for other in self.members:
            self.cut |= {(member_id, other), (other, member_id)}

    def heal(self) -> None:
        self.cut.clear()
