"""What a member makes of what its disk holds, before it does anything."""

from __future__ import annotations

from kubeactors.store.raft.errors import InconsistentLog
from kubeactors.store.raft.log import RaftLog
from kubeactors.store.wal.record import EntryKind, HardState


def check(hard_state: HardState, log: RaftLog, applied: int) -> None:
    """Raises InconsistentLog when these cannot belong together."""
    if hard_state.commit > log.last_index:
        raise InconsistentLog(
            f"entry {hard_state.commit} was committed, but the log ends at {log.last_index}: entries are missing"
        )
    if not log.base <= applied <= log.last_index:
        raise InconsistentLog(f"the state is of entry {applied}, the log from {log.first_index} to {log.last_index}")


def last_surely_committed_change(log: RaftLog, applied: int) -> int:
    """A leader proposes a change only after it has applied the one before, so all but the last of those in a log are
    committed, though this member may not have been told before it stopped. The last of these, 0 without any.

    It must know: one that stood for election by a configuration two changes old could win beside a majority of the
    present one.
    """
    entries = log.between(applied + 1, log.last_index)
    changes = [entry.index for entry in entries if entry.kind == EntryKind.CONFIG]
    return changes[-2] if len(changes) > 1 else 0
