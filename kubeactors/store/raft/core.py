"""Raft's decisions, in the shape of etcd-io/raft: no I/O, no clock, randomness is given.

                   step(message) · tick() · propose(data) · read_index(context) · …
                                           │
    ready(): messages to send, entries and hard state to write, committed entries to apply
                                           │
                   advance(ready), when it is on the disk · applied_to(index), when it is applied

The host calls `ready` after any call that may have made work, until it says None. One Ready with something to write
is outstanding at a time: until it was advanced, `ready` gives only what needs no sync (messages, committed entries,
reads), so that commits go on during a sync. A Ready without anything to write is done when its messages were sent;
`advance` need not be called for it.

Sources: the Raft paper (Ongaro and Ousterhout, 2014), Ongaro's dissertation for what goes beyond, etcd-io/raft for what
practice has taught.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

from kubeactors.store.raft import startup
from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.errors import ChangePending, InconsistentLog, NoLeader, NotLeader, TransferRunning
from kubeactors.store.raft.leadership import Leadership, Outbox
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import NEWS, TRANSFER, Message, MessageType, SnapshotMeta
from kubeactors.store.raft.patience import Patience
from kubeactors.store.raft.progress import Progress
from kubeactors.store.raft.ready import Ready
from kubeactors.store.wal.record import Entry, EntryKind, HardState

__all__ = ["RaftConfig", "RaftCore", "Role"]

logger = logging.getLogger(__name__)


class Role(IntEnum):
    FOLLOWER = 0
    PRE_CANDIDATE = 1
    CANDIDATE = 2
    LEADER = 3


_NORMAL, _CONFIG = int(EntryKind.NORMAL), int(EntryKind.CONFIG)
_FROM_LEADER = frozenset({MessageType.APPEND, MessageType.HEARTBEAT, MessageType.SNAPSHOT})
_REQUESTS_VOTE = frozenset({MessageType.PRE_VOTE, MessageType.VOTE})


class RaftCore:
    """`hard_state`, `log`: what the disk holds. `configuration`: as of entry `applied`, the last one that the state
    machine reflects. Raises InconsistentLog when these cannot belong together.

    A lone voter campaigns at once; its first Ready makes it leader.
    """

    def __init__(
        self,
        config: RaftConfig,
        hard_state: HardState,
        log: RaftLog,
        configuration: Configuration,
        applied: int,
        rng: random.Random,
    ) -> None:
        self._config = config
        self._id = config.member_id
        self._log = log
        self._configuration = configuration
        self._patience = Patience(config, rng)
        self._outbox = Outbox()
        self._applied = self._given = applied  # `given`: handed out in Ready.committed
        startup.check(hard_state, log, applied)
        log.commit = max(hard_state.commit, applied, startup.last_surely_committed_change(log, applied))
        self._term, self._vote = hard_state.term, hard_state.vote
        if self._term < log.last_term:
            # The last write was torn after its entries and before its hard state. A vote in that term was never told.
            self._term, self._vote = log.last_term, 0
        self._saved = hard_state
        self._saved_commit = hard_state.commit  # by what is synced; `_saved` may still be on its way to the disk
        self._must_save_commit = 0
        self._writing: Ready | None = None
        self._snapshot: SnapshotMeta | None = None  # to be written
        self._installing = applied  # nothing is given to be applied before the snapshot up to here is
        self._role = Role.FOLLOWER
        self._leader = 0
        self._leadership: Leadership | None = None
        self._votes: dict[int, bool] = {}
        self._yielded = False  # to a rival, since a leader was known
        self._urged = False  # asked to take over, once what is committed is applied
        self._handlers: list[Callable[[Message], None]] = [self._ignore] * (max(MessageType) + 1)
        for kind, handler in (
            (MessageType.PRE_VOTE, self._on_vote),
            (MessageType.PRE_VOTE_RESPONSE, self._on_vote_response),
            (MessageType.VOTE, self._on_vote),
            (MessageType.VOTE_RESPONSE, self._on_vote_response),
            (MessageType.APPEND, self._on_append),
            (MessageType.APPEND_RESPONSE, self._on_append_response),
            (MessageType.HEARTBEAT, self._on_heartbeat),
            (MessageType.HEARTBEAT_RESPONSE, self._on_heartbeat_response),
            (MessageType.SNAPSHOT, self._on_snapshot),
            (MessageType.TIMEOUT_NOW, self._on_timeout_now),
            (MessageType.READ_INDEX, self._on_read_index),
            (MessageType.READ_INDEX_RESPONSE, self._on_read_index_response),
        ):
            self._handlers[kind] = handler
        self._campaign_alone()

    # ---- what it is ----

    @property
    def term(self) -> int:
        return self._term

    @property
    def vote(self) -> int:
        """Whom this member voted for in `term`, 0 for nobody."""
        return self._vote

    @property
    def leader(self) -> int:
        """Member id, 0 when none is known."""
        return self._leader

    @property
    def role(self) -> Role:
        return self._role

    @property
    def commit(self) -> int:
        """The last entry known to be committed; it need not be on this member's disk."""
        return self._log.commit

    @property
    def applied(self) -> int:
        """As last told by `applied_to`."""
        return self._applied

    @property
    def first_index(self) -> int:
        """The first entry in memory."""
        return self._log.first_index

    @property
    def last_index(self) -> int:
        return self._log.last_index

    @property
    def stable_index(self) -> int:
        """The last entry that is on this member's disk."""
        return self._log.stable

    @property
    def configuration(self) -> Configuration:
        return self._configuration

    @property
    def transferring(self) -> int:
        """The member that leadership is being handed to, 0 for none."""
        return self._leadership.transferee if self._leadership is not None else 0

    @property
    def progress(self) -> Mapping[int, Progress]:
        """The leader's view of every member, itself included; empty on others."""
        return self._leadership.progress if self._leadership is not None else {}

    def followers_lag(self) -> dict[int, int]:
        """Entries that each other member has not confirmed; empty when this member does not lead."""
        last = self._log.last_index
        return {member: last - each.match for member, each in self.progress.items() if member != self._id}

    def term_at(self, index: int) -> int | None:
        """The term of the entry, None when it is not in memory (`first_index - 1` still is known)."""
        return self._log.term_at(index)

    # ---- what the host asks ----

    def propose(self, data: bytes) -> int:
        """The index that the entry will have if it is committed in the present term.

        Raises NotLeader, and its subclass TransferRunning: nothing was appended.
        """
        if self._leadership is None or self._leadership.transferee:
            self._leading()
        return self._append(_NORMAL, data)

    def propose_change(self, data: bytes) -> int:
        """As `propose`, an entry of EntryKind.CONFIG; when it is applied the host calls `apply_configuration`.

        Raises ChangePending besides, until everything up to this leader's first entry and the last change is applied.
        """
        leadership = self._leading()
        if self._applied < leadership.pending_change:
            raise ChangePending(f"entry {leadership.pending_change} must be applied before the next change")
        leadership.pending_change = self._append(_CONFIG, data)
        return leadership.pending_change

    def _leading(self) -> Leadership:
        if self._leadership is None:
            raise NotLeader(f"member {self._id:x} does not lead, {self._leader:x} does")
        if self._leadership.transferee:
            raise TransferRunning(f"leadership is being handed to member {self._leadership.transferee:x}")
        return self._leadership

    def _append(self, kind: int, data: bytes) -> int:
        log = self._log
        log.append(Entry(self._term, log.last_index + 1, kind, data))
        return log.last_index

    def read_index(self, context: int) -> None:
        """Ask for an index that a linearizable read must wait for; it comes in Ready.reads with this context.

        It may never come (the leader changed, a message was lost): then ask again. A context must be new, also after a
        restart, as an answer to an earlier one may still be under way. Raises NoLeader.
        """
        if self._leadership is not None:
            self._leadership.read(self._id, context)
        elif self._leader:
            self._tell(MessageType.READ_INDEX, self._leader, context=context)
        else:
            raise NoLeader(f"member {self._id:x} knows of no leader in term {self._term}")

    def transfer(self, to: int) -> None:
        """Hand leadership to a voter. Proposals are refused until that happened or an election timeout has passed.

        Raises NotLeader, ValueError when `to` is no voter.
        """
        if self._leadership is None:
            raise NotLeader(f"member {self._id:x} does not lead, {self._leader:x} does")
        if to not in self._configuration.voters:
            raise ValueError(f"{to:x} is no voter")
        if to != self._id:
            self._leadership.transfer(to)

    def campaign(self) -> None:
        """Stand for election at once, if that can be (not a learner, no change waiting to be applied)."""
        if self._may_campaign():
            self._become_pre_candidate()

    def compact(self, index: int) -> None:
        """Drop entries up to `index` from memory; not beyond `applied`.

        A follower that needs them will be sent a snapshot. Leave a snapshot that is under way (a progress in
        ProgressState.SNAPSHOT) able to connect: do not drop what follows it.
        """
        self._log.compact(min(index, self._applied))

    # ---- time ----

    def tick(self) -> None:
        """A tick has passed."""
        if self._leadership is not None:
            if not self._leadership.tick():
                logger.warning("term %d: no majority answers, stepping down", self._term)
                self._become_follower(self._term, 0)
            return
        self._patience.elapsed += 1
        if not self._patience.over:
            return
        if self._may_campaign():
            self._become_pre_candidate()
        elif self._id not in self._configuration.voters:
            self._leader = 0  # it can only wait, but it shall not claim that somebody leads

    # ---- elections ----

    def _may_campaign(self) -> bool:
        if self._role is Role.LEADER or self._id not in self._configuration.voters or self._snapshot is not None:
            return False
        if self._applied < self._log.base:
            return False  # a snapshot is being installed
        # With a committed change not applied, the configuration in force could be two older than that of others
        # (etcd-io/raft, hasUnappliedConfChanges).
        waiting = self._log.between(self._applied + 1, self._log.commit)
        return all(entry.kind != _CONFIG for entry in waiting)

    def _campaign_alone(self) -> None:
        if self._role is Role.FOLLOWER and self._configuration.voters == {self._id} and self._may_campaign():
            self._become_candidate(0)

    def _become_pre_candidate(self) -> None:
        """Ask whether an election could be won before the term is raised, which would disturb a leader that others hear
        (Raft dissertation, 9.6)."""
        if self._configuration.voters == {self._id}:
            self._become_candidate(0)
            return
        self._reset(Role.PRE_CANDIDATE, 0)
        self._patience.for_pre_votes()
        self._patience.tried()
        self._votes = {self._id: True}
        self._ask_votes(self._outbox.messages, MessageType.PRE_VOTE, self._term + 1, 0)

    def _become_candidate(self, context: int) -> None:
        self._reset(Role.CANDIDATE, 0)
        self._patience.for_votes()
        self._term += 1
        self._vote = self._id
        self._votes = {}  # its own comes with the sync
        # Not before the sync: a vote is given to the log that this claims, and for this term once.
        self._ask_votes(self._outbox.responses, MessageType.VOTE, self._term, context)
        logger.info("term %d: member %x is a candidate", self._term, self._id)

    def _ask_votes(self, out: list[Message], kind: MessageType, term: int, context: int) -> None:
        log = self._log
        last, last_term, commit, commit_term = log.last_index, log.last_term, log.commit, log.term_at(log.commit) or 0
        for member in sorted(self._configuration.voters - {self._id}):
            out.append(
                Message(kind, member, self._id, term, last, last_term, commit, hint=commit_term, context=context)
            )

    def _count_votes(self) -> None:
        outcome = self._configuration.outcome(self._votes)
        if outcome is False:
            self._lose()
        elif outcome and self._role is Role.PRE_CANDIDATE:
            self._become_candidate(0)
        elif outcome and self._id in self._votes:
            self._become_leader()

    def _lose(self) -> None:
        self._become_follower(self._term, 0)
        self._patience.for_pre_votes()

    def _become_leader(self) -> None:
        self._reset(Role.LEADER, self._id)
        self._leadership = Leadership(self._config, self._term, self._configuration, self._log, self._outbox)
        # Entries of earlier terms are committed together with one of this term (Raft paper, 5.4.2).
        self._append(_NORMAL, b"")
        logger.info("term %d: member %x leads from entry %d on", self._term, self._id, self._log.last_index)

    def _become_follower(self, term: int, leader: int) -> None:
        if term != self._term:
            self._term, self._vote = term, 0
            self._yielded = False
            # What was to be confirmed to an earlier leader may be replaced before it is ever written.
            responses = self._outbox.responses
            responses[:] = [each for each in responses if each.type != MessageType.APPEND_RESPONSE]
        self._reset(Role.FOLLOWER, leader)

    def _reset(self, role: Role, leader: int) -> None:
        self._role = role
        self._leader = leader
        self._leadership = None
        self._votes = {}
        self._urged = False
        self._patience.for_leader()
        if leader:
            self._patience.found()
            self._yielded = False

    def _in_lease(self) -> bool:
        """A leader is there and was heard of within the shortest election timeout: nobody else is needed (Raft
        dissertation, 4.2.3). A leader without a majority ends by itself."""
        return self._leadership is not None or (self._leader != 0 and self._patience.in_lease)

    # ---- messages ----

    def step(self, message: Message) -> None:
        """A message from another member.

        A SNAPSHOT is stepped when its file is in place; if it is wanted the next Ready to be written has `snapshot`.
        Raises InconsistentLog: this member has lost data, and must stop.
        """
        if message.term != self._term and not self._compare_terms(message):
            return
        self._handlers[message.type](message)

    def _compare_terms(self, message: Message) -> bool:
        """Whether the message still means something (Raft paper, 5.1)."""
        kind = message.type
        if message.term > self._term:
            if kind in _REQUESTS_VOTE and message.context != TRANSFER and self._in_lease():
                return False
            if kind == MessageType.PRE_VOTE or (kind == MessageType.PRE_VOTE_RESPONSE and not message.reject):
                return True  # about a term that nobody has entered
            self._become_follower(message.term, message.sender if kind in _FROM_LEADER else 0)
            return True
        if kind in _FROM_LEADER:
            # With leases and pre-vote, a leader that was overtaken would not learn of it otherwise.
            self._answer(MessageType.APPEND_RESPONSE, message.sender)
        elif kind in _REQUESTS_VOTE:
            self._answer_vote(message, granted=False)
        return False

    def _tell(self, kind: MessageType, to: int, *, term: int = 0, reject: bool = False, context: int = 0) -> None:
        """What may leave at once."""
        self._outbox.messages.append(Message(kind, to, self._id, term or self._term, reject=reject, context=context))

    def _answer(
        self, kind: MessageType, to: int, index: int = 0, log_term: int = 0, *, reject: bool = False, hint: int = 0
    ) -> None:
        """What promises something, and leaves after the sync."""
        responses = self._outbox.responses
        if kind == MessageType.APPEND_RESPONSE and not reject and responses:
            last = responses[-1]
            if last.type == kind and last.to == to and last.term == self._term and not last.reject:
                # One answer for many appends, that to the last of them.
                responses[-1] = last._replace(index=max(last.index, index))
                return
        responses.append(
            Message(kind, to, self._id, self._term, index=index, log_term=log_term, reject=reject, hint=hint)
        )

    def _ignore(self, message: Message) -> None:
        pass

    def _on_vote(self, message: Message) -> None:
        sender = message.sender
        pre = message.type == MessageType.PRE_VOTE
        free = self._vote == sender or (self._vote == 0 and self._leader == 0) or (pre and message.term > self._term)
        granted = free and self._log.up_to_date(message.index, message.log_term)
        self._learn_commit(message)
        self._answer_vote(message, granted)
        if granted and pre:
            self._yield_to(message)
        elif granted:
            self._patience.elapsed = 0
            self._vote = sender

    def _answer_vote(self, message: Message, granted: bool) -> None:
        log, pre = self._log, message.type == MessageType.PRE_VOTE
        term = message.term if pre and granted else self._term
        kind = MessageType.PRE_VOTE_RESPONSE if pre else MessageType.VOTE_RESPONSE
        # Only a vote in earnest promises something that must be on the disk.
        out = self._outbox.messages if pre else self._outbox.responses
        commit, commit_term = log.commit, log.term_at(log.commit) or 0
        out.append(Message(kind, message.sender, self._id, term, commit=commit, reject=not granted, hint=commit_term))

    def _learn_commit(self, message: Message) -> None:
        """Who asks for or answers about a vote says what it knows as committed.

        Without a leader nobody else would: a member that was made a voter by a change which it has, but does not know
        as committed, would neither campaign nor, with the better log, let those win who know (etcd-io/etcd issue
        12359).
        """
        if self._leadership is not None or message.commit <= self._log.commit:
            return
        if self._log.term_at(message.commit) == message.hint:
            self._log.commit_to(message.commit)
            if self._role is not Role.FOLLOWER and not self._may_campaign():
                self._lose()

    def _yield_to(self, message: Message) -> None:
        """Of two that ask for pre-votes at the same time with equally good logs, the one with the lower id waits, so
        that they do not split the vote. Once only: the other one may be unable to win."""
        equal = message.index == self._log.last_index and message.log_term == self._log.last_term
        rival = equal and message.sender > self._id and message.term == self._term + 1
        if self._role is Role.PRE_CANDIDATE and rival and not self._yielded:
            self._lose()
            self._yielded = True

    def _on_vote_response(self, message: Message) -> None:
        if message.type == MessageType.PRE_VOTE_RESPONSE:
            counts = self._role is Role.PRE_CANDIDATE and (message.reject or message.term == self._term + 1)
        else:
            counts = self._role is Role.CANDIDATE
        if counts and message.reject:
            self._learn_commit(message)
            counts = self._role is not Role.FOLLOWER
        if counts:
            self._votes.setdefault(message.sender, not message.reject)
            self._count_votes()

    def _heard_leader(self, message: Message) -> None:
        if self._leadership is not None:
            raise InconsistentLog(f"member {message.sender:x} leads in term {self._term} too")
        if self._leader != message.sender:
            self._become_follower(self._term, message.sender)
        self._patience.elapsed = 0

    def _on_append(self, message: Message) -> None:
        self._heard_leader(message)
        log, index = self._log, message.index
        asked = message.context != NEWS
        if index < log.commit:
            if asked:
                self._answer(MessageType.APPEND_RESPONSE, message.sender, log.commit)
        elif log.term_at(index) == message.log_term:
            log.append_after(index, message.entries)
            last = index + len(message.entries)
            log.commit_to(min(message.commit, last))
            if asked:
                self._answer(MessageType.APPEND_RESPONSE, message.sender, last)
        else:
            hint, term = log.agreement(index, message.log_term)
            if hint < log.commit:  # there they agree for sure
                hint, term = log.commit, log.term_at(log.commit) or 0
            self._answer(MessageType.APPEND_RESPONSE, message.sender, index, term, reject=True, hint=hint)

    def _on_heartbeat(self, message: Message) -> None:
        self._heard_leader(message)
        self._log.commit_to(message.commit)
        self._tell(MessageType.HEARTBEAT_RESPONSE, message.sender, context=message.context)

    def _on_snapshot(self, message: Message) -> None:
        self._heard_leader(message)
        log, meta = self._log, message.snapshot
        if meta is None:
            raise ValueError("a SNAPSHOT message that does not say what its file holds")
        if meta.index > log.commit:
            if log.term_at(meta.index) == meta.term:
                log.commit_to(meta.index)
            else:
                self._restore(meta)
        self._answer(MessageType.APPEND_RESPONSE, message.sender, log.commit)

    def _restore(self, meta: SnapshotMeta) -> None:
        logger.info("term %d: the log begins anew after entry %d", self._term, meta.index)
        self._log.restore(meta.index, meta.term)
        self._snapshot = meta
        self._installing = self._given = meta.index
        self._configuration = meta.configuration

    def _on_append_response(self, message: Message) -> None:
        if self._leadership is not None:
            self._leadership.append_response(message)

    def _on_heartbeat_response(self, message: Message) -> None:
        if self._leadership is not None:
            self._leadership.heartbeat_response(message)

    def _on_timeout_now(self, message: Message) -> None:
        if self._may_campaign():
            self._become_candidate(TRANSFER)
        else:
            self._urged = True

    def _on_read_index(self, message: Message) -> None:
        if self._leadership is not None:
            self._leadership.read(message.sender, message.context)

    def _on_read_index_response(self, message: Message) -> None:
        self._outbox.reads.append((message.context, message.index))

    # ---- work ----

    def ready(self) -> Ready | None:
        """What is to be done now, None when nothing is."""
        log, out = self._log, self._outbox
        if self._leadership is not None:
            self._leadership.flush()
        ready = Ready()
        if out.messages:
            ready.messages, out.messages = out.messages, []
        if out.reads:
            ready.reads, out.reads = out.reads, []
        last = min(log.commit, log.stable, self._given + self._config.max_committed)
        if last > self._given and self._applied >= self._installing:
            ready.committed = self._known_to_be_committed(log.between(self._given + 1, last))
            self._given += len(ready.committed)
        if self._writing is None:
            self._write(ready)
        elif not (ready.messages or ready.reads or ready.committed):
            return None
        if ready.must_sync:
            self._writing = ready
        elif not (ready.messages or ready.responses or ready.reads or ready.committed):
            return None
        return ready

    def _known_to_be_committed(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Up to the first change of the configuration of which this disk does not say yet that it is committed.

        A member that forgot in a crash that it had carried out a removal would count the removed one, which is gone,
        among the voters: of two, the one that is left could never again find out that it is alone.
        """
        for position, entry in enumerate(entries):
            if entry.kind == _CONFIG and entry.index > self._saved_commit:
                self._must_save_commit = entry.index
                return entries[:position]
        return entries

    def _write(self, ready: Ready) -> None:
        log, out, saved = self._log, self._outbox, self._saved
        if self._snapshot is not None:
            ready.snapshot = self._snapshot
        if log.untaken:
            ready.entries = log.take(self._config.max_write_bytes)
        # Never ahead of what is on the disk already, so that a torn write leaves no commit index beyond its log.
        commit = max(saved.commit, min(log.commit, log.stable))
        changed = saved.term != self._term or saved.vote != self._vote
        # A commit index alone is worth no sync: it is written along, unless a change of the configuration waits for it.
        if changed or (commit != saved.commit and (ready.must_sync or saved.commit < self._must_save_commit)):
            ready.hard_state = self._saved = HardState(self._term, self._vote, commit)
        if out.responses and not log.untaken:
            ready.responses, out.responses = out.responses, []

    def advance(self, ready: Ready) -> None:
        """What `ready` asked to write is on the disk."""
        if not ready.must_sync:
            return
        if ready is not self._writing:
            raise ValueError("this Ready is not the one that is being written")
        self._writing = None
        if ready.hard_state is not None:
            self._saved_commit = ready.hard_state.commit
        log = self._log
        if ready.snapshot is not None:
            log.restored(ready.snapshot.index)
            if ready.snapshot is self._snapshot:
                self._snapshot = None
        if self._snapshot is None:  # otherwise the disk's log is yet to begin anew, and these go with the old one
            log.written(ready.entries)
        if self._leadership is not None:
            self._leadership.written()
        elif self._role is Role.CANDIDATE and (self._saved.term, self._saved.vote) == (self._term, self._id):
            self._votes[self._id] = True
            self._count_votes()

    def applied_to(self, index: int) -> None:
        """Entries up to `index` are applied (an installed snapshot's too), configurations among them told."""
        if index > self._given:
            raise ValueError(f"entry {index} was not given to be applied, the last one was {self._given}")
        if index > self._applied:
            self._applied = index
            if self._urged and self._may_campaign():
                self._become_candidate(TRANSFER)
            elif self._leader == 0:
                self._campaign_alone()

    def apply_configuration(self, configuration: Configuration) -> None:
        """A CONFIG entry was applied; call it before `applied_to` that entry.

        A leader that is no voter any more hands over and steps down.
        """
        self._configuration = configuration
        voter = self._id in configuration.voters
        if self._leadership is not None:
            if voter:
                self._leadership.configure(configuration)
            else:
                self._leadership.leave(configuration)
                self._become_follower(self._term, 0)
        elif self._role is not Role.FOLLOWER:
            if voter:
                self._count_votes()
            else:
                self._become_follower(self._term, 0)

    def report_unreachable(self, member: int) -> None:
        """Messages to this member were lost."""
        if self._leadership is not None:
            self._leadership.unreachable(member)

    def report_snapshot(self, member: int, ok: bool) -> None:
        """Sending a snapshot has ended. Must be called for every SNAPSHOT message that a Ready had."""
        if self._leadership is not None:
            self._leadership.snapshot_sent(member, ok)
