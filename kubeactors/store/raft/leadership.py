"""What only a leader has and does: the followers' progress, commit, read rounds, handing over. Ends with its term."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubeactors.store.raft.config import RaftConfig
from kubeactors.store.raft.configuration import Configuration
from kubeactors.store.raft.errors import InconsistentLog
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.raft.message import NEWS, Message, MessageType
from kubeactors.store.raft.progress import Progress, ProgressState
from kubeactors.store.raft.reads import Read, ReadRounds

_PROBE, _REPLICATE, _SNAPSHOT = ProgressState.PROBE, ProgressState.REPLICATE, ProgressState.SNAPSHOT


@dataclass(slots=True)
class Outbox:
    """What the next Ready will have."""

    messages: list[Message] = field(default_factory=list)
    responses: list[Message] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)


class Leadership:
    """`last_index` of the log is the last entry of earlier terms; the caller appends this term's first one then."""

    def __init__(
        self, config: RaftConfig, term: int, configuration: Configuration, log: RaftLog, outbox: Outbox
    ) -> None:
        self._id = config.member_id
        self._config = config
        self._term = term
        self._log = log
        self._outbox = outbox
        self._reads = ReadRounds()
        self._heartbeat_elapsed = 0
        self._election_elapsed = 0
        self.transferee = 0
        self.pending_change = log.last_index + 1
        """No change of the configuration may be proposed before this entry is applied."""
        self.progress: dict[int, Progress] = {}
        self.configure(configuration)
        for each in self.progress.values():
            each.recent_active = False
        self.progress[self._id].match = log.stable

    def configure(self, configuration: Configuration) -> None:
        """The configuration in force has changed; this member is among its voters."""
        self._configuration = configuration
        for member in configuration.members - self.progress.keys():
            added = Progress(self._log.last_index + 1)
            added.recent_active = True  # a new member gets time to be heard before its silence counts
            self.progress[member] = added
        for member in self.progress.keys() - configuration.members:
            del self.progress[member]
        if self.transferee not in configuration.voters:
            self.transferee = 0
        self._own = self.progress[self._id]
        self._others = [(member, each) for member, each in self.progress.items() if member != self._id]
        self._voters = [self.progress[member] for member in configuration.voters]
        self._majority_at = len(self._voters) - configuration.quorum
        self._update_commit()
        self._answer_reads()

    # ---- commit ----

    def written(self) -> None:
        """The log's own disk has caught up to `stable`: only now does this member count for its own entries."""
        if self._log.stable > self._own.match:
            self._own.match = self._log.stable
            self._update_commit()

    def _update_commit(self) -> None:
        """The highest entry that a majority has on its disks, if it is of this term: an entry of an earlier one may
        still be replaced although a majority has it (Raft paper, 5.4.2 and figure 8)."""
        index = sorted([voter.match for voter in self._voters])[self._majority_at]
        if index > self._log.commit and self._log.term_at(index) == self._term:
            self._log.commit = index

    # ---- time ----

    def tick(self) -> bool:
        """False: no majority was heard of for an election timeout, and this leader must step down."""
        self._heartbeat_elapsed += 1
        self._election_elapsed += 1
        if self._election_elapsed >= self._config.election_ticks:
            self._election_elapsed = 0
            self.transferee = 0
            self._own.recent_active = True
            active = sum([voter.recent_active for voter in self._voters])
            for each in self.progress.values():
                each.recent_active = False
            if active < self._configuration.quorum:
                return False
        if self._heartbeat_elapsed >= self._config.heartbeat_ticks:
            self._heartbeat(self._reads.last if self._reads.outstanding else 0)
        return True

    def _heartbeat(self, context: int) -> None:
        self._heartbeat_elapsed = 0
        messages, commit = self._outbox.messages, self._log.commit
        for member, progress in self._others:
            messages.append(
                Message(
                    MessageType.HEARTBEAT,
                    member,
                    self._id,
                    self._term,
                    commit=min(progress.match, commit),
                    context=context,
                )
            )

    # ---- sending ----

    def flush(self) -> None:
        """Put into the outbox what the others are to be told by now."""
        if self._reads.waiting:
            self._start_reads()
        log = self._log
        last, commit = log.last_index, log.commit
        for member, progress in self._others:
            if progress.next > last and progress.commit_sent >= commit:
                continue
            if progress.state == _REPLICATE:
                inflight = progress.inflight
                while progress.next <= last and len(inflight) < self._config.max_inflight:
                    if not self._append(member, progress):
                        break
                    inflight.append(progress.next - 1)
                if progress.next > last and progress.commit_sent < commit:
                    self._append(member, progress, context=NEWS)
            elif progress.state == _PROBE and not progress.paused:
                progress.paused = self._append(member, progress)

    def _append(self, member: int, progress: Progress, empty: bool = False, context: int = 0) -> bool:
        """Send what follows `next - 1`. False when that is dropped already: then the snapshot is asked for."""
        log = self._log
        previous = progress.next - 1
        term = log.term_at(previous)
        if term is None:
            if progress.recent_active:  # a silent one gets it when it is heard of again
                progress.await_snapshot()
                self._outbox.messages.append(Message(MessageType.SNAPSHOT, member, self._id, self._term))
            return False
        entries = () if empty or previous >= log.last_index else log.slice(previous + 1, self._config.max_append_bytes)
        self._outbox.messages.append(
            Message(
                MessageType.APPEND, member, self._id, self._term, previous, term, log.commit, entries, context=context
            )
        )
        if progress.state == _REPLICATE:
            progress.next += len(entries)
        progress.commit_sent = min(log.commit, previous + len(entries))
        return True

    # ---- answers ----

    def append_response(self, message: Message) -> None:
        progress = self.progress.get(message.sender)
        if progress is None:
            return
        progress.recent_active = True
        if message.reject:
            probe = message.hint
            if message.log_term:
                probe, _ = self._log.agreement(probe, message.log_term)
            progress.refuse(message.index, probe)
            return
        if message.index > self._log.last_index:
            raise InconsistentLog(f"member {message.sender:x} confirmed entry {message.index}, which was never sent")
        grown = progress.confirm(message.index)
        if progress.state == _PROBE:
            if progress.match == message.index:
                progress.replicate()
        elif progress.state == _SNAPSHOT and progress.match >= self._log.base:
            progress.replicate()
        if grown:
            if progress.match > self._log.commit:
                self._update_commit()
            if message.sender == self.transferee:
                self._hand_over()

    def heartbeat_response(self, message: Message) -> None:
        progress = self.progress.get(message.sender)
        if progress is None:
            return
        progress.recent_active = True
        if progress.state == _PROBE and progress.paused:
            progress.paused = False
            progress.commit_sent = -1  # the probe may be lost: send it again, though it may have nothing to bring
        if progress.state == _REPLICATE and progress.match < self._log.last_index and not progress.moved:
            # Nothing was confirmed since the last heartbeat: ask whether it has what was sent. If something was lost it
            # refuses, and is probed.
            self._append(message.sender, progress, empty=True)
        progress.moved = False
        if message.context > progress.read_round:
            progress.read_round = message.context
            if self._reads.outstanding:
                self._answer_reads()

    # ---- reads ----

    def read(self, member: int, context: int) -> None:
        self._reads.waiting.append(Read(member, context))

    def _start_reads(self) -> None:
        log = self._log
        if log.term_at(log.commit) != self._term:
            # Before its term's first entry is committed a leader does not know how far its predecessors came.
            return
        number = self._reads.start(log.commit)
        self._own.read_round = number
        if len(self._voters) == 1:
            self._answer_reads()
        else:
            self._heartbeat(number)

    def _answer_reads(self) -> None:
        confirmed = sorted([voter.read_round for voter in self._voters])[self._majority_at]
        for index, reads in self._reads.confirm(confirmed):
            for member, context in reads:
                if member == self._id:
                    self._outbox.reads.append((context, index))
                else:
                    self._outbox.messages.append(
                        Message(MessageType.READ_INDEX_RESPONSE, member, self._id, self._term, index, context=context)
                    )

    # ---- handing over ----

    def transfer(self, to: int) -> None:
        if to == self.transferee:
            return
        self.transferee = to
        self._election_elapsed = 0  # it has one election timeout
        self.progress[to].paused = False
        self._hand_over()

    def _hand_over(self) -> None:
        if self.progress[self.transferee].match == self._log.last_index:
            self._outbox.messages.append(Message(MessageType.TIMEOUT_NOW, self.transferee, self._id, self._term))

    def leave(self, configuration: Configuration) -> None:
        """This member is no voter any more: let the best of the others campaign. What is committed they were told when
        the change was given to be applied here."""
        voters = [(each.match, member) for member, each in self._others if member in configuration.voters]
        if voters:
            _, best = max(voters)
            self._outbox.messages.append(Message(MessageType.TIMEOUT_NOW, best, self._id, self._term))

    # ---- what the transport noticed ----

    def unreachable(self, member: int) -> None:
        progress = self.progress.get(member)
        if progress is not None and progress.state == _REPLICATE:
            progress.probe(progress.match + 1)

    def snapshot_sent(self, member: int, ok: bool) -> None:
        progress = self.progress.get(member)
        if progress is None or progress.state != _SNAPSHOT:
            return
        # Where the file ended is not known here, but that it reaches the log is; its receiver's answer says the rest.
        progress.probe(self._log.first_index if ok else progress.match + 1)
        progress.paused = True  # until it is heard of
