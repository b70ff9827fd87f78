"""The list. Each fault is one that a programmer could make, and names the part of the suite that must find it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.planted.plant import Change

CORE = "kubeactors.store.raft.core"
LEADERSHIP = "kubeactors.store.raft.leadership"
LOG = "kubeactors.store.raft.log"
REPLICA = "kubeactors.store.replica"
PROPOSALS = "kubeactors.store.proposals"
WAL = "kubeactors.store.wal.log"
READER = "kubeactors.store.wal.reader"
DISK = "kubeactors.store.disk"
STORAGE = "kubeactors.store.storage"


@dataclass(frozen=True, slots=True)
class Simulation:
    """`seeds` of this scenario, from 0 on; the fault must fail one of them."""

    scenario: str
    seeds: int


@dataclass(frozen=True, slots=True)
class Tests:
    """What pytest is given; a test must fail."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    change: Change
    found_by: Simulation | Tests


FAULTS = (
    Fault(
        "the current-term commit rule is gone (Raft paper, figure 8)",
        Change(LEADERSHIP, "Leadership._update_commit", " and self._log.term_at(index) == self._term", ""),
        Simulation("cluster", 2000),
    ),
    Fault(
        "the leader counts its own last entry before the sync",
        Change(
            CORE,
            "RaftCore._append",
            "        return log.last_index",
            "        self._leadership._own.match = log.last_index\n"
            "        self._leadership._update_commit()\n"
            "        return log.last_index",
        ),
        Simulation("cluster", 500),
    ),
    Fault(
        "votes are not persisted",
        Change(CORE, "RaftCore._write", "or saved.vote != self._vote", ""),
        Simulation("cluster", 500),
    ),
    Fault(
        "a follower answers appends before the sync",
        Change(CORE, "RaftCore._answer", "responses = self._outbox.responses", "responses = self._outbox.messages"),
        Simulation("cluster", 500),
    ),
    Fault(
        "a member votes twice in a term",
        Change(CORE, "RaftCore._on_vote", "granted = free and", "granted ="),
        Simulation("cluster", 2000),
    ),
    Fault(
        "a vote goes to a log that lacks entries",
        Change(CORE, "RaftCore._on_vote", " and self._log.up_to_date(message.index, message.log_term)", ""),
        Simulation("cluster", 500),
    ),
    Fault(
        "the log is truncated on a duplicate append",
        Change(
            LOG,
            "RaftLog.append_after",
            "            if known == len(entries):\n                return\n",
            "            self._truncate(index + known)\n"
            "            if known == len(entries):\n                return\n",
        ),
        Simulation("cluster", 500),
    ),
    Fault(
        "an append is taken without looking at the entry before it",
        Change(
            CORE, "RaftCore._on_append", "elif log.term_at(index) == message.log_term:", "elif index <= log.last_index:"
        ),
        Simulation("cluster", 1000),
    ),
    Fault(
        "heartbeats tell of commits that the follower has not confirmed",
        Change(LEADERSHIP, "Leadership._heartbeat", "min(progress.match, commit)", "commit"),
        Simulation("cluster", 500),
    ),
    Fault(
        "a read is answered without asking whether this member still leads",
        Change(
            LEADERSHIP,
            "Leadership._start_reads",
            "        if len(self._voters) == 1:\n",
            "        for voter in self._voters:\n            voter.read_round = number\n        if self._voters:\n",
        ),
        Simulation("cluster", 2000),
    ),
    Fault(
        "a new leader answers reads before its first entry is committed",
        Change(LEADERSHIP, "Leadership._start_reads", "log.term_at(log.commit) != self._term", "False"),
        Simulation("cluster", 2000),
    ),
    Fault(
        "a follower reads before it has applied what the leader named",
        Change(
            REPLICA, "Replica.work", "self._reads.applied(self.machine.applied_index)", "self._reads.applied(1 << 62)"
        ),
        Simulation("cluster", 500),
    ),
    Fault(
        "a snapshot drops a lease",
        Change(
            "kubeactors.store.snapshot.snapshotter",
            "describe",
            "for lease in machine.leases.all()]",
            "for lease in machine.leases.all()[1:]]",
        ),
        Simulation("cluster", 500),
    ),
    Fault(
        "the log does not begin anew after a leader's snapshot",
        Change(
            REPLICA,
            "Replica._encode",
            "if snapshot is not None:\n            records.insert",
            "if False:\n            records.insert",
        ),
        Simulation("cluster", 500),
    ),
    Fault(
        "a change of membership is proposed while another one is not applied",
        Change(CORE, "RaftCore.propose_change", "self._applied < leadership.pending_change", "False"),
        Tests(("tests/unit/store/raft",)),
    ),
    Fault(
        "a change of membership is carried out before the disk knows that it is committed",
        Change(CORE, "RaftCore._known_to_be_committed", "entry.index > self._saved_commit", "False"),
        Simulation("cluster", 2000),
    ),
    Fault(
        "a leader takes proposals that were meant for an earlier one",
        Change(PROPOSALS, "Proposals._take_proposals", " or core.term != frame.term", ""),
        Simulation("cluster", 2000),
    ),
    Fault(
        "a forwarded frame that arrives twice is carried out twice",
        Change(
            PROPOSALS,
            "Proposals._take_proposals",
            "if not self._seen.take(sender, frame.life, frame.sequence):",
            "if False:",
        ),
        Simulation("cluster", 500),
    ),
    Fault(
        "a write is answered as surely not applied when it may have been",
        Change(PROPOSALS, "Proposals.tick", "unknown = pending.term != HELD", "unknown = False"),
        Simulation("cluster", 500),
    ),
    Fault(
        "a request that was answered as timed out is proposed later",
        Change(
            PROPOSALS,
            "Proposals.tick",
            "        if overdue:  # what is answered must not be proposed any more\n",
            "        if False:\n",
        ),
        Simulation("cluster", 1000),
    ),
    Fault(
        "writes that a leader's snapshot skipped are answered as not applied",
        Change(PROPOSALS, "Proposals.skipped", "outcome_unknown=True", "outcome_unknown=False"),
        Simulation("cluster", 2000),
    ),
    Fault(
        "the commit index that a vote brings is taken without comparing terms",
        Change(
            CORE,
            "RaftCore._learn_commit",
            "if self._log.term_at(message.commit) == message.hint:",
            "if self._log.term_at(message.commit):",
        ),
        Simulation("cluster", 2000),
    ),
    Fault(
        "a sync that failed is passed over",
        Change(
            WAL,
            "Log.append",
            "        self._disk.sync(self._fd)\n",
            "        try:\n            self._disk.sync(self._fd)\n        except OSError:\n            pass\n",
        ),
        Simulation("storage", 500),
    ),
    Fault(
        "the log is not synced",
        Change(WAL, "Log.append", "        self._disk.sync(self._fd)\n", ""),
        Simulation("storage", 100),
    ),
    Fault(
        "a renamed file's directory is not synced",
        Change(DISK, "Disk.rename", "        self.sync_dir(new.parent)\n", ""),
        Simulation("storage", 500),
    ),
    Fault(
        "the hard state is lost with the segment that it was written to",
        Change(
            WAL,
            "Log._add_segment",
            "meta + rec.encode_mark(len(meta)) + self._hard_state if self._hard_state else meta",
            "meta",
        ),
        Simulation("storage", 500),
    ),
    Fault(
        "the log's segments are removed before the snapshot is whole",
        Change(
            "kubeactors.store.snapshot.file",
            "SnapshotWriter.finish",
            "        self._disk.sync_all(self._fd)\n",
            "",
        ),
        Simulation("storage", 500),
    ),
    Fault(
        "what a failed sync left in memory is taken for durable",
        Change(
            WAL,
            "Log.open",
            "        disk.write_at(log._fd, contents.last_write, log._end - len(contents.last_write))\n",
            "",
        ),
        Simulation("storage", 2000),
    ),
    Fault(
        "entries that a new leader replaced come back behind a snapshot",
        Change(
            READER, "_Entries.add", "            entries.clear()  # a new leader replaced what followed it, too\n", ""
        ),
        Simulation("storage", 500),
    ),
    Fault(
        "a start relies on the name of a snapshot that is not durable yet",
        Change(STORAGE, "load", "    disk.sync_dir(snapshot_dir)", "    pass"),
        Simulation("storage", 3000),
    ),
)
