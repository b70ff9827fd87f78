"""What must hold at every step, whatever happens. Each is checked where it could break, from outside of the product.

Election safety         at most one leader in a term
Log matching            an entry's term and index decide its content and its predecessor's term
Leader completeness     a new leader has every entry that was committed before
State machine safety    no two members commit, or reach states by, different entries at one index
Commit rule             a leader commits by counting only entries of its own term (5.4.2)
Durability              what is committed is synced on a majority; what a member says it has or voted for is on its disk
Terms and commits       never go back, not over a restart either
Real time               a read or write sees everything that was acknowledged before it was asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubeactors.store.raft.core import RaftCore, Role
from kubeactors.store.raft.message import Message, MessageType
from kubeactors.store.wal import record as rec
from tests.sim.logview import LogView, entry_of
from tests.sim.trace import Violation

if TYPE_CHECKING:
    from kubeactors.store.machine.machine import StateMachine

ENTRY, HARD_STATE, RESTART = int(rec.Kind.ENTRY), int(rec.Kind.HARD_STATE), int(rec.Kind.RESTART)


class MemberView:
    """What is known of one member from outside. `written`: what it gave to its log; `durable`: what was synced."""

    def __init__(self, id: int, name: str) -> None:
        self.id = id
        self.name = name
        self.written = LogView()
        self.durable = LogView()
        self.term = 0
        self.commit = 0
        self.applied = 0
        self.leads = 0
        """The term it leads in, 0 for none."""
        self.voters: frozenset[int] = frozenset()


class Invariants:
    def __init__(self) -> None:
        self.members: dict[int, MemberView] = {}
        self.committed: list[tuple[int, int]] = []
        """(term, checksum) of every entry that any member ever held for committed."""
        self.acknowledged = 0
        """The highest revision that any client was told."""
        self._committed_in: list[int] = []
        """The term of the leader that committed it first."""
        self._leaders: dict[int, MemberView] = {}
        self._entries: dict[tuple[int, int], tuple[int, int]] = {}
        self._states: dict[int, tuple[int, ...]] = {}
        self._writers: dict[int, str] = {}

    def add(self, id: int, name: str) -> MemberView:
        return self.members.setdefault(id, MemberView(id, name))

    # ---- the disk ----

    def loaded(self, view: MemberView, base: int, core: RaftCore, log: LogView) -> None:
        """A member has started; `log` is what it found. Nothing that was synced before may be missing."""
        before = view.durable
        if log.hard_state.term < before.hard_state.term or (
            log.hard_state.term == before.hard_state.term and log.hard_state.vote != before.hard_state.vote != 0
        ):
            raise Violation(
                f"{view.name} started with {log.hard_state}, but {before.hard_state} was on its disk: it may vote twice"
            )
        for index in range(max(before.base, log.base) + 1, min(before.last, len(self.committed)) + 1):
            if before.term_at(index) == self.committed[index - 1][0] != log.term_at(index):
                raise Violation(f"{view.name} has lost the committed entry {index}, which was on its disk")
        if max(base, log.last) < min(before.base, len(self.committed)):
            raise Violation(f"{view.name} has lost its snapshot at entry {before.base}")
        view.written, view.durable = log, _copy(log)
        view.term, view.commit, view.applied, view.leads = core.term, 0, base, 0
        for index in range(log.base + 1, log.last + 1):
            self._entry(view, log, index)
        if base > len(self.committed):
            raise Violation(f"{view.name} started from a state at entry {base}, which nobody has committed")

    def bootstrapped(self, view: MemberView, count: int) -> None:
        """The first `count` entries are the same on each first member and count as committed."""
        log = view.durable
        for index in range(1, count + 1):
            content = (log.term_at(index), log.sum_at(index))
            if index > len(self.committed):
                self.committed.append(content)
                self._committed_in.append(0)
            elif self.committed[index - 1] != content:
                raise Violation(f"{view.name} begins with other members than others do")

    def appended(self, view: MemberView, log: LogView, records: Sequence[bytes], new: bool) -> None:
        """`records` were written to `log`, one of the member's two; `new`: they are seen for the first time."""
        for record in records:
            kind = record[8]
            if kind == ENTRY:
                term, index, checksum = entry_of(record)
                if new and index > log.last + 1:
                    raise Violation(f"{view.name} writes entry {index} after {log.last}")
                before = log.term_at(index) if new else -1
                if before == term:
                    raise Violation(f"{view.name} writes entry {index} again, which drops what follows it")
                if before != -1 and index <= len(self.committed) and before == self.committed[index - 1][0]:
                    raise Violation(f"{view.name} overwrites the committed entry {index}")
                log.put(term, index, checksum)
                if new:
                    self._entry(view, log, index)
            elif kind == HARD_STATE:
                state = rec.decode_hard_state(memoryview(record)[9:])
                if new:
                    old = log.hard_state
                    if state.term < old.term or (state.term == old.term and 0 != old.vote != state.vote):
                        raise Violation(f"{view.name} goes from {old} to {state}")
                log.hard_state = state
            elif kind == RESTART:
                log.begin_after(*rec.decode_snapshot(memoryview(record)[9:]))

    def _entry(self, view: MemberView, log: LogView, index: int) -> None:
        content = (log.term_at(index - 1), log.sum_at(index))
        known = self._entries.setdefault((log.term_at(index), index), content)
        if known != content and (known[1] != content[1] or -1 not in (known[0], content[0])):
            raise Violation(f"log matching: {view.name} has another entry {index} of term {log.term_at(index)}")

    # ---- what a member has become ----

    def observe(self, view: MemberView, core: RaftCore, machine: StateMachine) -> None:
        term, commit, leads = core.term, core.commit, core.role is Role.LEADER
        if term != view.term:
            if term < view.term:
                raise Violation(f"{view.name} goes from term {view.term} back to {term}")
            view.term = term
            view.leads = 0
        led = view.leads
        if leads:
            if led != term:
                self._new_leader(view, core, term)
        elif led:
            view.leads = 0
        if commit != view.commit:
            if leads and led == term and core.term_at(commit) != term:
                raise Violation(f"{view.name} leads in term {term} and commits entry {commit} of another by counting")
            self._commits(view, core, commit)
        applied = machine.applied_index
        if applied != view.applied:
            self._applies(view, applied, machine)
            view.voters = core.configuration.voters

    def _new_leader(self, view: MemberView, core: RaftCore, term: int) -> None:
        first = self._leaders.setdefault(term, view)
        if first is not view:
            raise Violation(f"election safety: {first.name} and {view.name} both lead in term {term}")
        view.leads = term
        # Whoever wins late in an older term need not have what a later term's leader has committed meanwhile.
        last = len(self.committed)
        while last and self._committed_in[last - 1] >= term:
            last -= 1
        if not last:
            return
        here = core.term_at(last)
        if here is None and machine_covers(core, last):
            return
        if here != self.committed[last - 1][0]:
            raise Violation(f"leader completeness: {view.name} leads in term {term} without the committed entry {last}")

    def _commits(self, view: MemberView, core: RaftCore, commit: int) -> None:
        if commit < view.commit:
            raise Violation(f"{view.name} takes back the commit of {view.commit}, to {commit}")
        log, committed = view.written, self.committed
        for index in range(max(view.commit, log.base) + 1, commit + 1):
            known = index <= len(committed)
            term = core.term_at(index)
            if term is None:
                if not known or index >= core.first_index:
                    raise Violation(f"{view.name} commits entry {index}, which it does not have")
                continue  # a leader's snapshot has taken its place
            if term == log.term_at(index):
                content = (term, log.sum_at(index))
            elif (term, index) in self._entries:  # about to be written here, but a majority of others has it
                content = (term, self._entries[term, index][1])
            else:
                raise Violation(f"{view.name} commits entry {index} of term {term}, which nobody has written")
            if known:
                if committed[index - 1] != content:
                    raise Violation(
                        f"state machine safety: {view.name} commits entry {index} of term {term}, "
                        f"but of term {committed[index - 1][0]} it was committed before"
                    )
                continue
            if core.role is not Role.LEADER:
                raise Violation(f"{view.name} commits entry {index}, which no leader has committed")
            self._durable_on_majority(view, core, index, term)
            committed.append(content)
            self._committed_in.append(core.term)
        view.commit = commit

    def _durable_on_majority(self, view: MemberView, core: RaftCore, index: int, term: int) -> None:
        for voters in (core.configuration.voters, view.voters):
            have = 0
            for voter in voters:
                member = self.members.get(voter)
                if member is not None and (member.durable.term_at(index) == term or member.durable.base > index):
                    have += 1
            if have > len(voters) // 2:
                return
        raise Violation(
            f"{view.name} commits entry {index}, which is on the disks of {have} of "
            f"{len(core.configuration.voters)} voters"
        )

    def _applies(self, view: MemberView, applied: int, machine: StateMachine) -> None:
        if applied < view.applied:
            raise Violation(f"{view.name} goes back from applied {view.applied} to {applied}")
        if applied > len(self.committed):
            raise Violation(f"{view.name} applied entry {applied}, which is not committed")
        if applied > view.durable.last:
            raise Violation(f"{view.name} applied entry {applied}, but its disk holds {view.durable.last}")
        view.applied = applied
        changed = machine.membership.index
        if changed > max(view.durable.hard_state.commit, view.durable.base):
            raise Violation(
                f"{view.name} carries out the change of membership at entry {changed}, "
                f"but its disk knows only of {view.durable.hard_state.commit} as committed: a crash would undo it"
            )
        mvcc = machine.mvcc
        state = (mvcc.revision, len(mvcc), mvcc.compact_revision, len(machine.leases.all()), machine.time)
        if self._states.setdefault(applied, state) != state:
            raise Violation(
                f"state machine safety: after entry {applied} {view.name} has "
                f"(revision, keys, compacted, leases, time) {state}, another member had {self._states[applied]}"
            )

    # ---- what a member says ----

    def sent(self, view: MemberView, message: Message) -> None:
        """Only after it is true on the disk may it be said."""
        kind = message.type
        if message.reject:
            return
        if kind is MessageType.APPEND_RESPONSE:
            if message.index > view.durable.last:
                raise Violation(
                    f"{view.name} acknowledges entry {message.index}, but its disk holds {view.durable.last}"
                )
            if message.term > view.durable.hard_state.term:
                raise Violation(f"{view.name} answers in term {message.term}, which is not on its disk")
        elif kind is MessageType.VOTE_RESPONSE:
            state = view.durable.hard_state
            if state.term < message.term or (state.term == message.term and state.vote != message.to):
                raise Violation(f"{view.name} votes in term {message.term}, but on its disk is {state}")

    # ---- what clients are told ----

    def answered(self, what: str, asked_at: int, revision: int, wrote: bool) -> None:
        """`asked_at`: `acknowledged` when it was asked for."""
        if revision < asked_at or (wrote and revision == asked_at):
            raise Violation(
                f"{what} answers of revision {revision}, but {asked_at} was acknowledged before it was asked"
            )
        if wrote and self._writers.setdefault(revision, what) != what:
            raise Violation(f"{what} and {self._writers[revision]} both made revision {revision}")
        if revision > self.acknowledged:
            self.acknowledged = revision


def machine_covers(core: RaftCore, index: int) -> bool:
    """The entry is no longer in memory, because it was applied."""
    return index < core.first_index and index <= core.applied


def _copy(log: LogView) -> LogView:
    copy = LogView()
    copy.base, copy.base_term, copy.hard_state = log.base, log.base_term, log.hard_state
    copy.terms, copy.sums = list(log.terms), list(log.sums)
    return copy
